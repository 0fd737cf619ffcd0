// call: one infer request from the shell.
#include <fstream>
#include <iostream>
#include <sstream>

#include <boost/json/serialize.hpp>

#include "command.h"
#include "infer_body.h"
#include "json_members.h"
#include "model_name.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

struct CallOptions {
  std::string model;
  std::string input;
};

Result<std::string> ReadInput(const std::string& path) {
  std::ostringstream text;
  if (path == "-") {
    text << std::cin.rdbuf();
    return text.str();
  }
  std::ifstream stream(path);
  text << stream.rdbuf();
  if (!stream || std::filesystem::is_directory(path)) return Fail(Error::NotFound("could not read " + path));
  return text.str();
}

Result<Outcome> Call(Context& context, const CallOptions& options) {
  GC_TRY(const ModelName name, ModelName::Parse(options.model));
  GC_TRY(std::string body, ReadInput(options.input));
  GC_TRY(const json::value input, ParseJson(body, options.input == "-" ? "standard input" : options.input));
  GC_TRY(Api * api, context.Public());
  if (!IsInferBody(input)) {
    GC_TRY(const json::value metadata, api->Get(name.InferPath()));
    GC_TRY(const json::value completed, CompleteInferBody(input, metadata));
    body = json::serialize(completed);
  }
  GC_TRY(const std::string answer, api->PostRaw(name.InferPath() + "/infer", std::move(body)));
  if (context.console.json) {
    context.console.PrintLine(answer);
    return Done();
  }
  GC_TRY(const json::value outputs, ParseJson(answer, "the answer"));
  context.console.Print(FormatOutputs(outputs));
  return Done();
}

}  // namespace

void AddCallCommand(CommandTree& tree) {
  tree.Add<CallOptions>(
      tree.root(), "call", "Call a model with input from a file or standard input",
      "glasscase call digits --input pixels.json\necho '[[5.1, 3.5, 1.4, 0.2]]' | glasscase call iris@2 "
      "--input -\n"
      "glasscase call digits --input body.json --json | jq .outputs",
      [](CLI::App& command, CallOptions& options) {
        command.add_option("model", options.model, "Name, owner/name or UUID of the model")
            ->required()
            ->type_name("MODEL[@V]");
        command
            .add_option("--input", options.input,
                        "JSON: nested arrays, an object of arrays by input name, or a whole infer request; - "
                        "is standard input")
            ->required()
            ->type_name("FILE|-");
      },
      Call);
}

}  // namespace glasscase::commands
