// publish: announces the files, sends their bytes, then asks for the version to be made.
#include <fstream>
#include <sstream>

#include "command.h"
#include "interrupt.h"
#include "json_members.h"
#include "model_folder.h"
#include "progress.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct PublishOptions {
  std::string path;
  std::string name;
  std::string version;
  std::string card;
};

uint64_t TotalBytes(const std::vector<ModelFile>& files) {
  uint64_t total = 0;
  for (const auto& file : files) total += file.bytes;
  return total;
}

Result<std::string> ReadCard(const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream stream(path);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream || fs::is_directory(path)) return Fail(Error::NotFound("could not read the card " + path));
  return text.str();
}

Result<std::vector<ModelFile>> PrepareFiles(const Context& context, const std::string& path) {
  GC_TRY(std::vector<ModelFile> files, FindModelFiles(path));
  Progress progress(context.console, "reading", TotalBytes(files));
  GC_TRY_VOID(HashFiles(files, [&](uint64_t done) {
    progress.Show(done);
    return !Interrupted();
  }));
  return files;
}

// An upload that the server keeps until it is published, or abandoned by the destructor.
class Upload {
 public:
  static Result<Upload> Begin(Api& api, const std::vector<ModelFile>& files) {
    json::array announced;
    for (const auto& file : files) {
      announced.push_back({{"path", file.name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
    }
    GC_TRY(const json::value answer, api.Post("/glasscase/v1/uploads", {{"files", std::move(announced)}}));
    return Upload(api, TextOf(answer, "id"));
  }
  Upload(Upload&& other) noexcept : api_(other.api_), id_(std::exchange(other.id_, {})) {}
  Upload(const Upload&) = delete;
  Upload& operator=(const Upload&) = delete;
  Upload& operator=(Upload&&) = delete;
  ~Upload() {
    if (id_.empty()) return;
    ForgetInterrupt();  // or the request that tidies up would be interrupted too
    static_cast<void>(api_.Delete("/glasscase/v1/uploads/" + PercentEncode(id_)));
  }

  Status Send(const std::vector<ModelFile>& files, Progress& progress) {
    uint64_t done = 0;
    for (size_t i = 0; i < files.size(); ++i) {
      std::ifstream stream(files[i].path, std::ios::binary);
      const auto read = [&](char* buffer, size_t size) {
        stream.read(buffer, static_cast<std::streamsize>(size));
        done += static_cast<uint64_t>(stream.gcount());
        progress.Show(done);
        return static_cast<size_t>(stream.gcount());
      };
      const std::string path = "/glasscase/v1/uploads/" + PercentEncode(id_) + "/files/" + std::to_string(i);
      const Status sent = api_.PutBytes(path, static_cast<int64_t>(files[i].bytes), read);
      if (!sent) return Fail(sent.error().WithContext(files[i].name));
    }
    return Ok();
  }

  Result<json::value> Publish(const PublishOptions& options, const std::string& card, Progress& progress) {
    auto answer = api_.PostPatiently(
        "/glasscase/v1/models",
        {{"upload", id_}, {"name", options.name}, {"version", options.version}, {"card", card}},
        [&] { progress.ShowElapsed(); });
    if (answer) id_.clear();
    return answer;
  }

 private:
  Upload(Api& api, std::string id) : api_(api), id_(std::move(id)) {}

  Api& api_;
  std::string id_;
};

std::string CurlCall(const Profile& connection, const json::value& answer) {
  const std::string tls = connection.pin.empty() || !connection.url.starts_with("https://")
                              ? std::string()
                              : " -k --pinnedpubkey " + ShellQuote(connection.pin);
  return "curl" + tls + " " + ShellQuote(connection.url + TextOf(answer, "infer_path")) +
         " -H \"Authorization: Bearer $GLASSCASE_TOKEN\" -d " + ShellQuote(TextOf(answer, "sample_input"));
}

void PrintPublished(Context& context, const Profile& connection, const json::value& answer) {
  const json::value& model = ValueOf(answer, "model");
  const auto& versions = ArrayOf(model, "versions");
  const json::value version = versions.empty() ? json::value() : versions.front();
  const std::string name = ShownOf(model, "name") + "@" + ShownOf(version, "version");
  const bool before = FlagOf(answer, "already_published");
  context.console.PrintLine(before ? "already published: " + name + " has these bytes; nothing changed"
                                   : "published " + name);
  context.console.Print(
      FormatTable({{"sha256", ShownOf(version, "sha256")}, {"id", ShownOf(version, "id")}}));
  const std::string note = ShownOf(version, "batching_note");
  if (!FlagOf(version, "batched") && !note.empty()) context.console.Note("each call runs by itself: " + note);
  context.console.PrintLine("\nlet somebody call it:\n  glasscase grant NAME predict " +
                            ShownOf(model, "name"));
  context.console.PrintLine("\na call that can be pasted (GLASSCASE_TOKEN: the caller's token):\n  " +
                            Visible(CurlCall(connection, answer)));
}

Result<Outcome> Publish(Context& context, const PublishOptions& options) {
  GC_TRY(const Profile* connection, context.Connection());
  GC_TRY(Api * api, context.Control());
  GC_TRY(const std::string card, ReadCard(options.card));
  const InterruptGuard guard;
  GC_TRY(const std::vector<ModelFile> files, PrepareFiles(context, options.path));
  GC_TRY(Upload upload, Upload::Begin(*api, files));
  {
    Progress progress(context.console, "sending", TotalBytes(files));
    GC_TRY_VOID(upload.Send(files, progress));
  }
  json::value answer;
  {
    Progress progress(context.console, "the server checks and runs the model", 0);
    GC_TRY(answer, upload.Publish(options, card, progress));
  }
  if (context.console.json) {
    context.console.PrintJson(answer);
  } else {
    PrintPublished(context, *connection, answer);
  }
  return Done();
}

}  // namespace

void AddPublishCommand(CommandTree& tree) {
  tree.Add<PublishOptions>(
      tree.root(), "publish", "Publish a model: an .onnx file, or a folder with one and its external data",
      "glasscase publish digits.onnx --name digits\nglasscase publish exported/ --name digits --version "
      "2024-spring --card README.md",
      [](CLI::App& command, PublishOptions& options) {
        command.add_option("path", options.path, "The file or folder")->required()->type_name("FILE|DIR");
        command.add_option("--name", options.name, "Name of the model")->required()->type_name("NAME");
        command
            .add_option("--version", options.version, "Label of the version (default: the next whole number)")
            ->type_name("V");
        command.add_option("--card", options.card, "What callers should know, Markdown")->type_name("FILE");
      },
      Publish);
}

}  // namespace glasscase::commands
