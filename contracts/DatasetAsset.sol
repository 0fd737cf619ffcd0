// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// One dataset, for good: nothing here can be changed after the contract stands.
contract DatasetAsset {
    /// UUID of the dataset.
    bytes16 public immutable asset;
    /// Digest of the dataset, or a salted commitment to it.
    bytes32 public immutable commitment;
    /// Where the log holds the registration.
    uint64 public immutable logIndex;
    address public immutable publisher;
    /// Where whoever may have the dataset finds it.
    string public uri;

    event DatasetRegistered(bytes16 indexed asset, address indexed publisher);

    constructor(bytes16 asset_, bytes32 commitment_, uint64 logIndex_, string memory uri_) {
        asset = asset_;
        commitment = commitment_;
        logIndex = logIndex_;
        publisher = msg.sender;
        uri = uri_;
        emit DatasetRegistered(asset_, msg.sender);
    }
}
