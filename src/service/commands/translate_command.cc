// translate: a model file of another library to ONNX, without a server. The file is read, and the result
// compared with it, in a process of its own that can do nothing else.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include <glasscase/process/fd.h>
#include <glasscase/translating/program.h>

#include "child_process.h"
#include "command.h"
#include "interrupt.h"
#include "json_members.h"
#include "progress.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr int kOwnFdMin = 10;  // ours lie above those

struct TranslateOptions {
  std::string file;
  std::string output;
  std::string evidence;
};

Result<Fd> Raised(int fd, const std::string& what) {
  const Fd low(fd);
  if (!low.valid()) return Fail(Error::FromErrno(errno, what));
  Fd high(::fcntl(low.get(), F_DUPFD_CLOEXEC, kOwnFdMin));
  if (!high.valid()) return Fail(Error::FromErrno(errno, what));
  return high;
}

// A file that has its name only when it is whole.
class Unfinished {
 public:
  explicit Unfinished(std::string target) : target_(std::move(target)), path_(target_ + ".unfinished") {}
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
                            FormatNumber(NumberOf(summary, "absolute_max")));
  context.console.Note("next: glasscase publish " + ShellQuote(options.output));
}

Result<Outcome> Translate(Context& context, const TranslateOptions& options) {
  GC_TRY(const std::string program, FindProgram(context.program_directory(), translating::kProgram));
  GC_TRY(const Fd model,
         Raised(::open(options.file.c_str(), O_RDONLY | O_CLOEXEC), "cannot read " + Visible(options.file)));
  const InterruptGuard guard;  // ^C ends the program, and this undoes what was begun
  Unfinished onnx(options.output);
  GC_TRY_VOID(onnx.Open());
  Unfinished evidence(options.evidence.empty() ? options.output + ".evidence" : options.evidence);
  GC_TRY_VOID(evidence.Open());
  StepBars bars(context.console);
  translating::Listener listener([&bars](const translating::Step& step) { bars.Show(step); });
  GC_TRY(const int exit_code, RunProgramWith(program, {},
                                             {{.fd = model.get(), .as = translating::kModelFd},
                                              {.fd = onnx.fd(), .as = translating::kOnnxFd},
                                              {.fd = evidence.fd(), .as = translating::kEvidenceFd}},
                                             [&listener](std::string_view line) {
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

}  // namespace

void AddTranslateCommand(CommandTree& tree) {
  tree.Add<TranslateOptions>(
      tree.root(), "translate",
      "Turn a model of XGBoost, LightGBM or scikit-learn into ONNX, without a server",
      "glasscase translate model.json --output model.onnx\n"
      "glasscase translate lightgbm.txt --output model.onnx --evidence evidence.json",
      [](CLI::App& command, TranslateOptions& options) {
        command.add_option("file", options.file, "What save_model or glasscase_dump wrote")
            ->required()
            ->type_name("FILE");
        command.add_option("--output", options.output, "Where the ONNX file goes")
            ->required()
            ->type_name("FILE");
        command
            .add_option("--evidence", options.evidence,
                        "Where to write on which inputs both were compared, and how far they differ")
            ->type_name("FILE");
      },
      Translate);
}

}  // namespace glasscase::commands
