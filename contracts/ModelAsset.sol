// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// One model, for good: nothing here can be changed after the contract stands.
contract ModelAsset {
    /// UUID of the model.
    bytes16 public immutable asset;
    /// Digest of the model, or a salted commitment to it.
    bytes32 public immutable commitment;
    /// UUIDs of the datasets it was trained on and tested with; zero when none is named.
    bytes16 public immutable trainedOn;
    bytes16 public immutable testedWith;
    /// Digest of the container image that trained it; zero when none is named.
    bytes32 public immutable image;
    /// Where the log holds the registration.
    uint64 public immutable logIndex;
    address public immutable publisher;

    event ModelRegistered(bytes16 indexed asset, address indexed publisher);

    constructor(
        bytes16 asset_,
        bytes32 commitment_,
        bytes16 trainedOn_,
        bytes16 testedWith_,
        bytes32 image_,
        uint64 logIndex_
    ) {
        asset = asset_;
        commitment = commitment_;
        trainedOn = trainedOn_;
        testedWith = testedWith_;
        image = image_;
        logIndex = logIndex_;
        publisher = msg.sender;
        emit ModelRegistered(asset_, msg.sender);
    }
}
