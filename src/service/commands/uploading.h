// Files on their way to the server: uploads that go on where they stopped.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "api.h"
#include "console.h"
#include "model_folder.h"

namespace glasscase::commands {

// Where each file's upload is; bytes_there came with an earlier run of the command.
struct SentFile {
  std::string upload;
  uint64_t bytes_there = 0;
};

// Sends files, each as an upload of its own, over as many connections as it takes.
class Uploading {
 public:
  Uploading(Api& api, const Console& console) : api_(api), console_(console) {}

  // An unfinished or unpublished upload of the same bytes is taken up again, otherwise one is begun.
  Status Begin(const std::vector<ModelFile>& files);
  uint64_t bytes_there() const;
  // `report` hears how many bytes of all are there.
  Status Send(const std::vector<ModelFile>& files, const std::function<void(uint64_t)>& report);
  const std::vector<SentFile>& sent() const { return sent_; }
  // Forgets the uploads at the server; best effort.
  void Drop();

 private:
  Result<SentFile> BeginFile(const ModelFile& file);
  Result<uint64_t> AskOffset(const std::string& upload);
  Status SendFile(const ModelFile& file, const SentFile& sent, const std::function<void(uint64_t)>& report);
  Result<uint64_t> SendFrom(const ModelFile& file, const std::string& upload, uint64_t offset,
                            const std::function<void(uint64_t)>& report);

  Api& api_;
  const Console& console_;
  std::vector<SentFile> sent_;
};

}  // namespace glasscase::commands
