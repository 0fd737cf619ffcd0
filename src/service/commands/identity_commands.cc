// whoami and version.
#include "command.h"
#include "json_members.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

Result<Outcome> WhoAmI(Context& context, const NoOptions&) {
  GC_TRY(Api * api, context.Public());
  GC_TRY(const json::value answer, api->Get("/glasscase/v1/whoami"));
  if (context.console.json) {
    context.console.PrintJson(answer);
    return Done();
  }
  const json::value& subject = ValueOf(answer, "subject");
  const std::string expires = ShownOf(answer, "token_expires_at");
  context.console.Print(
      FormatTable({{"name", ShownOf(subject, "name")},
                   {"roles", Join(ShownTextsOf(subject, "roles"), ", ")},
                   {"server", api->url()},
                   {"installation", ShownOf(answer, "installation")},
                   {"token", ShownOf(answer, "token_id") +
                                 (expires.empty() ? ", never expires" : ", expires " + expires)}}));
  return Done();
}

Result<Outcome> Version(Context& context, const NoOptions&) {
  if (context.console.json) {
    context.console.PrintJson(json::object{{"version", context.version()}});
  } else {
    context.console.PrintLine("glasscase " + context.version());
  }
  return Done();
}

}  // namespace

void AddIdentityCommands(CommandTree& tree) {
  tree.Add<NoOptions>(tree.root(), "whoami", "Show who the token speaks for, and where",
                      "glasscase whoami\nGLASSCASE_TOKEN=gct_... glasscase whoami --json", {}, WhoAmI);
  tree.Add<NoOptions>(tree.root(), "version", "Show the version of this program", "glasscase version", {},
                      Version);
}

}  // namespace glasscase::commands
