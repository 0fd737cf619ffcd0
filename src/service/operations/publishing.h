// From a complete upload to a version that can be called: inspected in a throw-away process, then committed.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "routes.h"
#include "uploads.h"

namespace glasscase::operations {

class Publishing {
 public:
  static constexpr int64_t kInspectionMs = 120'000;
  static constexpr size_t kInspectorsMax = 2;  // at a time; each may use gigabytes

  Publishing(Desk& desk, Uploads& uploads);
  ~Publishing();

  // Answers by `reply`, at once or later. Uploads that were not published stay.
  void Begin(const std::shared_ptr<Act>& act, Reply reply);

  void OnInspectorLinked(uint32_t number);
  void OnReport(uint32_t number, const rpc::InspectReport& report);
  void OnInspectorGone(uint32_t number);
  void DropOf(const LinkId& edge);

 private:
  struct Job {
    std::shared_ptr<Act> act;
    Reply reply;
    Claim claim;
    uint32_t number = 0;
    process::EventLoop::TimerId timer = 0;
  };
  void BeginDigested(std::unique_ptr<Job> job, const Status& digested);
  void StartNext();
  void Commit(std::unique_ptr<Job> job, const rpc::InspectReport& report);
  void EndCommit(Job& job, const Status& bytes, const std::function<Result<Outcome>()>& rows);
  void Finish(uint32_t number, const Result<rpc::InspectReport>& report);
  std::unique_ptr<Job> TakeRunning(uint32_t number);

  Desk& desk_;
  Uploads& uploads_;
  std::map<const Job*, std::unique_ptr<Job>> digesting_;
  std::deque<std::unique_ptr<Job>> waiting_;
  std::map<const Job*, std::unique_ptr<Job>> committing_;
  std::map<uint32_t, std::unique_ptr<Job>> running_;  // by inspector
  uint32_t next_number_;
};

// The label of the version after these: one more than the highest number among them.
std::string NextVersionNumber(const std::vector<catalog::Version>& versions);

// SHA-256 over "<sha256 hex>  <path>\n" of every file, by path (api/formats/manifest.md).
Digest ManifestDigest(std::vector<catalog::VersionFile> files);

}  // namespace glasscase::operations
