#include <glasscase/training/results.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string_view>

#include <glasscase/json/object_reader.h>
#include <glasscase/json/strict.h>

namespace glasscase::training {
namespace {

constexpr size_t kFilesMax = 128;  // as of every version
constexpr size_t kDepthMax = 16;
constexpr size_t kMetricsBytesMax = 1'000'000;
constexpr size_t kMetricsMax = 1'000;  // so that the record of a run goes into one message
constexpr size_t kMetricNameBytesMax = 200;
constexpr std::string_view kMetrics = "metrics.json";
constexpr std::string_view kPredictions = "predictions.npy";
constexpr uint64_t kPredictionsBytesMax = uint64_t{64} << 20;

Error Unusable(const std::string& what) { return Error::FailedPrecondition(what); }

Result<std::vector<std::string>> Names(int folder) {
  const int copy = ::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) return Fail(Error::FromErrno(errno, "cannot read the results"));
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(copy), ::closedir);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(listing.get())) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool IsModel(std::string_view name) { return name == "model" || name.starts_with("model."); }

class Collector {
 public:
  Result<Results> Collect(int folder) {
    GC_TRY(const std::vector<std::string> names, Names(folder));
    std::vector<std::string> models;
    std::copy_if(names.begin(), names.end(), std::back_inserter(models), IsModel);
    if (models.size() != 1) return Fail(WrongNumber(models, names));
    if (models[0] == "model") {
      GC_TRY_VOID(TakeFolder(folder, "model", "", 0));
      if (results_.model.empty()) return Fail(Unusable("/out/model is empty"));
    } else {
      GC_TRY_VOID(TakeFile(folder, models[0], models[0]));
    }
    if (std::find(names.begin(), names.end(), kMetrics) != names.end()) GC_TRY_VOID(TakeMetrics(folder));
    if (std::find(names.begin(), names.end(), kPredictions) != names.end())
      GC_TRY_VOID(TakePredictions(folder));
    return std::move(results_);
  }

 private:
  static Error WrongNumber(const std::vector<std::string>& models, const std::vector<std::string>& all) {
    const auto list = [](const std::vector<std::string>& names) {
      constexpr size_t kShown = 5;
      std::string text;
      for (size_t i = 0; i < std::min(names.size(), kShown); ++i)
        text += (i > 0 ? ", " : "") + Printable(names[i], 40);
      return names.size() > kShown ? text + " and " + std::to_string(names.size() - kShown) + " more" : text;
    };
    if (models.empty())
      return Unusable(
          "the run left no model: one file /out/model.EXT, or a folder /out/model, was expected; /out has " +
          (all.empty() ? "nothing" : list(all)));
    return Unusable("the run left " + std::to_string(models.size()) +
                    " models, one was expected: " + list(models));
  }

  // What is there, opened so that nothing but a file or folder ever is: not a link, and no device that acts
  // when it is opened.
  static Result<Fd> Open(int folder, const std::string& name, const std::string& path, struct stat& facts) {
    const Fd place(::openat(folder, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!place.valid() || ::fstat(place.get(), &facts) != 0)
      return Fail(Error::FromErrno(errno, "cannot look at /out/" + Printable(path)));
    if (S_ISLNK(facts.st_mode))
      return Fail(Unusable("/out/" + Printable(path) + " is a link: only files and folders are taken"));
    if (!S_ISREG(facts.st_mode) && !S_ISDIR(facts.st_mode))
      return Fail(Unusable("/out/" + Printable(path) + " is no file and no folder"));
    const std::string self = "/proc/self/fd/" + std::to_string(place.get());
    Fd opened(::open(self.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened.valid()) return Fail(Error::FromErrno(errno, "cannot open /out/" + Printable(path)));
    return opened;
  }

  Status TakeFile(int folder, const std::string& name, const std::string& path) {
    struct stat facts {};
    if (!IsUtf8(path)) return Fail(Unusable("/out/" + Printable(path) + " has a name that is not UTF-8"));
    GC_TRY(Fd file, Open(folder, name, path, facts));
    if (S_ISDIR(facts.st_mode))
      return Fail(Unusable("/out/" + Printable(path) + " is a folder: a folder is called /out/model"));
    if (results_.model.size() == kFilesMax)
      return Fail(Unusable("the model has more than " + std::to_string(kFilesMax) + " files"));
    results_.model.push_back(
        {.path = path, .file = std::move(file), .bytes = static_cast<uint64_t>(facts.st_size)});
    return Ok();
  }

  Status TakeFolder(int folder, const std::string& name, const std::string& path, size_t depth) {
    if (depth == kDepthMax)
      return Fail(Unusable("/out/model has folders more than " + std::to_string(kDepthMax) + " deep"));
    struct stat facts {};
    GC_TRY(const Fd here, Open(folder, name, "model/" + path, facts));
    if (!S_ISDIR(facts.st_mode))
      return Fail(Unusable("/out/model is a file without an ending: name it /out/model.EXT"));
    GC_TRY(const std::vector<std::string> names, Names(here.get()));
    for (const std::string& below : names) {
      std::string path_below = path;
      if (!path.empty()) path_below += '/';
      path_below += below;
      struct stat kind {};
      const bool is_folder =
          ::fstatat(here.get(), below.c_str(), &kind, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(kind.st_mode);
      if (is_folder) {
        GC_TRY_VOID(TakeFolder(here.get(), below, path_below, depth + 1));
      } else {
        GC_TRY_VOID(TakeFile(here.get(), below, path_below));
      }
    }
    return Ok();
  }

  Status TakeMetrics(int folder) {
    struct stat facts {};
    const std::string name(kMetrics);
    GC_TRY(const Fd file, Open(folder, name, name, facts));
    if (!S_ISREG(facts.st_mode) || static_cast<uint64_t>(facts.st_size) > kMetricsBytesMax)
      return Fail(Error::InvalidArgument("/out/metrics.json is no file of at most 1 MB"));
    std::string text(static_cast<size_t>(facts.st_size), '\0');
    const ssize_t got = ::pread(file.get(), text.data(), text.size(), 0);
    text.resize(got < 0 ? 0 : static_cast<size_t>(got));
    const auto value = json::Parse(text, {.bytes_max = kMetricsBytesMax});
    if (!value) return Fail(value.error().WithContext("/out/metrics.json"));
    const auto* object = value->if_object();
    if (object == nullptr) return Fail(Error::InvalidArgument("/out/metrics.json is no object"));
    if (object->size() > kMetricsMax)
      return Fail(Error::InvalidArgument("/out/metrics.json has more than " + std::to_string(kMetricsMax) +
                                         " members"));
    for (const auto& member : *object) {
      if (member.key().size() > kMetricNameBytesMax)
        return Fail(Error::InvalidArgument("/out/metrics.json: a name has more than " +
                                           std::to_string(kMetricNameBytesMax) + " bytes"));
      if (!member.value().is_number())
        return Fail(Error::InvalidArgument("/out/metrics.json: " + Printable(std::string(member.key())) +
                                           " is no number"));
      results_.metrics[std::string(member.key())] = member.value().to_number<double>();
    }
    return Ok();
  }

  Status TakePredictions(int folder) {
    struct stat facts {};
    const std::string name(kPredictions);
    GC_TRY(Fd file, Open(folder, name, name, facts));
    const auto bytes = static_cast<uint64_t>(facts.st_size);
    if (!S_ISREG(facts.st_mode) || bytes > kPredictionsBytesMax)
      return Fail(Error::InvalidArgument("/out/predictions.npy is no file of at most 64 MiB"));
    results_.predictions = ResultFile{.path = name, .file = std::move(file), .bytes = bytes};
    return Ok();
  }

  Results results_;
};

}  // namespace

Result<Results> ReadResults(int folder) { return Collector().Collect(folder); }

}  // namespace glasscase::training
