// A folder of images with one in it, for tests of Podman. ENCLOSE and MAKE_IMAGE say where the programs are.
#pragma once

#include <glasscase/jobs_podman/podman.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include <glasscase/core/ids.h>
#include <glasscase/jobs/child.h>
#include <gtest/gtest.h>

namespace glasscase::jobs::testing {

namespace fs = std::filesystem;

// Podman as root is Podman as this user: nothing is done with root's rights.
inline std::optional<uid_t> User() {
  if (::geteuid() == 0) return 60'677;
  return std::nullopt;
}

// The folder of images of all tests, with one in it that is made of this machine's programs.
class Images {
 public:
  static const Images& Get() {
    static const Images images;
    return images;
  }
  std::string image() const { return image_; }
  PodmanOptions Options() const {
    return {.enclose = Enclose(),
            .images = folder_ / "kept",
            .registries = {"localhost"},
            .user = User(),
            .leases = OwnLeases()};
  }

 private:
  Images() {
    fs::create_directories(folder_ / "kept");
    fs::permissions(folder_, fs::perms(0755));
    if (User() && ::chown((folder_ / "kept").c_str(), *User(), *User()) != 0)
      ADD_FAILURE() << "cannot give it away";
    // The clone may lie where that user does not get to.
    fs::copy_file(ENCLOSE, Enclose());
    EXPECT_EQ(std::system((std::string(MAKE_IMAGE) + " " + (folder_ / "root.tar").string()).c_str()), 0);
    const std::string said = InStore("$podman import --quiet " + (folder_ / "root.tar").string() +
                                     " localhost/test:1 >&2 && "
                                     "$podman image inspect --format '{{.Digest}}' localhost/test:1");
    fs::remove(folder_ / "root.tar");
    const size_t digest = said.rfind("sha256:");
    if (digest == std::string::npos)
      ADD_FAILURE() << "no image: " << said;
    else
      image_ = "localhost/test@" + said.substr(digest, 71);
  }
  ~Images() {
    std::error_code ignored;
    for (const auto& entry : fs::recursive_directory_iterator(folder_, ignored))
      if (entry.is_directory() && !entry.is_symlink()) fs::permissions(entry, fs::perms::owner_all, ignored);
    fs::remove_all(folder_, ignored);
  }

  std::string Enclose() const { return folder_ / "glasscase-enclose"; }
  // What a script says that uses $podman on this store.
  std::string InStore(const std::string& script) const {
    const std::string kept = folder_ / "kept";
    const std::string podman = "podman --root " + kept +
                               "/store --runroot /dev/shm/run --tmpdir /dev/shm/tmp --storage-driver overlay "
                               "--storage-opt overlay.ignore_chown_errors=true --cgroup-manager cgroupfs "
                               "--events-backend none";
    const Fd nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    auto child = StartChild({.command = {Enclose(), "outside", "3", "", "/bin/sh", "-c", script},
                             .environment = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"},
                                             {"podman", podman},
                                             {"HOME", kept},
                                             {"TMPDIR", kept},
                                             {"XDG_RUNTIME_DIR", "/dev/shm"},
                                             {"_CONTAINERS_USERNS_CONFIGURED", "done"},
                                             {"_CONTAINERS_ROOTLESS_UID", "1"},
                                             {"_CONTAINERS_ROOTLESS_GID", "1"}},
                             .descriptors = {{nowhere.get(), 3}},
                             .user = User()});
    if (!child) return child.error().message();
    ::fcntl(child->output.get(), F_SETFL, 0);
    std::string said;
    char piece[1'024];
    for (ssize_t got = 0; (got = ::read(child->output.get(), piece, sizeof piece)) > 0;)
      said.append(piece, static_cast<size_t>(got));
    ::waitpid(child->pid, nullptr, 0);
    return said;
  }

  const fs::path folder_ = fs::temp_directory_path() / ("gc-images-" + Uuid::Random().ToString());
  std::string image_;
};

}  // namespace glasscase::jobs::testing
