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

// One file, below a name of its own until its digest is right.
class Download {
 public:
  Download(Api& api, std::string url, fs::path target)
      : api_(api), url_(std::move(url)), target_(std::move(target)) {}

  Status Run(const json::value& file, const std::function<void(uint64_t)>& report) {
    const auto bytes = static_cast<uint64_t>(std::max<int64_t>(IntegerOf(file, "bytes"), 0));
    const fs::path unfinished = target_.string() + ".unfinished";
    std::error_code error;
    if (target_.has_parent_path()) fs::create_directories(target_.parent_path(), error);
    const Status fetched = Fetch(unfinished, bytes, TextOf(file, "sha256"), report);
    if (fetched) fs::rename(unfinished, target_, error);
    if (fetched && !error) return Ok();
    const std::string why = error.message();
    fs::remove(unfinished, error);
    return fetched ? Fail(Error::FailedPrecondition("could not write " + target_.string() + ": " + why))
                   : fetched;
  }

 private:
  Status Fetch(const fs::path& unfinished, uint64_t bytes, const std::string& sha256,
               const std::function<void(uint64_t)>& report) {
    std::ofstream stream(unfinished, std::ios::binary | std::ios::trunc);
    Sha256Stream hash;
    uint64_t done = 0;
    while (done < bytes) {
      if (Interrupted()) return Fail(Error(Code::kCancelled, "interrupted"));
      GC_TRY(const std::string piece, api_.GetBytes(url_ + "?offset=" + std::to_string(done)));
      if (piece.empty() || piece.size() > bytes - done) break;
      stream << piece;
      hash.Update(AsBytes(piece));
      done += piece.size();
      report(piece.size());
    }
    stream.close();
    if (!stream) return Fail(Error::FailedPrecondition("could not write " + unfinished.string()));
    if (done == bytes && ToHex(hash.Finish()) == sha256) return Ok();
    return Fail(
        Error::DataLoss("what the server sent for " + target_.string() + " is not the registered file"));
  }

  Api& api_;
  std::string url_;
  fs::path target_;
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
      Download download(*api, url + "/" + std::to_string(i), targets[i]);
      GC_TRY_VOID(download.Run(files[i], [&](uint64_t more) { progress.Show(done += more); }));
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
