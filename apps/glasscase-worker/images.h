// What a worker needs to run images.
#pragma once

#include <string>
#include <vector>

#include <glasscase/core/error.h>
#include <glasscase/jobs_podman/podman.h>

namespace glasscase::worker {

struct ImageArguments {
  std::vector<std::string> registries{};  // none: no images
  std::string credentials{};              // a file as containers-auth.json(5) has it
  std::string folder{};                   // where images are kept; empty: /var/tmp/glasscase-images-USER
  std::vector<std::string> devices{};
};

// In two steps: files that only the operator may read, before this process gives up its rights; what belongs
// to the user that it becomes, after.
class Images {
 public:
  static Result<Images> Read(ImageArguments arguments);
  // Makes the folder. PermissionDenied when it is somebody else's, or open to others. `jobs` is the folder
  // for the files of jobs.
  Result<jobs::PodmanOptions> Settle(const std::string& jobs) &&;

 private:
  ImageArguments arguments_;
  std::string enclose_;          // path of the program
  std::string enclose_program_;  // its bytes: the path may be for others only
  std::string credentials_;
};

}  // namespace glasscase::worker
