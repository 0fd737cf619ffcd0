// One job from its inputs to its end, on a thread of its own.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/jobs/executor.h>
#include <glasscase/process/event_loop.h>
#include <glasscase/process/fd.h>
#include <glasscase/rpc/link.pb.h>
#include <glasscase/training/recipe.h>
#include <glasscase/training/results.h>
#include <glasscase/working/worker.h>

#include "ended.h"
#include "verification.h"

namespace glasscase::working {

struct JobInput {
  std::string path;  // below in/
  Digest sha256{};
  Fd file;
};

class JobThread {
 public:
  struct Place {
    process::EventLoop& loop;
    Executors executors;
    const WorkerOptions& options;
    std::function<void(rpc::ToCustodian, std::vector<Fd>)> say;  // called on the loop's thread
    std::function<void()> ended;                                 // likewise, last
  };

  JobThread(Place place, std::string run);
  // Cancels it and waits.
  ~JobThread();

  // Before Start.
  void Add(JobInput input) { inputs_.push_back(std::move(input)); }
  bool has_started() const { return thread_.joinable(); }
  void Start(const rpc::RunJob& job);
  void Cancel();

 private:
  class Watcher;
  Ended Do();
  Ended Verify(const training::Recipe& recipe);
  Ended Execute(const training::Recipe& recipe, const std::string& text, Watcher& watcher);
  void DescribeEnvironment(const training::Recipe& recipe, const jobs::JobEnd& end,
                           boost::json::object& record) const;
  Result<Original> TakeOriginal();
  Ended Translate();
  static Ended NotRun(const Error& error);
  static Ended EndOf(const jobs::JobEnd& end, std::string_view executor, const Digest& log);
  Status Prepare(const training::Recipe& recipe);
  Status PlaceFiles();
  Status PlaceRecipe(const std::string& text) const;
  Status CheckLimits(const training::Recipe& recipe) const;
  Status PlaceInput(const JobInput& input) const;
  Result<jobs::Job> JobOf(const training::Recipe& recipe) const;
  Status SetRunner(const training::Recipe& recipe, jobs::Job& job) const;
  Status SetImage(const training::Recipe& recipe, jobs::Job& job) const;
  void Collect(Ended& ended) const;
  void SamplePredictions(const training::ResultFile& file, Ended& ended) const;
  void TellRuns();
  void TellProgress(double fraction, std::string_view text);
  void Tell(rpc::ToCustodian message, std::vector<Fd> fds = {});
  void TellEnd(Ended ended);
  rpc::ToCustodian EndMessage(const Ended& ended) const;
  rpc::ToCustodian ShortEndMessage(Ended& ended) const;

  Place place_;
  const std::string run_;
  std::string folder_;
  std::string recipe_text_;
  rpc::RunJob::Kind kind_ = rpc::RunJob::TRAINING;
  std::string original_record_;
  std::vector<JobInput> inputs_;
  std::map<std::string, Fd> originals_;  // of a run that is verified, by path
  Fd cancel_read_, cancel_write_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);  // the loop's thread alone holds it
  const std::weak_ptr<int> is_alive_ = alive_;
  std::thread thread_;
};

}  // namespace glasscase::working
