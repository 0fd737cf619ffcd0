#include <glasscase/working/machine.h>

#include <gnu/libc-version.h>
#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include <boost/json/array.hpp>

#include <glasscase/crypto/sha256.h>
#include <glasscase/training/recipe.h>

namespace glasscase::working {
namespace {

namespace bj = boost::json;
namespace fs = std::filesystem;

// Of the first line with that name: "flags\t\t: fpu vme ...".
std::string FactIn(const std::string& path, std::string_view name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(':');
    if (!line.starts_with(name) || colon == std::string::npos) continue;
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

// What Debian calls them. Python's package has its number, as /usr/bin/python3 points to it.
std::map<std::string, std::string> SystemPackages(const std::string& root) {
  std::map<std::string, std::string> names = {
      {"libc6", "glibc"}, {"libgomp1", "libgomp"}, {"libstdc++6", "libstdc++"}};
  std::error_code code;
  const std::string python = fs::read_symlink(root + "/usr/bin/python3", code).filename();
  if (!python.empty()) names[python + "-minimal"] = "python";
  return names;
}

// Name and version, as Debian has it ("2.36-9+deb12u14"). Elsewhere no more is known than what this program
// uses.
bj::object DescribeSystem(const std::string& root) {
  const auto names = SystemPackages(root);
  bj::object system{{"glibc", ::gnu_get_libc_version()}};
  std::ifstream status(root + "/var/lib/dpkg/status");
  constexpr std::string_view kPackage = "Package: ";
  constexpr std::string_view kVersion = "Version: ";
  std::string package;
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(kPackage)) package = line.substr(kPackage.size());
    if (!line.starts_with(kVersion)) continue;
    if (const auto found = names.find(package); found != names.end())
      system[found->second] = line.substr(kVersion.size());
  }
  return system;
}

// What decides numbers, of what Python packages may be called. The files of a wheel say "scikit_learn".
bool IsOfNumbers(std::string_view name) {
  constexpr std::array<std::string_view, 22> kNames = {
      "catboost", "cuda_toolkit", "flax",         "jax",           "jaxlib",     "keras",
      "lightgbm", "ml_dtypes",    "numpy",        "nvidia_cublas", "onnx",       "onnxruntime",
      "optax",    "pandas",       "scikit_learn", "scipy",         "tensorflow", "tensorflow_cpu",
      "torch",    "triton",       "xgboost",      "xgboost_cpu"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end() || name.starts_with("nvidia_cudnn");
}

// "# libtorch1.13 1.13.1+dfsg-4 amd64 SHA-256": a package of Debian that is part of the environment.
bool IsOfNumbersInDebian(std::string_view name) {
  constexpr std::array<std::string_view, 8> kBegins = {"libtorch", "libopenblas", "libdnnl", "libgomp",
                                                       "libsleef", "libxnnpack",  "libmkl",  "libblas"};
  return std::any_of(kBegins.begin(), kBegins.end(), [&](auto begin) { return name.starts_with(begin); });
}

// The words of the lines of comment in a lock file.
std::vector<std::vector<std::string>> CommentsOf(const std::string& runner_folder) {
  std::vector<std::vector<std::string>> comments;
  std::ifstream lock(runner_folder + "/requirements.txt");
  for (std::string line; std::getline(lock, line);) {
    if (!line.starts_with("# ")) continue;
    std::istringstream words(line.substr(2));
    comments.emplace_back(std::istream_iterator<std::string>(words), std::istream_iterator<std::string>());
  }
  return comments;
}

// "2.36" of "1:2.36-9+deb12u14", as lock files have it.
std::string UpstreamOf(const std::string& version) {
  const size_t colon = version.find(':');
  const std::string text = colon == std::string::npos ? version : version.substr(colon + 1);
  return text.substr(0, text.rfind('-'));
}

bj::array Words(const std::string& text) {
  bj::array words;
  size_t begin = 0;
  while (begin < text.size()) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    if (end > begin) words.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

}  // namespace

bj::object DescribeMachine(const std::string& root) {
  utsname names{};
  ::uname(&names);
  const std::string processor = root + "/proc/cpuinfo";
  return {{"architecture", names.machine},
          {"instruction_sets", Words(FactIn(processor, "flags"))},
          {"kernel", names.release},
          {"processor", FactIn(processor, "model name")},
          {"system", DescribeSystem(root)}};
}

bj::object DescribeDevices(const std::vector<std::string>& devices, const std::string& root) {
  bj::object described{{"files", bj::array(devices.begin(), devices.end())}};
  const std::string driver = root + "/proc/driver/nvidia";
  if (const std::string version = FactIn(driver + "/version", "NVRM version"); !version.empty())
    described["driver"] = version;
  std::vector<std::string> models;
  std::error_code code;
  for (const auto& gpu : fs::directory_iterator(driver + "/gpus", code))
    models.push_back(FactIn(gpu.path() / "information", "Model"));
  std::sort(models.begin(), models.end());
  if (!models.empty()) described["gpus"] = bj::array(models.begin(), models.end());
  return described;
}

bj::object DescribeLibraries(const std::string& runner_folder) {
  constexpr std::string_view kEnd = ".dist-info";
  bj::object libraries;
  std::error_code code;
  for (const auto& version : fs::directory_iterator(runner_folder + "/lib", code)) {
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(version.path() / "site-packages", none)) {
      const std::string name = entry.path().filename();
      const size_t dash = name.find('-');
      if (!name.ends_with(kEnd) || dash == std::string::npos || !IsOfNumbers(name.substr(0, dash))) continue;
      libraries[name.substr(0, dash)] = name.substr(dash + 1, name.size() - kEnd.size() - dash - 1);
    }
  }
  for (const auto& words : CommentsOf(runner_folder))
    if (words.size() == 4 && IsOfNumbersInDebian(words[0])) libraries[words[0]] = words[1];
  return libraries;
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

Status CheckSystem(const std::string& runner_folder, const std::string& root) {
  const bj::object system = DescribeSystem(root);
  for (const auto& words : CommentsOf(runner_folder)) {
    const auto* has = words.size() == 2 ? system.if_contains(words[0]) : nullptr;
    if (has == nullptr || UpstreamOf(std::string(has->get_string())) == words[1]) continue;
    return Fail(Error::FailedPrecondition("the runner " + fs::path(runner_folder).filename().string() +
                                          " was made with " + words[0] + " " + words[1] +
                                          ", this machine has " + UpstreamOf(std::string(has->get_string())) +
                                          ": make it here, with tools/runners"));
  }
  return Ok();
}

Result<std::string> FolderOfRunner(const std::string& folder, const std::string& name, const Digest& lock,
                                   bool runs_here) {
  GC_TRY(const InstalledRunner runner, FindRunner(folder, name, lock));
  const std::string own = folder + "/" + runner.name;
  if (runs_here) GC_TRY_VOID(CheckSystem(own));
  return own;
}

}  // namespace glasscase::working
