#include <glasscase/working/machine.h>

#include <gnu/libc-version.h>
#include <sys/utsname.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <boost/json/array.hpp>

#include <glasscase/crypto/sha256.h>
#include <glasscase/training/recipe.h>

namespace glasscase::working {
namespace {

namespace fs = std::filesystem;

// The first line of /proc/cpuinfo with that name: "flags\t\t: fpu vme ...".
std::string CpuFact(const std::string& name) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with(name) && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "";
}

boost::json::array Words(const std::string& text) {
  boost::json::array words;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    if (end > begin) words.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

}  // namespace

boost::json::object DescribeMachine() {
  utsname names{};
  ::uname(&names);
  return {{"architecture", names.machine},
          {"c_library", std::string("glibc ") + ::gnu_get_libc_version()},
          {"instruction_sets", Words(CpuFact("flags"))},
          {"kernel", names.release},
          {"processor", CpuFact("model name")}};
}

std::vector<InstalledRunner> ListRunners(const std::string& folder) {
  std::vector<InstalledRunner> runners;
  std::error_code code;
  for (const auto& entry : fs::directory_iterator(folder, code)) {
    std::ifstream lock(entry.path() / "requirements.txt", std::ios::binary);
    const std::string name = entry.path().filename();
    if (!lock || !training::IsDatasetName(name)) continue;
    const std::string text{std::istreambuf_iterator<char>(lock), {}};
    runners.push_back({.name = name, .lock = Sha256(AsBytes(text))});
  }
  std::sort(runners.begin(), runners.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return runners;
}

Result<InstalledRunner> FindRunner(const std::string& folder, const std::string& name, const Digest& lock) {
  for (InstalledRunner& runner : ListRunners(folder)) {
    if (runner.name != name) continue;
    if (runner.lock == lock) return std::move(runner);
    return Fail(Error::FailedPrecondition("the runner " + name + " of this worker has the lock file " +
                                          ToHex(runner.lock) + ", the recipe names another"));
  }
  return Fail(Error::FailedPrecondition("this worker has no runner " + name));
}

}  // namespace glasscase::working
