// The translation of a version: by the translator's own program, or by the converter of a runner.
#pragma once

#include <string>
#include <vector>

#include <glasscase/core/error.h>
#include <glasscase/jobs/executor.h>
#include <glasscase/process/fd.h>
#include <glasscase/training/results.h>
#include <glasscase/training/translation_recipe.h>
#include <glasscase/working/worker.h>

namespace glasscase::working {

class TranslationJob {
 public:
  static constexpr size_t kEvidenceBytesMax = 700'000;  // it travels in one frame with the rest

  // `folder` has the files of the version below in/source, of datasets that tell a range below in/data/NAME,
  // and out/. All outlive the job.
  TranslationJob(const training::TranslationRecipe& recipe, std::string folder, const WorkerOptions& options,
                 jobs::Executor& executor);

  // The runner is there, the source is what the translator reads, and the time is what this worker gives.
  // FailedPrecondition says what is not.
  Status Check() const;
  // Runs it to its end. What succeeds has a result and an evidence that holds; a refusal has failed, with its
  // evidence where there is one.
  jobs::JobEnd Run(jobs::JobWatcher& watcher);

  std::string_view executor_name() const;
  // JSON; empty: it did not come to that.
  const std::string& evidence() const { return evidence_; }
  std::vector<training::ResultFile> TakeFiles() { return std::move(files_); }

 private:
  class Talk;
  struct DataFile {
    std::string name;  // "rain/rain.csv"
    Fd file;
  };
  std::vector<DataFile> DataFiles() const;
  int64_t WallMs() const;
  Result<std::string> SourceFile() const;
  jobs::JobEnd RunProgram(jobs::JobWatcher& watcher);
  // The translator's program with these words and descriptors, to its end.
  jobs::JobEnd RunConfined(std::vector<std::string> words, std::vector<std::pair<int, int>> descriptors,
                           Talk& talk) const;
  // Tells the converter, which refuses pickles, what each file of the source would import.
  Status NameImports(jobs::JobWatcher& watcher) const;
  jobs::JobEnd RunConverter(jobs::JobWatcher& watcher);
  jobs::Job JobOf(std::vector<std::string> command) const;
  Status TakeEvidence();
  Status TakeResult();

  const training::TranslationRecipe& recipe_;
  const std::string folder_;
  const WorkerOptions& options_;
  jobs::Executor& executor_;
  std::string evidence_;
  std::vector<training::ResultFile> files_;
};

}  // namespace glasscase::working
