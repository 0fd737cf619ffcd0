// translate: a model of another library to ONNX. A file is read, and the result compared with it, in a
// process of its own that can do nothing else, without a server; a registered version in a recorded run.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include <glasscase/process/fd.h>
#include <glasscase/translating/program.h>

#include "child_process.h"
#include "command.h"
#include "evidence_text.h"
#include "interrupt.h"
#include "json_members.h"
#include "progress.h"
#include "run_following.h"
#include "text.h"
#include "text_file.h"

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

// Ours lie above those that the program has.
constexpr int kOwnFdMin = translating::kDataFd + static_cast<int>(translating::kDataFilesMax);

struct TranslateOptions {
  std::string source;
  std::string output;
  std::string evidence;
  std::string name;
  std::string version;
  std::string runner;
  std::string code;
  std::string opset;
  std::string exporter;
  std::string time;
  std::vector<std::string> data;
  bool allow_pickle = false;
  int64_t priority = 0;
  bool detached = false;
};

Result<Fd> Raised(int fd, const std::string& what) {
  const Fd low(fd);
  if (!low.valid()) return Fail(Error::FromErrno(errno, what));
  Fd high(::fcntl(low.get(), F_DUPFD_CLOEXEC, kOwnFdMin));
  if (!high.valid()) return Fail(Error::FromErrno(errno, what));
  return high;
}

std::string UnfinishedPath(const std::string& target) { return target + ".unfinished"; }

// A file that has its name only when it is whole.
class Unfinished {
 public:
  explicit Unfinished(std::string target) : target_(std::move(target)), path_(UnfinishedPath(target_)) {}
  ~Unfinished() {
    if (fd_.valid()) ::unlink(path_.c_str());
  }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;

  Status Open() {
    const std::string what = "cannot write " + Visible(path_);
    GC_TRY(fd_,
           Raised(::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644), what));
    return Ok();
  }
  Status Finish() {
    const std::string what = "cannot write " + Visible(target_);
    if (::fsync(fd_.get()) != 0 || ::rename(path_.c_str(), target_.c_str()) != 0)
      return Fail(Error::FromErrno(errno, what));
    fd_ = Fd();
    return Ok();
  }
  int fd() const { return fd_.get(); }

 private:
  const std::string target_;
  const std::string path_;
  Fd fd_;
};

// The files from whose range inputs are drawn, as the program is told of them.
struct DataFiles {
  std::vector<Fd> files;
  std::vector<HandedOver> descriptors;
  std::vector<std::string> words;
};

Result<DataFiles> OpenData(const std::vector<std::string>& paths) {
  DataFiles data;
  if (paths.size() > translating::kDataFilesMax)
    return Fail(
        Error::InvalidArgument("--data: at most " + std::to_string(translating::kDataFilesMax) + " files"));
  for (const std::string& path : paths) {
    GC_TRY(Fd file, Raised(::open(path.c_str(), O_RDONLY | O_CLOEXEC), "cannot read " + Visible(path)));
    data.descriptors.push_back(
        {.fd = file.get(), .as = translating::kDataFd + static_cast<int>(data.files.size())});
    data.words.insert(data.words.end(), {translating::kDataWord, fs::path(path).filename()});
    data.files.push_back(std::move(file));
  }
  return data;
}

// A bar for each step that can be counted.
class StepBars {
 public:
  explicit StepBars(const Console& console) : console_(console) {}

  void Show(const translating::Step& step) {
    if (step.name != step_) {
      bar_ = std::make_unique<Progress>(console_, Visible(step.name), step.total);
      step_ = step.name;
    }
    if (step.name == "comparing") {
      bar_->ShowCount(step.done);
    } else {
      bar_->ShowElapsed();
    }
  }
  void End() { bar_.reset(); }

 private:
  const Console& console_;
  std::unique_ptr<Progress> bar_;
  std::string step_;
};

// From where the random inputs were drawn; a guess is said, for it may be far from what the model is used on.
void PrintRanges(const Context& context, const json::value& ranges) {
  context.console.PrintLine("inputs drawn from " + RangesText(ranges));
  if (IntegerOf(ranges, "guessed") > 0)
    context.console.Note(
        "name data that the model was trained on (--data FILE.csv) to compare where it is used");
}

void PrintSummary(const Context& context, const TranslateOptions& options, const json::value& summary) {
  const auto number = [&](const char* member) { return std::to_string(IntegerOf(summary, member)); };
  std::string what = ShownOf(summary, "source");
  if (IntegerOf(summary, "trees") > 0)
    what += ", " + Count(static_cast<uint64_t>(IntegerOf(summary, "trees")), "tree") + ", " +
            Count(static_cast<uint64_t>(IntegerOf(summary, "nodes")), "node");
  context.console.PrintLine("translated " + what + " to " + Visible(options.output) + " (opset " +
                            number("opset") + ")");
  context.console.PrintLine("compared on " + number("inputs") + " inputs with " +
                            ShownOf(summary, "runtime") + "; " + number("thresholds_tried") + " of " +
                            number("thresholds") + " thresholds tried; largest difference " +
                            FormatRounded(NumberOf(summary, "absolute_max")));
  PrintRanges(context, ValueOf(summary, "ranges"));
  for (const std::string& note : ShownTextsOf(summary, "notes")) context.console.Note("note: " + note);
  for (const json::value& unread : ArrayOf(summary, "data_unread"))
    if (unread.is_string())
      context.console.Note("not used: " + Visible(std::string_view(unread.get_string())));
  context.console.Note("next: glasscase publish " + ShellQuote(options.output));
}

// Without a place of its own it is written all the same, and dropped.
std::string EvidencePath(const TranslateOptions& options) {
  return options.evidence.empty() ? options.output + ".evidence" : options.evidence;
}

Result<Outcome> TranslateFile(Context& context, const TranslateOptions& options) {
  GC_TRY(const std::string program, FindProgram(context.program_directory(), translating::kProgram));
  GC_TRY(const Fd model, Raised(::open(options.source.c_str(), O_RDONLY | O_CLOEXEC),
                                "cannot read " + Visible(options.source)));
  GC_TRY(const DataFiles data, OpenData(options.data));
  const InterruptGuard guard;  // ^C ends the program, and this undoes what was begun
  Unfinished onnx(options.output);
  GC_TRY_VOID(onnx.Open());
  Unfinished evidence(EvidencePath(options));
  GC_TRY_VOID(evidence.Open());
  StepBars bars(context.console);
  translating::Listener listener([&bars](const translating::Step& step) { bars.Show(step); });
  std::vector<HandedOver> descriptors = {{.fd = model.get(), .as = translating::kModelFd},
                                         {.fd = onnx.fd(), .as = translating::kOnnxFd},
                                         {.fd = evidence.fd(), .as = translating::kEvidenceFd}};
  descriptors.insert(descriptors.end(), data.descriptors.begin(), data.descriptors.end());
  GC_TRY(const int exit_code,
         RunProgramWith(program, data.words, descriptors, [&listener](std::string_view line) {
           listener.Hear(line);
           listener.Hear("\n");
         }));
  bars.End();
  if (Interrupted()) return Fail(Error(Code::kCancelled, "interrupted"));
  // Kept also where it speaks against the translation: it holds the input that was worst.
  struct stat written {};
  if (!options.evidence.empty() && ::fstat(evidence.fd(), &written) == 0 && written.st_size > 0)
    GC_TRY_VOID(evidence.Finish());
  const auto outcome = listener.Outcome(exit_code == 0, "exit code " + std::to_string(exit_code));
  if (!outcome) return Fail(Error(outcome.error().code(), Visible(outcome.error().message())));
  const json::value summary = *outcome;
  GC_TRY_VOID(onnx.Finish());
  if (context.console.json) {
    context.console.PrintJson(summary);
  } else {
    PrintSummary(context, options, summary);
  }
  return Done();
}

// ---- a registered version, in a run ----

bool IsFile(const std::string& path) {
  std::error_code code;
  return fs::is_regular_file(path, code);
}

Error WithFileHint(const Error& error, const std::string& source) {
  if (error.code() != Code::kNotFound || !IsFile(source)) return error;
  return Error(error.code(), error.message() + ". To translate the file " + Visible(source) +
                                 " say where the ONNX file goes: --output FILE");
}

Result<Outcome> TranslateVersion(Context& context, const TranslateOptions& options) {
  GC_TRY(Api * api, context.Control());
  auto queued = api->Post("/glasscase/v1/translations", json::object{{"source", options.source},
                                                                     {"model", options.name},
                                                                     {"version", options.version},
                                                                     {"runner", options.runner},
                                                                     {"code", options.code},
                                                                     {"opset", options.opset},
                                                                     {"exporter", options.exporter},
                                                                     {"time", options.time},
                                                                     {"allow_pickle", options.allow_pickle},
                                                                     {"priority", options.priority}});
  if (!queued) return Fail(WithFileHint(queued.error(), options.source));
  json::value run = *std::move(queued);
  const std::string id = TextOf(run, "id");
  if (options.detached) return LeaveQueued(context, run, "glasscase runs show");
  context.console.Note("run " + Printable(id) + " of " + ShownOf(run, "model"));
  GC_TRY(run, FollowRun(context, *api, id, Follow::kProgress));
  const std::string evidence = TextOf(run, "evidence");
  if (!options.evidence.empty() && !evidence.empty()) GC_TRY_VOID(WriteText(options.evidence, evidence));
  if (context.console.json) {
    context.console.PrintJson(run);
    return EndOf(run);
  }
  PrintRun(context, run);
  if (TextOf(run, "state") == "succeeded")
    context.console.Note("next: glasscase call " + ShellQuote(TextOf(run, "model")) + " --input INPUT.json");
  return EndOf(run);
}

// By whatever names; files that are not there yet are compared by their paths.
bool IsSameFile(const std::string& one, const std::string& other) {
  std::error_code code;
  if (fs::equivalent(one, other, code)) return true;
  const fs::path path = fs::weakly_canonical(fs::absolute(one, code), code);
  return !path.empty() && path == fs::weakly_canonical(fs::absolute(other, code), code);
}

// The model may be the only copy that there is.
Status RefuseOverwriting(const TranslateOptions& options) {
  std::vector<std::string> read = options.data;
  read.push_back(options.source);
  const std::string evidence = EvidencePath(options);
  const std::string_view word = options.evidence.empty() ? "--output" : "--evidence";
  const std::vector<std::pair<std::string_view, std::string>> written = {
      {"--output", options.output},
      {"--output", UnfinishedPath(options.output)},
      {word, evidence},
      {word, UnfinishedPath(evidence)}};
  for (const auto& [option, path] : written)
    for (const std::string& file : read)
      if (IsSameFile(path, file))
        return Fail(Error::InvalidArgument(std::string(option) + " would overwrite " + Visible(file) +
                                           ", which is read: name another file"));
  if (!IsSameFile(options.output, evidence)) return Ok();
  return Fail(
      Error::InvalidArgument("--output and --evidence are the same file: give each a name of its own"));
}

// The words that only one of the two forms takes.
Status CheckForm(const TranslateOptions& options) {
  const bool of_run = !options.name.empty() || !options.version.empty() || !options.runner.empty() ||
                      !options.code.empty() || !options.opset.empty() || !options.exporter.empty() ||
                      !options.time.empty() || options.allow_pickle || options.priority != 0 ||
                      options.detached;
  if (options.output.empty() && !options.data.empty())
    return Fail(Error::InvalidArgument(
        "--data goes with --output: of a registered model, its lineage says what it was trained on"));
  if (options.output.empty()) {
    if (options.source.find('/') == std::string::npos || !IsFile(options.source)) return Ok();
    return Fail(
        Error::InvalidArgument(Visible(options.source) +
                               " is a file: say where the ONNX file goes (--output FILE); or publish it "
                               "with --kept and translate it by its name"));
  }
  if (of_run)
    return Fail(Error::InvalidArgument(
        "--output translates a file here; --name, --version, --runner, --code, --opset, --exporter, "
        "--time, --allow-pickle, --priority and --detach are for a registered model: leave out the one or "
        "the "
        "others"));
  if (IsFile(options.source)) return RefuseOverwriting(options);
  std::error_code ignored;
  if (fs::exists(options.source, ignored))
    return Fail(Error::FailedPrecondition(Visible(options.source) + " is not a plain file"));
  return Fail(Error::NotFound("there is no file " + Visible(options.source) +
                              "; to translate a registered model, leave out --output"));
}

Result<Outcome> Translate(Context& context, const TranslateOptions& options) {
  GC_TRY_VOID(CheckForm(options));
  return options.output.empty() ? TranslateVersion(context, options) : TranslateFile(context, options);
}

}  // namespace

void AddTranslateCommand(CommandTree& tree) {
  tree.Add<TranslateOptions>(
      tree.root(), "translate",
      "Turn a model into ONNX: a registered one in a run, or with --output a file without a server",
      "glasscase translate rain-trees\n"
      "glasscase translate ada/net@2 --runner pytorch --code net-code --name net\n"
      "glasscase translate model.json --output model.onnx --evidence evidence.json",
      [](CLI::App& command, TranslateOptions& options) {
        command
            .add_option("source", options.source,
                        "What is translated: a registered version; with --output, a file that save_model or "
                        "glasscase_dump wrote")
            ->required()
            ->type_name("NAME[@V]|FILE");
        command.add_option("--output", options.output, "Translate a file here; where the ONNX file goes")
            ->type_name("FILE");
        command
            .add_option("--evidence", options.evidence,
                        "Where to write on which inputs both were compared, and how far they differ")
            ->type_name("FILE");
        command.add_option("--name", options.name, "Whose version the result becomes (default: NAME-onnx)")
            ->type_name("NAME");
        command.add_option("--version", options.version, "Its label (default: the next number)")
            ->type_name("V");
        command
            .add_option("--runner", options.runner,
                        "The worker's runner whose converter does it (default: natively)")
            ->type_name("RUNNER");
        command
            .add_option("--code", options.code,
                        "With --runner: registered code that a saved state belongs to")
            ->type_name("NAME[@V]");
        command.add_option("--opset", options.opset, "With --runner: of the result")->type_name("N");
        command
            .add_option("--exporter", options.exporter,
                        "With a runner of PyTorch: torchscript (the default) or dynamo")
            ->type_name("EXPORTER");
        command.add_flag(
            "--allow-pickle", options.allow_pickle,
            "With --runner: let its sandbox open a pickle, whose code runs there (your own models only)");
        command
            .add_option("--data", options.data,
                        "With --output: CSV, NPY or NPZ that the model was trained on; inputs are drawn from "
                        "its range")
            ->type_name("FILE");
        command
            .add_option(
                "--time", options.time,
                "How long the run may take, such as 90min (default: 1h; at most what the worker gives)")
            ->type_name("DURATION")
            ->check(DurationForm());
        command
            .add_option("--priority", options.priority,
                        "-100 to 100; larger: before others (above 0: for operators)")
            ->type_name("N");
        command.add_flag("--detach,-d", options.detached, "Do not wait for its end");
      },
      Translate);
}

}  // namespace glasscase::commands
