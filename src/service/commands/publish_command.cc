// publish: sends the files, each as an upload, then asks for the version to be made of them.
#include <fstream>
#include <sstream>

#include "card_file.h"
#include "command.h"
#include "free_fields.h"
#include "interrupt.h"
#include "json_members.h"
#include "ledger_text.h"
#include "model_folder.h"
#include "progress.h"
#include "text.h"
#include "uploading.h"

namespace glasscase::commands {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct PublishOptions {
  std::string path;
  std::string name;
  std::string version;
  std::string card;
  bool dataset = false;
  bool kept = false;
  std::string media_type;
  std::string licence;
  std::vector<std::string> tags;
  std::string signature, signer;
  std::vector<std::string> fields;
  std::vector<std::string> trained_on, tested_on, derived_from, translated_from, release_of;

  bool IsKept() const { return dataset || kept; }
};

json::array Claims(const PublishOptions& options) {
  json::array claims;
  const auto add = [&](const char* relation, const std::vector<std::string>& parents) {
    for (const std::string& parent : parents) claims.push_back({{"relation", relation}, {"parent", parent}});
  };
  add("trained_on", options.trained_on);
  add("tested_on", options.tested_on);
  add("derived_from", options.derived_from);
  add("translated_from", options.translated_from);
  add("released_as", options.release_of);
  return claims;
}

// By the ending of a file's name; empty for others and for folders.
std::string MediaTypeOf(const fs::path& path) {
  static constexpr std::pair<std::string_view, const char*> kKnown[] = {
      {".csv", "text/csv"},
      {".json", "application/json"},
      {".parquet", "application/vnd.apache.parquet"},
      {".npy", "application/x-npy"},
      {".npz", "application/x-npz"},
      {".zip", "application/zip"},
      {".txt", "text/plain"},
      {".h5", "application/x-hdf5"},
      {".keras", "application/zip"},
      {".pt", "application/x-pytorch"}};
  for (const auto& [ending, type] : kKnown)
    if (path.extension() == ending) return type;
  return {};
}

uint64_t TotalBytes(const std::vector<ModelFile>& files) {
  uint64_t total = 0;
  for (const auto& file : files) total += file.bytes;
  return total;
}

// Empty for no path.
Result<std::string> ReadText(const std::string& what, const std::string& path) {
  if (path.empty()) return std::string();
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  if (!stream || fs::is_directory(path)) return Fail(Error::NotFound("could not read " + what + " " + path));
  return text.str();
}

// What comes from other files than the asset's.
Result<json::object> ReadTexts(const PublishOptions& options) {
  if (options.signature.empty() != options.signer.empty())
    return Fail(Error::InvalidArgument(
        "--signature and --signer go together: the signature, and whose it should be"));
  json::object texts = {{"name", options.name}, {"version", options.version}};
  GC_TRY(texts["card"], ReadCardFile(options.card));
  if (!options.fields.empty()) {
    GC_TRY(texts["fields"], FieldsFrom(options.fields));
  }
  if (options.signature.empty()) return texts;
  GC_TRY(texts["signature"], ReadText("the signature", options.signature));
  GC_TRY(texts["signer"], ReadText("the signer's key", options.signer));
  return texts;
}

Result<std::vector<ModelFile>> PrepareFiles(const Context& context, const PublishOptions& options) {
  GC_TRY(std::vector<ModelFile> files,
         options.IsKept() ? FindFiles(options.path) : FindModelFiles(options.path));
  Progress progress(context.console, "reading", TotalBytes(files));
  GC_TRY_VOID(HashFiles(files, [&](uint64_t done) {
    progress.Show(done);
    return !Interrupted();
  }));
  return files;
}

void AddDetails(const PublishOptions& options, json::object& asked) {
  if (options.dataset) asked["kind"] = "dataset";
  if (options.IsKept()) {
    asked["kept"] = true;
    asked["media_type"] = options.media_type.empty() ? MediaTypeOf(options.path) : options.media_type;
  }
  if (!options.licence.empty()) asked["licence"] = options.licence;
  if (!options.tags.empty()) asked["tags"] = json::array(options.tags.begin(), options.tags.end());
  if (json::array claims = Claims(options); !claims.empty()) asked["lineage"] = std::move(claims);
}

Error Continued(const Error& error) {
  const bool passes = error.code() == Code::kCancelled || error.code() == Code::kUnavailable;
  return passes ? Error(error.code(), error.message() + "; the same command goes on where it stopped")
                : error;
}

Status SendFiles(const Context& context, Uploading& uploading, const std::vector<ModelFile>& files) {
  Progress progress(context.console, "sending", TotalBytes(files));
  GC_TRY_VOID(uploading.Begin(files));
  progress.Skip(uploading.bytes_there());
  const Status sent = uploading.Send(files, [&](uint64_t done) { progress.Show(done); });
  return sent ? Ok() : Status(Fail(Continued(sent.error())));
}

// What the server refuses to publish is of no use there.
Result<json::value> PublishSent(Context& context, Api& api, Uploading& uploading,
                                const PublishOptions& options, const std::vector<ModelFile>& files,
                                json::object asked) {
  json::array named;
  for (size_t i = 0; i < files.size(); ++i)
    named.push_back(
        {{"path", files[i].name}, {"upload", uploading.sent()[i].upload}, {"sha256", files[i].sha256}});
  asked["files"] = std::move(named);
  AddDetails(options, asked);
  Progress progress(context.console,
                    options.IsKept() ? "the server writes it down" : "the server checks and runs the model",
                    0);
  auto answer = api.PostPatiently("/glasscase/v1/models", asked, [&] { progress.ShowElapsed(); });
  if (answer) return answer;
  const Error error = Continued(answer.error());
  if (error == answer.error()) uploading.Drop();
  return Fail(error);
}

std::string CurlCall(const Profile& connection, const json::value& answer) {
  const std::string tls = connection.pin.empty() || !connection.url.starts_with("https://")
                              ? std::string()
                              : " -k --pinnedpubkey " + ShellQuote(connection.pin);
  return "curl" + tls + " " + ShellQuote(connection.url + TextOf(answer, "infer_path")) +
         " -H \"Authorization: Bearer $GLASSCASE_TOKEN\" -d " + ShellQuote(TextOf(answer, "sample_input"));
}

void PrintPublished(Context& context, const Profile& connection, const PublishOptions& options,
                    const json::value& answer) {
  const json::value& model = ValueOf(answer, "model");
  const auto& versions = ArrayOf(model, "versions");
  const json::value version = versions.empty() ? json::value() : versions.front();
  const std::string name = ShownOf(model, "name") + "@" + ShownOf(version, "version");
  const bool before = FlagOf(answer, "already_published");
  if (!options.signature.empty())
    context.console.PrintLine("the signature " + Visible(options.signature) +
                              " is of these files, by the key in " + Visible(options.signer));
  context.console.PrintLine(before ? "already published: " + name + " has these bytes; nothing changed"
                                   : "published " + name);
  context.console.Print(FormatTable({{"sha256", ShownOf(version, "sha256")},
                                     {"id", ShownOf(version, "id")},
                                     {"ledger", LedgerText(version)}}));
  if (options.IsKept()) {
    context.console.PrintLine("\nlet somebody take it:\n  glasscase grant NAME take " +
                              ShownOf(model, "name"));
    return;
  }
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
  GC_TRY(const json::object texts, ReadTexts(options));
  const InterruptGuard guard;
  GC_TRY(const std::vector<ModelFile> files, PrepareFiles(context, options));
  Uploading uploading(*api, context.console);
  GC_TRY_VOID(SendFiles(context, uploading, files));
  GC_TRY(const json::value answer, PublishSent(context, *api, uploading, options, files, texts));
  if (context.console.json) {
    context.console.PrintJson(answer);
  } else {
    PrintPublished(context, *connection, options, answer);
  }
  return Done();
}

void DeclareAsset(CLI::App& command, PublishOptions& options) {
  command.add_option("path", options.path, "The file or folder")->required()->type_name("FILE|DIR");
  command.add_option("--name", options.name, "Its name")->required()->type_name("NAME");
  command.add_option("--version", options.version, "Label of the version (default: the next whole number)")
      ->type_name("V");
  command.add_option("--card", options.card, "What its users should know, Markdown")->type_name("FILE");
  command.add_option("--licence", options.licence, "Its licence, for example CC-BY-4.0")->type_name("TEXT");
  command.add_option("--tag", options.tags, "A word to find it by; may be repeated")->type_name("WORD");
  command.add_option("--field", options.fields, "What else to say of this version; may be repeated")
      ->type_name("KEY=VALUE");
  command.add_option("--derived-from", options.derived_from, "What it was made from; may be repeated")
      ->type_name("ASSET[@V]");
  command
      .add_option("--signature", options.signature,
                  "OpenSSF model signature of these files: nothing is published unless it holds")
      ->type_name("FILE");
  command.add_option("--signer", options.signer, "Whose signature it must be, a public key in PEM")
      ->type_name("FILE");
  command.add_option("--media-type", options.media_type, "Of what is kept (default: by the file's ending)")
      ->type_name("TYPE");
}

}  // namespace

void AddPublishCommand(CommandTree& tree) {
  tree.Add<PublishOptions>(
      tree.root(), "publish", "Publish a model: an .onnx file, or a folder with one and its external data",
      "glasscase publish digits.onnx --name digits\nglasscase publish exported/ --name digits --version "
      "2024-spring --card README.md --trained-on digits-data\nglasscase publish model.pt --name digits-torch "
      "--kept",
      [](CLI::App& command, PublishOptions& options) {
        DeclareAsset(command, options);
        command
            .add_option("--trained-on", options.trained_on, "The dataset it was trained on; may be repeated")
            ->type_name("DATASET[@V]");
        command.add_option("--tested-on", options.tested_on, "The dataset it was tested on; may be repeated")
            ->type_name("DATASET[@V]");
        command
            .add_option("--translated-from", options.translated_from,
                        "The model it says the same as, in another form")
            ->type_name("MODEL[@V]");
        command.add_option("--release-of", options.release_of, "The model that it is a release of")
            ->type_name("MODEL[@V]");
        command.add_flag("--kept", options.kept, "A model in another format: kept and taken, not called");
      },
      Publish);
  CLI::App& dataset = tree.AddGroup("dataset", "Data that models are made from",
                                    "glasscase dataset add digits.csv --name digits-data");
  tree.Add<PublishOptions>(dataset, "add", "Register a dataset: a file or a folder",
                           "glasscase dataset add digits.csv --name digits-data --licence "
                           "CC-BY-4.0\nglasscase dataset add images/ --name "
                           "faces --card README.md",
                           DeclareAsset, [](Context& context, const PublishOptions& options) {
                             PublishOptions as_dataset = options;
                             as_dataset.dataset = true;
                             return Publish(context, as_dataset);
                           });
}

}  // namespace glasscase::commands
