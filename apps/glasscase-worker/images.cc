#include "images.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include <glasscase/process/file_io.h>

namespace glasscase::worker {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kProgramBytesMax = uint64_t{256} << 20;

// The program beside this one.
std::string EncloseProgram() {
  std::error_code code;
  return fs::read_symlink("/proc/self/exe", code).parent_path() / "glasscase-enclose";
}

// For this user alone.
Status MakeOwnFolder(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    return Fail(Error::FromErrno(errno, "cannot make the folder for images " + path));
  struct stat facts {};
  if (::lstat(path.c_str(), &facts) != 0)
    return Fail(Error::FromErrno(errno, "cannot see the folder for images " + path));
  if (!S_ISDIR(facts.st_mode) || facts.st_uid != ::geteuid() || (facts.st_mode & 022) != 0)
    return Fail(Error::PermissionDenied("the folder for images " + path + " must belong to user " +
                                        std::to_string(::geteuid()) + " alone (chown, chmod 700)"));
  return Ok();
}

}  // namespace

Result<Images> Images::Read(ImageArguments arguments) {
  Images images;
  images.enclose_ = EncloseProgram();
  images.enclose_program_ = process::ReadText(images.enclose_, kProgramBytesMax).value_or("");
  if (!arguments.credentials.empty()) {
    GC_TRY(images.credentials_, process::ReadText(arguments.credentials));
  }
  images.arguments_ = std::move(arguments);
  return images;
}

Result<jobs::PodmanOptions> Images::Settle(const std::string& jobs) && {
  std::string folder = arguments_.folder;
  if (folder.empty()) folder = "/var/tmp/glasscase-images-" + std::to_string(::geteuid());
  GC_TRY_VOID(MakeOwnFolder(folder));
  if (::access(enclose_.c_str(), X_OK) != 0) {
    enclose_ = jobs + "/glasscase-enclose";
    std::ofstream(enclose_, std::ios::binary) << enclose_program_;
    ::chmod(enclose_.c_str(), 0755);
  }
  return jobs::PodmanOptions{.enclose = enclose_,
                             .images = folder,
                             .registries = arguments_.registries,
                             .credentials = credentials_,
                             .devices = arguments_.devices};
}

}  // namespace glasscase::worker
