#include "translation_job.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include <boost/json.hpp>

#include <glasscase/crypto/sha256.h>
#include <glasscase/jobs/supervise.h>
#include <glasscase/json/canonical.h>
#include <glasscase/json/object_reader.h>
#include <glasscase/json/strict.h>
#include <glasscase/process/file_io.h>
#include <glasscase/translating/program.h>

#include <glasscase/working/machine.h>

namespace glasscase::working {
namespace {

namespace fs = std::filesystem;
namespace bj = boost::json;
using json::ObjectReader;

constexpr char kRunnerPlace[] = "/runner";
constexpr char kModel[] = "model.onnx";
constexpr char kEvidence[] = "evidence.json";
constexpr char kImports[] = "imports.json";
constexpr size_t kWordsMax = 500;
constexpr std::string_view kEvidenceFormat = "glasscase translation evidence";
// Of the steps of the native translator, comparing takes nearly all the time.
constexpr double kBeforeComparing = 0.05;

// What a recipe may ask for, the translator takes.
static_assert(training::TranslationRecipe::kDataFilesMax == translating::kDataFilesMax);
static_assert(training::TranslationRecipe::kDataFileBytesMax == translating::kDataBytesMax);
static_assert(training::TranslationRecipe::kWallSecondsMax == translating::kSecondsMax);

Error Unusable(const std::string& what) { return Error::FailedPrecondition(what); }

// A plain file below a folder that a stranger wrote into: no link is followed, no device opened.
Result<Fd> OpenPlain(const std::string& path, struct stat& facts) {
  Fd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.valid()) return Fail(Error::FromErrno(errno, "cannot open it"));
  if (::fstat(file.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) return Fail(Unusable("it is no file"));
  return file;
}

Result<Fd> NewFile(const std::string& path) {
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) return Fail(Error::FromErrno(errno, "cannot make " + path));
  return file;
}

Result<Digest> DigestOf(const Fd& file) {
  Sha256Stream hash;
  GC_TRY_VOID(process::ReadPieces(file.get(), UINT64_MAX, "cannot read the translation", [&](ByteSpan piece) {
    hash.Update(piece);
    return Ok();
  }));
  return hash.Finish();
}

jobs::JobEnd NotStarted(const Error& error) {
  return {.ending = jobs::Ending::kNotStarted, .reason = error.message()};
}

void Refuse(jobs::JobEnd& end, const std::string& why) {
  end.ending = jobs::Ending::kFailed;
  end.reason = why;
}

std::string HowItEnded(const jobs::JobEnd& end) {
  return end.signal != 0 ? "signal " + std::to_string(end.signal)
                         : "exit code " + std::to_string(end.exit_code);
}

// Where the program's libraries are when they do not lie where it was linked.
std::map<std::string, std::string> LibraryPath() {
  const char* const path = std::getenv("LD_LIBRARY_PATH");
  if (path == nullptr) return {};
  return {{"LD_LIBRARY_PATH", path}};
}

}  // namespace

// What the translator's program says, as a run would print it.
class TranslationJob::Talk final : public jobs::JobWatcher {
 public:
  explicit Talk(jobs::JobWatcher& next)
      : listener_([this](const translating::Step& step) { OnStep(step); }), next_(next) {}

  void OnLog(std::string_view bytes) override { listener_.Hear(bytes); }
  int cancel_fd() const override { return next_.cancel_fd(); }
  const translating::Listener& listener() const { return listener_; }

 private:
  void OnStep(const translating::Step& step) {
    const bool compares = step.name == "comparing" && step.total > 0;
    const double share =
        compares ? std::min(1.0, static_cast<double>(step.done) / static_cast<double>(step.total)) : 0;
    const auto percent =
        static_cast<int>(100 * (compares ? kBeforeComparing + (1 - kBeforeComparing) * share : 0));
    if (step.name == step_ && percent == percent_) return;
    step_ = step.name;
    percent_ = percent;
    next_.OnLog("progress " + std::to_string(percent / 100) + "." + (percent % 100 < 10 ? "0" : "") +
                std::to_string(percent % 100) + " " + Printable(step.name, 40) + "\n");
  }

  translating::Listener listener_;
  jobs::JobWatcher& next_;
  std::string step_;
  int percent_ = -1;
};

TranslationJob::TranslationJob(const training::TranslationRecipe& recipe, std::string folder,
                               const WorkerOptions& options, jobs::Executor& executor)
    : recipe_(recipe), folder_(std::move(folder)), options_(options), executor_(executor) {}

std::string_view TranslationJob::executor_name() const {
  return recipe_.translator.IsNative() ? translating::kProgram : executor_.name();
}

Status TranslationJob::Check() const {
  // An hour is what nobody asked for: then a worker that gives less gives what it has.
  if (recipe_.wall_s != 0 && WallMs() > options_.most.wall_ms)
    return Fail(Error::InvalidArgument("the translation asks for " + std::to_string(recipe_.wall_s) +
                                       " seconds, this worker gives at most " +
                                       std::to_string(options_.most.wall_ms / 1'000)));
  if (recipe_.translator.IsNative()) {
    GC_TRY_VOID(SourceFile());
    return Ok();
  }
  GC_TRY_VOID(FolderOfRunner(options_.runners, recipe_.translator.runner, recipe_.translator.lock,
                             options_.runners_run_here));
  return Ok();
}

jobs::JobEnd TranslationJob::Run(jobs::JobWatcher& watcher) {
  jobs::JobEnd end = recipe_.translator.IsNative() ? RunProgram(watcher) : RunConverter(watcher);
  const Status evidence = TakeEvidence();
  if (end.ending != jobs::Ending::kSucceeded) return end;
  const Status taken = evidence ? TakeResult() : evidence;
  if (!taken) Refuse(end, taken.error().message());
  return end;
}

jobs::Job TranslationJob::JobOf(std::vector<std::string> command) const {
  jobs::Job job{.folder = folder_, .command = std::move(command), .limits = options_.most};
  job.limits.cpus = 1;
  job.limits.wall_ms = std::min(job.limits.wall_ms, WallMs());
  return job;
}

int64_t TranslationJob::WallMs() const { return int64_t{recipe_.WallSeconds()} * 1'000; }

// ---- the translator's program ----

Result<std::string> TranslationJob::SourceFile() const {
  std::vector<std::string> files;
  std::error_code code;
  for (const auto& entry : fs::recursive_directory_iterator(folder_ + "/in/source", code))
    if (!entry.is_directory(code)) files.push_back(entry.path());
  if (files.size() == 1) return files[0];
  return Fail(
      Unusable("the version has " + std::to_string(files.size()) +
               " files, and the native translator reads one: name a runner that translates such models"));
}

// By name. One that cannot be opened is left out: the evidence then says that it was drawn from elsewhere.
std::vector<TranslationJob::DataFile> TranslationJob::DataFiles() const {
  const fs::path folder = folder_ + "/in/data";
  std::vector<std::string> names;
  std::error_code code;
  for (const auto& entry : fs::recursive_directory_iterator(folder, code))
    if (entry.is_regular_file(code)) names.push_back(entry.path().lexically_relative(folder));
  std::ranges::sort(names);
  std::vector<DataFile> files;
  for (std::string& name : names) {
    Fd file(::open((folder / name).c_str(), O_RDONLY | O_CLOEXEC));
    if (file.valid() && files.size() < translating::kDataFilesMax)
      files.push_back({.name = std::move(name), .file = std::move(file)});
  }
  return files;
}

jobs::JobEnd TranslationJob::RunProgram(jobs::JobWatcher& watcher) {
  const auto path = SourceFile();
  if (!path) return NotStarted(path.error());
  const Fd model(::open(path->c_str(), O_RDONLY | O_CLOEXEC));
  if (!model.valid()) return NotStarted(Error::FromErrno(errno, "cannot read the source"));
  const auto onnx = NewFile(folder_ + "/out/" + kModel);
  if (!onnx) return NotStarted(onnx.error());
  const auto evidence = NewFile(folder_ + "/out/" + kEvidence);
  if (!evidence) return NotStarted(evidence.error());
  std::vector<std::string> words = {options_.translator, translating::kSecondsWord,
                                    std::to_string(recipe_.WallSeconds())};
  std::vector<std::pair<int, int>> descriptors = {{model.get(), translating::kModelFd},
                                                  {onnx->get(), translating::kOnnxFd},
                                                  {evidence->get(), translating::kEvidenceFd}};
  const std::vector<DataFile> data = DataFiles();
  for (size_t i = 0; i < data.size(); ++i) {
    words.insert(words.end(), {translating::kDataWord, data[i].name});
    descriptors.push_back({data[i].file.get(), translating::kDataFd + static_cast<int>(i)});
  }
  Talk talk(watcher);
  jobs::JobEnd end = RunConfined(std::move(words), std::move(descriptors), talk);
  if (end.ending != jobs::Ending::kSucceeded && end.ending != jobs::Ending::kFailed) return end;
  const bool ended_well = end.ending == jobs::Ending::kSucceeded;
  const auto outcome = talk.listener().Outcome(ended_well, HowItEnded(end));
  if (!outcome) Refuse(end, outcome.error().message());
  return end;
}

jobs::JobEnd TranslationJob::RunConfined(std::vector<std::string> words,
                                         std::vector<std::pair<int, int>> descriptors, Talk& talk) const {
  const jobs::Job job = JobOf(std::move(words));
  auto child = jobs::StartChild({.command = job.command,
                                 .environment = LibraryPath(),
                                 .descriptors = std::move(descriptors),
                                 .limits = {{RLIMIT_CORE, 0}, {RLIMIT_FSIZE, job.limits.disk_bytes}},
                                 .cpus = job.limits.cpus});
  if (!child) return NotStarted(child.error());
  // It gives up starting processes before it reads the model: when it has ended, nothing is left.
  const Fd handle(::fcntl(child->handle.get(), F_DUPFD_CLOEXEC, 0));
  const jobs::Sandbox sandbox{
      .kill = [&] { jobs::KillProcess(handle); }, .ended = [] { return true; }, .shows_files = false};
  jobs::JobEnd end = jobs::Supervise(*std::move(child), job, sandbox, talk);
  end.in_force = {"files, network, new processes: given up before the model is read",
                  "system calls: those that inspecting a model takes",
                  "memory: looked at every " + std::to_string(jobs::kWatchEveryMs) + " ms"};
  return end;
}

// ---- the converter of a runner ----

Status TranslationJob::NameImports(jobs::JobWatcher& watcher) const {
  bj::object imports;
  const std::string source = folder_ + "/in/source";
  std::error_code code;
  for (const auto& entry : fs::recursive_directory_iterator(source, code)) {
    const Fd file(::open(entry.path().c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!entry.is_regular_file(code) || !file.valid()) continue;
    Talk talk(watcher);
    const jobs::JobEnd end = RunConfined({options_.translator, translating::kOnlyWord, translating::kNames},
                                         {{file.get(), translating::kModelFd}}, talk);
    const auto found = talk.listener().Outcome(end.ending == jobs::Ending::kSucceeded, HowItEnded(end));
    const std::string name = entry.path().lexically_relative(source);
    if (!found) {
      imports[name] = "what cannot be told: " + Printable(found.error().message(), kWordsMax);
    } else if (const auto* text = found->if_contains("imports"); text != nullptr && text->is_string()) {
      if (!text->get_string().empty()) imports[name] = Printable(std::string(text->get_string()), kWordsMax);
    }
  }
  GC_TRY(const Fd file, NewFile(folder_ + "/in/" + kImports));
  if (::fchmod(file.get(), 0444) != 0)
    return Fail(Error::FromErrno(errno, "cannot open it to the converter"));
  return process::WriteAll(file.get(), AsBytes(bj::serialize(imports)), "cannot write what pickles import");
}

jobs::JobEnd TranslationJob::RunConverter(jobs::JobWatcher& watcher) {
  const auto runner = FindRunner(options_.runners, recipe_.translator.runner, recipe_.translator.lock);
  if (!runner) return NotStarted(runner.error());
  std::vector<std::string> command = {"python",
                                      "-m",
                                      "glasscase_convert",
                                      "--source",
                                      "/in/source",
                                      "--output",
                                      std::string("/out/") + kModel,
                                      "--evidence",
                                      std::string("/out/") + kEvidence};
  if (!recipe_.data.empty()) command.insert(command.end(), {"--data", "/in/data"});
  if (recipe_.code) command.insert(command.end(), {"--code", "/in/code"});
  if (recipe_.opset != 0) command.insert(command.end(), {"--opset", std::to_string(recipe_.opset)});
  if (!recipe_.exporter.empty()) command.insert(command.end(), {"--exporter", recipe_.exporter});
  if (recipe_.allow_pickle) {
    command.emplace_back("--allow-pickle");
  } else {
    if (const Status named = NameImports(watcher); !named) return NotStarted(named.error());
    command.insert(command.end(), {"--imports", std::string("/in/") + kImports});
  }
  jobs::Job job = JobOf(std::move(command));
  job.mounts = {{.from = options_.runners + "/" + runner->name, .to = kRunnerPlace}};
  job.environment = training::Recipe{}.Variables(std::string(kRunnerPlace) + "/bin:/usr/bin");
  return executor_.Run(job, watcher);
}

// ---- afterwards ----

// What a converter wrote is said to come from a sandbox, whatever it says itself.
Status TranslationJob::TakeEvidence() {
  struct stat facts {};
  const auto file = OpenPlain(folder_ + "/out/" + kEvidence, facts);
  if (!file || facts.st_size == 0)
    return Fail(Unusable("the translation left no evidence that it gives the same"));
  if (static_cast<uint64_t>(facts.st_size) > kEvidenceBytesMax)
    return Fail(Unusable("the evidence of the translation has more than " +
                         std::to_string(kEvidenceBytesMax) + " bytes"));
  std::string text(static_cast<size_t>(facts.st_size), '\0');
  const ssize_t got = ::pread(file->get(), text.data(), text.size(), 0);
  text.resize(got < 0 ? 0 : static_cast<size_t>(got));
  const auto wrong = [](const std::string& why) {
    return Fail(Unusable("the evidence of the translation cannot be read: " + why));
  };
  auto value = json::Parse(text, {.bytes_max = kEvidenceBytesMax, .depth_max = 16});
  if (!value) return wrong(value.error().message());
  const auto reader = ObjectReader::Open(*value, "evidence");
  if (!reader) return wrong(reader.error().message());
  const auto format = reader->String("format");
  if (!format || *format != kEvidenceFormat) return wrong("its format is another");
  if (!recipe_.translator.IsNative()) value->as_object()["evaluated_in"] = "sandbox";
  auto canonical = json::WriteCanonical(*value);
  if (!canonical) return wrong(canonical.error().message());
  evidence_ = *canonical + "\n";
  return Ok();
}

Status TranslationJob::TakeResult() {
  const Fd out(::open((folder_ + "/out").c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!out.valid()) return Fail(Error::FromErrno(errno, "cannot read the results"));
  GC_TRY(auto results, training::ReadResults(out.get()));
  if (results.model.size() != 1 || results.model[0].path != kModel)
    return Fail(Unusable("the translation is not one file /out/model.onnx"));
  GC_TRY(const auto value, json::Parse(evidence_, {.bytes_max = kEvidenceBytesMax, .depth_max = 16}));
  GC_TRY(const ObjectReader evidence, ObjectReader::Open(value, "evidence"));
  GC_TRY(const bool holds, evidence.Bool("holds"));
  if (!holds) return Fail(Unusable("the translation is refused: its evidence does not hold"));
  GC_TRY(const ObjectReader about, evidence.Object("result"));
  GC_TRY(const Digest compared, about.Sha256("sha256"));
  GC_TRY(const Digest written, DigestOf(results.model[0].file));
  if (compared != written) return Fail(Unusable("the evidence is about another file than the translation"));
  files_ = std::move(results.model);
  return Ok();
}

}  // namespace glasscase::working
