// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// One record per asset, written once. What happens to an asset later is an event beside it, never a change of it.
contract AssetRegistry {
    struct Record {
        /// Digest of the asset, or a salted commitment to it.
        bytes32 commitment;
        /// Where the log holds the registration.
        uint64 logIndex;
        /// The block's own word for the time: a hint, no proof.
        uint64 time;
        /// 1 model, 2 dataset; 0: no record.
        uint8 kind;
    }

    /// For good: a slot that could change would be 2,100 gas on every record. A new key deploys a new registry, and what
    /// stands in the old one stays.
    address public immutable publisher;
    mapping(bytes16 => Record) private records;

    event Registered(bytes16 indexed asset, uint8 indexed kind, bytes32 commitment, uint64 logIndex);
    event Changed(bytes16 indexed asset, bytes32 commitment, uint64 logIndex);

    error NotPublisher(address publisher);
    error AlreadyRegistered(bytes16 asset);
    error NotRegistered(bytes16 asset);
    error NoSuchKind(uint8 kind);

    modifier onlyPublisher() {
        if (msg.sender != publisher) revert NotPublisher(publisher);
        _;
    }

    constructor() {
        publisher = msg.sender;
    }

    function register(bytes16 asset, uint8 kind, bytes32 commitment, uint64 logIndex) external onlyPublisher {
        if (kind != 1 && kind != 2) revert NoSuchKind(kind);
        Record storage record = records[asset];
        if (record.kind != 0) revert AlreadyRegistered(asset);
        record.commitment = commitment;
        record.logIndex = logIndex;
        record.time = uint64(block.timestamp);
        record.kind = kind;
        emit Registered(asset, kind, commitment, logIndex);
    }

    /// A new version, or anything else that the log says of the asset.
    function change(bytes16 asset, bytes32 commitment, uint64 logIndex) external onlyPublisher {
        if (records[asset].kind == 0) revert NotRegistered(asset);
        emit Changed(asset, commitment, logIndex);
    }

    /// All zero when there is no record.
    function recordOf(bytes16 asset) external view returns (Record memory) {
        return records[asset];
    }
}
