// A journal in memory. Outlives the logs that use it, as a catalog outlives custodians.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include <glasscase/ledger/journal.h>

namespace glasscase::ledger::testing {

class MemoryJournal final : public Journal {
 public:
  void Wait(std::string entry, std::vector<Uuid> assets = {}) {
    waiting_.push_back({++sequence_, std::move(entry), std::move(assets)});
  }
  size_t waiting() const { return waiting_.size(); }
  size_t kept() const { return kept_.size(); }
  bool fails = false;
  bool archives = false;
  Head head;

  Result<Head> ReadHead() const override { return head; }
  Result<uint64_t> Claim() override { return ++head.fence; }
  Result<std::vector<WaitingEntry>> Waiting(size_t count, size_t bytes) const override {
    std::vector<WaitingEntry> taken;
    for (const WaitingEntry& entry : waiting_) {
      if (taken.size() == count || bytes < entry.entry.size()) break;
      bytes -= entry.entry.size();
      taken.push_back(entry);
    }
    return taken;
  }
  Status Advance(const Head& from, const Head& to, int64_t sequence, const std::string& framed) override {
    if (fails) return Fail(Error::ResourceExhausted("the disk is full"));
    if (head != from) return Fail(Error(Code::kAborted, "the head has moved"));
    kept_.push_back({.first = from.size, .count = to.size - from.size, .framed = framed});
    if (archives) archive_.push_back(kept_.back());
    while (!waiting_.empty() && waiting_.front().sequence <= sequence) waiting_.pop_front();
    head = to;
    return Ok();
  }
  Result<std::vector<Kept>> ReadKept() const override {
    return std::vector<Kept>(kept_.begin(), kept_.end());
  }
  Status Forget(uint64_t size) override {
    while (!kept_.empty() && kept_.front().first + kept_.front().count <= size) kept_.pop_front();
    return Ok();
  }

  Status Adopt(const Head& to, const std::function<Result<std::optional<Kept>>()>& next) override {
    kept_.clear();
    archive_.clear();
    while (archives) {
      GC_TRY(auto part, next());
      if (!part) break;
      archive_.push_back(*std::move(part));
    }
    head = to;
    return Ok();
  }
  Result<std::vector<Kept>> ReadArchive(uint64_t from, size_t parts) const override {
    std::vector<Kept> read;
    for (const Kept& part : archive_)
      if (part.first + part.count > from && read.size() < parts) read.push_back(part);
    return read;
  }

 private:
  std::deque<WaitingEntry> waiting_;
  std::vector<Kept> archive_;
  std::deque<Kept> kept_;
  int64_t sequence_ = 0;
};

}  // namespace glasscase::ledger::testing
