// For tests: a blob store that waits for a network, which tests steer.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include <glasscase/blobs/blob_store.h>

namespace glasscase::operations::testing {

// Stands for the network: what needs it waits while it stalls.
class Network {
 public:
  void Stall() { Set(true); }
  void GoOn() { Set(false); }
  void Use() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.wait(lock, [this] { return !stalls_; });
    --waiting_;
  }
  int waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

  std::atomic<bool> is_away = false;  // nothing can be read
  std::atomic<bool> is_full = false;  // nothing can be written

 private:
  void Set(bool stalls) {
    const std::lock_guard lock(mutex_);
    stalls_ = stalls;
    changed_.notify_all();
  }
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool stalls_ = false;
  int waiting_ = 0;
};

class DistantBlob final : public blobs::PartialBlob {
 public:
  DistantBlob(std::unique_ptr<blobs::PartialBlob> near, Network& network)
      : near_(std::move(near)), network_(network) {}
  Status Append(ByteSpan bytes) override { return near_->Append(bytes); }
  uint64_t bytes() const override { return near_->bytes(); }
  Result<Digest> Finish() override { return near_->Finish(); }
  Result<Fd> Open() const override { return near_->Open(); }
  Status Commit() override {
    network_.Use();
    return near_->Commit();
  }
  Status Keep() override { return near_->Keep(); }
  uint64_t kept() const override { return near_->kept(); }
  Status CutToKept() override { return near_->CutToKept(); }
  Result<uint64_t> DigestSome() override { return near_->DigestSome(); }
  Status Discard() override { return near_->Discard(); }

 private:
  std::unique_ptr<blobs::PartialBlob> near_;
  Network& network_;
};

class DistantStore final : public blobs::BlobStore {
 public:
  DistantStore(std::unique_ptr<blobs::BlobStore> near, Network& network)
      : near_(std::move(near)), network_(network) {}
  bool MayWait() const override { return true; }
  Result<std::unique_ptr<blobs::StagedBlob>> Stage() override {
    if (network_.is_full) return Fail(Error::ResourceExhausted("no room"));
    return near_->Stage();
  }
  Result<std::unique_ptr<blobs::PartialBlob>> StagePartial(const Uuid& id, std::string_view note) override {
    GC_TRY(auto near, near_->StagePartial(id, note));
    return std::make_unique<DistantBlob>(std::move(near), network_);
  }
  Result<std::unique_ptr<blobs::PartialBlob>> ResumePartial(const Uuid& id) override {
    GC_TRY(auto near, near_->ResumePartial(id));
    return std::make_unique<DistantBlob>(std::move(near), network_);
  }
  Result<std::vector<blobs::PartialInfo>> Partials() const override { return near_->Partials(); }
  Result<Fd> Open(const Digest& sha256) const override {
    network_.Use();
    if (network_.is_away) return Fail(Error::Unavailable("the bucket does not answer"));
    return near_->Open(sha256);
  }
  Result<uint64_t> Size(const Digest& sha256) const override { return near_->Size(sha256); }
  Status Remove(const Digest& sha256) override {
    network_.Use();
    return near_->Remove(sha256);
  }
  Result<std::vector<blobs::BlobInfo>> List() const override {
    network_.Use();
    return near_->List();
  }
  Result<uint64_t> BytesFree() const override { return near_->BytesFree(); }

 private:
  std::unique_ptr<blobs::BlobStore> near_;
  Network& network_;
};

}  // namespace glasscase::operations::testing
