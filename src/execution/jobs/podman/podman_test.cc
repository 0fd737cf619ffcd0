#include <glasscase/jobs_podman/podman.h>

#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <glasscase/jobs/child.h>
#include <glasscase/jobs/testing/executor_contract.h>

namespace glasscase::jobs::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// Podman as root is Podman as this user: nothing is done with root's rights.
std::optional<uid_t> User() {
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
    return {.enclose = Enclose(), .images = folder_ / "kept", .registries = {"localhost"}, .user = User()};
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

ExecutorCase Case() {
  return {.make = [] { return MakePodman(Images::Get().Options()); },
          .user = User(),
          .image = [] { return Images::Get().image(); }};
}

class PodmanTest : public ExecutorContract {
 protected:
  JobEnd RunWith(const PodmanOptions& options, const Job& job) {
    return MakePodman(options)->Run(job, recorder_);
  }
};

TEST_P(PodmanTest, TheImageThatRanIsNamed) {
  EXPECT_EQ("localhost/test@" + Run(Shell("true")).image, Images::Get().image());
}

TEST_P(PodmanTest, OnlyTheRegistriesThatAreNamedAreAsked) {
  PodmanOptions options = Images::Get().Options();
  options.registries = {"registry.example"};
  const JobEnd end = RunWith(options, Shell("true"));
  EXPECT_EQ(end.ending, Ending::kFailed);
  EXPECT_THAT(end.reason, HasSubstr("takes no images from localhost"));
}

TEST_P(PodmanTest, ARegistryThatDoesNotAnswerIsNotTheJobsFault) {
  PodmanOptions options = Images::Get().Options();
  options.registries = {"127.0.0.1:1"};
  Job job = Shell("true");
  job.image = "127.0.0.1:1/x@sha256:" + std::string(64, '0');
  const JobEnd end = RunWith(options, job);
  EXPECT_EQ(end.ending, Ending::kNotStarted);
  EXPECT_THAT(end.reason, HasSubstr("could not be fetched"));
  EXPECT_THAT(end.reason, HasSubstr("connection refused"));
}

TEST_P(PodmanTest, ADeviceIsPassedOnAndOneThatIsNotThereIsSaid) {
  PodmanOptions options = Images::Get().Options();
  options.devices = {"/dev/full"};
  const JobEnd end =
      RunWith(options, Shell("test -c /dev/full && ! (echo x >/dev/full) 2>/dev/null && echo full"));
  EXPECT_EQ(recorder_.log, "full\n") << end.reason;
  EXPECT_THAT(end.in_force, ::testing::Contains("device passed on: /dev/full"));
  options.devices = {"/dev/nvidia99"};
  EXPECT_THAT(MakePodman(options)->Check().error().message(), HasSubstr("/dev/nvidia99 is not there"));
}

TEST_P(PodmanTest, NothingOfAJobIsLeftInItsFolder) {
  Run(Shell("true"));
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(folder_)) left.push_back(entry.path().filename());
  EXPECT_THAT(left, ::testing::UnorderedElementsAre("in", "out"));
}

INSTANTIATE_TEST_SUITE_P(Podman, PodmanTest, ::testing::Values(Case()));

INSTANTIATE_TEST_SUITE_P(Podman, ExecutorContract, ::testing::Values(Case()));

}  // namespace
}  // namespace glasscase::jobs::testing
