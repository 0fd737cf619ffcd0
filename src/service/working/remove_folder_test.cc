#include <glasscase/working/remove_folder.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include <glasscase/core/ids.h>
#include <glasscase/process/fd.h>

namespace glasscase::working {
namespace {

namespace fs = std::filesystem;

// As an ordinary user: root passes every lock.
bool RemovedByANobody(const fs::path& folder) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && (::setgid(65'534) != 0 || ::setuid(65'534) != 0)) ::_exit(2);
    ::_exit(RemoveFolder(folder) ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void GiveAway(const fs::path& path) {
  if (::geteuid() == 0) {
    ASSERT_EQ(::lchown(path.c_str(), 65'534, 65'534), 0);
  }
}

TEST(RemoveFolderTest, LocksAndLinksAreNoHindrance) {
  const fs::path place = fs::temp_directory_path() / ("gc-remove-" + Uuid::Random().ToString());
  const fs::path folder = place / "job";
  fs::create_directories(folder / "out" / "model" / "deep");
  fs::create_directories(place / "other");
  std::ofstream(place / "other" / "kept") << "x";
  std::ofstream(folder / "out" / "model" / "deep" / "weights") << "x";
  fs::create_directory_symlink(place / "other", folder / "out" / "link");
  for (const fs::path& path :
       {place, folder, folder / "out", folder / "out" / "link", folder / "out" / "model",
        folder / "out" / "model" / "deep", folder / "out" / "model" / "deep" / "weights"})
    GiveAway(path);
  fs::permissions(folder / "out" / "model" / "deep", fs::perms::owner_read | fs::perms::owner_exec);
  fs::permissions(folder / "out" / "model", fs::perms::none);
  fs::permissions(folder / "out", fs::perms::none);
  EXPECT_TRUE(RemovedByANobody(folder));
  EXPECT_FALSE(fs::exists(folder));
  EXPECT_TRUE(fs::exists(place / "other" / "kept")) << "behind a link";
  EXPECT_TRUE(RemoveFolder(folder)) << "what is not there is no error";
  fs::remove_all(place);
}

// Deeper than any path can say, as a job makes it by moving folders into each other.
void MakeChain(const fs::path& top, int depth) {
  Fd at(::open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < depth; ++i) {
    ASSERT_EQ(::mkdirat(at.get(), "below", 0700), 0);
    ASSERT_EQ(::close(::openat(at.get(), "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), 0);
    at = Fd(::openat(at.get(), "below", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(at.valid());
  }
}

TEST(RemoveFolderTest, FoldersDeeperThanDescriptorsGoToo) {
  const fs::path folder = fs::temp_directory_path() / ("gc-remove-" + Uuid::Random().ToString());
  fs::create_directories(folder / "moved-up-1" / "more");  // a name that it would choose itself
  fs::create_directories(folder / "out");
  MakeChain(folder / "out", 3'000);
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit few{.rlim_cur = 40, .rlim_max = 40};
    ::_exit(::setrlimit(RLIMIT_NOFILE, &few) == 0 && RemoveFolder(folder) ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_FALSE(fs::exists(folder));
}

}  // namespace
}  // namespace glasscase::working
