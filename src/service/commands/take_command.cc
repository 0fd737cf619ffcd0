// take: the bytes of a version, for those who may have them, checked while they are written.
#include <algorithm>
#include <fstream>
#include <set>
#include <vector>

#include <glasscase/crypto/sha256.h>

#include "command.h"
#include "interrupt.h"
#include "json_members.h"
#include "model_name.h"
#include "patience.h"
#include "progress.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct TakeOptions {
  std::string asset;
  std::string output;
};

// The server names the files, so their paths are foreign: none may lead out of the folder.
Result<fs::path> SafePath(const std::string& path) {
  const fs::path relative(path);
  const bool leads_out = std::any_of(relative.begin(), relative.end(), [](const fs::path& part) {
    return part == ".." || part == "." || part.empty();
  });
  if (path.empty() || relative.is_absolute() || leads_out)
    return Fail(Error::DataLoss("the server names a file that leads out of the folder: " + Printable(path)));
  return relative;
}

// One file, below a name of its own until its digest is right. What an earlier run left there is gone on
// with.
class Download {
 public:
  Download(Api& api, const Console& console, std::string url, fs::path target, const json::value& file)
      : api_(api),
        console_(console),
        url_(std::move(url)),
        target_(std::move(target)),
        unfinished_(target_.string() + ".unfinished"),
        bytes_(static_cast<uint64_t>(std::max<int64_t>(IntegerOf(file, "bytes"), 0))),
        sha256_(TextOf(file, "sha256")) {}

  // `report` hears how many bytes of the file are there; `skip` how many were before.
  Status Run(const std::function<void(uint64_t)>& skip, const std::function<void(uint64_t)>& report) {
    std::error_code error;
    if (target_.has_parent_path()) fs::create_directories(target_.parent_path(), error);
    GC_TRY_VOID(TakeUp());
    skip(done_);
    GC_TRY_VOID(FetchPatiently(report));
    stream_.close();
    if (!stream_) return Fail(CannotWrite("the disk may be full"));
    if (ToHex(hash_.Finish()) != sha256_) {
      fs::remove(unfinished_, error);
      return Fail(
          Error::DataLoss("what the server sent for " + target_.string() + " is not the registered file"));
    }
    fs::rename(unfinished_, target_, error);
    return error ? Status(Fail(CannotWrite(error.message()))) : Ok();
  }

 private:
  Error CannotWrite(const std::string& why) const {
    return Error::FailedPrecondition("could not write " + target_.string() + ": " + why);
  }

  // Digests what is there already.
  Status TakeUp() {
    std::ifstream before(unfinished_, std::ios::binary);
    std::vector<char> buffer(size_t{1} << 20);
    while (before && done_ < bytes_) {
      const uint64_t wanted = std::min<uint64_t>(buffer.size(), bytes_ - done_);
      before.read(buffer.data(), static_cast<std::streamsize>(wanted));
      hash_.Update(AsBytes({buffer.data(), static_cast<size_t>(before.gcount())}));
      done_ += static_cast<uint64_t>(before.gcount());
      if (Interrupted()) return Fail(Error(Code::kCancelled, "interrupted"));
    }
    return OpenAt();
  }

  // For writing behind the bytes that are there.
  Status OpenAt() {
    std::error_code error;
    stream_.close();
    stream_.clear();
    if (fs::exists(unfinished_, error)) fs::resize_file(unfinished_, done_, error);
    stream_.open(unfinished_, std::ios::binary | (done_ == 0 ? std::ios::trunc : std::ios::app));
    return stream_ && !error ? Ok() : Status(Fail(CannotWrite(error.message())));
  }

  Status FetchPatiently(const std::function<void(uint64_t)>& report) {
    Patience patience(console_);
    while (done_ < bytes_) {
      const uint64_t before = done_;
      const Status fetched = Fetch(report);
      if (done_ > before) patience.Progressed();
      if (fetched && done_ == bytes_) return Ok();
      const Error error = fetched ? Error::Unavailable("the answer ended early") : fetched.error();
      if (!Patience::MayPass(error)) return Fail(error);
      GC_TRY_VOID(patience.WaitAfter(error));
    }
    return Ok();
  }

  // From where it stands; If-Range makes a server that has other bytes by now send all of them.
  Status Fetch(const std::function<void(uint64_t)>& report) {
    HttpRequest request = api_.NewRequest("GET", url_);
    request.timeout_seconds = 0;
    request.stall_seconds = 60;
    if (done_ > 0)
      request.fields = {"Range: bytes=" + std::to_string(done_) + "-", "If-Range: \"" + sha256_ + "\""};
    bool wrote = true;
    request.take_body = [&](std::string_view piece) {
      wrote = piece.size() <= bytes_ - done_ &&
              stream_.write(piece.data(), static_cast<std::streamsize>(piece.size()));
      if (!wrote) return false;
      hash_.Update(AsBytes(piece));
      done_ += piece.size();
      report(done_);
      return true;
    };
    const uint64_t begin = done_;
    const auto answer = api_.Exchange(request);
    if (!wrote)
      return Fail(stream_ ? Error::DataLoss("the server sent more than the file has")
                          : CannotWrite("the disk may be full"));
    if (!answer) return Fail(answer.error());
    if (answer->status == 503) return Fail(Error::Unavailable("the server is restarting"));
    if (answer->status != (begin == 0 ? 200 : 206)) return Fail(ExplainRefusal(*answer, api_.url()));
    return Ok();
  }

  Api& api_;
  const Console& console_;
  const std::string url_;
  const fs::path target_, unfinished_;
  const uint64_t bytes_;
  const std::string sha256_;
  std::ofstream stream_;
  Sha256Stream hash_;
  uint64_t done_ = 0;
};

Result<std::vector<fs::path>> Targets(const json::value& answer, const std::string& output) {
  const json::array& files = ArrayOf(answer, "files");
  std::vector<fs::path> targets;
  for (const json::value& file : files) {
    GC_TRY(const fs::path relative, SafePath(TextOf(file, "path")));
    const bool alone = files.size() == 1 && !output.empty() && !fs::is_directory(output);
    targets.push_back(alone ? fs::path(output) : fs::path(output.empty() ? "." : output) / relative);
    if (fs::exists(targets.back()))
      return Fail(Error::AlreadyExists("there is already something at " + targets.back().string() +
                                       "; say --output for another place"));
  }
  return targets;
}

Result<Outcome> Take(Context& context, const TakeOptions& options) {
  GC_TRY(const ModelName name, ModelName::Parse(options.asset));
  GC_TRY(Api * api, context.Control());
  const std::string asset = name.version.empty() ? name.model : name.model + "@" + name.version;
  const std::string url = "/glasscase/v1/models/" + PercentEncode(asset) + "/files";
  GC_TRY(json::value answer, api->Get(url));
  GC_TRY(const std::vector<fs::path> targets, Targets(answer, options.output));
  const json::array& files = ArrayOf(answer, "files");
  uint64_t total = 0;
  for (const json::value& file : files) total += static_cast<uint64_t>(IntegerOf(file, "bytes"));
  const InterruptGuard guard;
  {
    Progress progress(context.console, "taking", total);
    uint64_t done = 0;
    for (size_t i = 0; i < files.size(); ++i) {
      Download download(*api, context.console, url + "/" + std::to_string(i), targets[i], files[i]);
      GC_TRY_VOID(download.Run([&](uint64_t there) { progress.Skip(there); },
                               [&](uint64_t there) { progress.Show(done + there); }));
      done += static_cast<uint64_t>(IntegerOf(files[i], "bytes"));
    }
  }
  if (context.console.json) {
    context.console.PrintJson(answer);
    return Done();
  }
  context.console.PrintLine("took " + ShownOf(answer, "name") + "@" + ShownOf(answer, "version") + ": " +
                            Count(files.size(), "file") + ", " + FormatBytes(total) + ", as registered");
  return Done();
}

}  // namespace

void AddTakeCommand(CommandTree& tree) {
  tree.Add<TakeOptions>(
      tree.root(), "take",
      "Download a dataset or model that you own or may take; checked while it is written",
      "glasscase take digits-data\nglasscase take ada/faces@2 --output faces/",
      [](CLI::App& command, TakeOptions& options) {
        command.add_option("asset", options.asset, "Name, owner/name or UUID")
            ->required()
            ->type_name("ASSET[@V]");
        command
            .add_option("--output,-o", options.output,
                        "Folder, or the file's name when there is one (default: here)")
            ->type_name("FILE|DIR");
      },
      Take);
}

}  // namespace glasscase::commands
