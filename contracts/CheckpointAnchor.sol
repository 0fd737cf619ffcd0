// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// The last checkpoint of one transparency log, outside the reach of whoever runs the log: `size` never goes back, so a
/// log that forgot or rewrote entries disagrees with what stands here. The events are the whole history.
contract CheckpointAnchor {
    /// SHA-256 of the log's origin line.
    bytes32 public immutable origin;

    // One storage word, so that looking at the publisher costs nothing beyond the size.
    address public publisher;
    uint64 public size;
    /// The root hash of the tree at `size` (RFC 6962).
    bytes32 public root;

    event Anchored(uint64 indexed size, bytes32 root);
    event HandedOver(address indexed from, address indexed to);

    error NotPublisher(address publisher);
    error NotLarger(uint64 size);
    error NoPublisher();

    constructor(bytes32 origin_) {
        origin = origin_;
        publisher = msg.sender;
        emit HandedOver(address(0), msg.sender);
    }

    /// Only the publisher; only a larger tree than the one that stands here.
    function anchor(uint64 size_, bytes32 root_) external {
        if (msg.sender != publisher) revert NotPublisher(publisher);
        if (size_ <= size) revert NotLarger(size);
        size = size_;
        root = root_;
        emit Anchored(size_, root_);
    }

    /// Gives the right to anchor to another account, for good.
    function handOver(address to) external {
        if (msg.sender != publisher) revert NotPublisher(publisher);
        if (to == address(0)) revert NoPublisher();
        emit HandedOver(publisher, to);
        publisher = to;
    }
}
