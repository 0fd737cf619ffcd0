// subject, token, invite, grant, revoke: who may do what.
#include <vector>

#include "command.h"
#include "invitation_link.h"
#include "json_members.h"
#include "ledger_text.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

std::string Until(const json::value& object) {
  const std::string expires = ShownOf(object, "expires_at");
  return expires.empty() ? "never expires" : "expires " + expires;
}

// ---- subject add ----

struct SubjectOptions {
  std::string name;
  std::string role = "learner";
};

Result<Outcome> AddSubject(Context& context, const SubjectOptions& options) {
  GC_TRY(Api * api, context.Control());
  GC_TRY(const json::value answer,
         api->Post("/glasscase/v1/subjects", {{"name", options.name}, {"role", options.role}}));
  if (context.console.json) {
    context.console.PrintJson(answer);
    return Done();
  }
  const std::string name = ShownOf(answer, "name");
  context.console.PrintLine("subject " + name + " (" + Join(ShownTextsOf(answer, "roles"), ", ") + ")");
  context.console.Note("next: glasscase invite " + name + "   or: glasscase token create " + name);
  return Done();
}

// ---- token create, token rotate ----

struct TokenOptions {
  std::string subject;
  std::string expires;
};

Result<Outcome> CreateToken(Context& context, const TokenOptions& options) {
  GC_TRY(Api * api, context.Control());
  GC_TRY(const json::value answer,
         api->Post("/glasscase/v1/tokens", {{"subject", options.subject}, {"expires", options.expires}}));
  if (context.console.json) {
    context.console.PrintJson(answer);
    return Done();
  }
  context.console.PrintLine(ShownOf(answer, "token"));
  context.console.Note("the token of " + ShownOf(answer, "subject") + ", " + Until(answer) +
                       ", shown this once; withdraw it with: glasscase revoke token " +
                       ShownOf(answer, "id"));
  return Done();
}

Result<Outcome> RotateToken(Context& context, const NoOptions&) {
  GC_TRY(Api * api, context.Public());
  GC_TRY(std::optional<Profile> stored, context.profiles().Load(context.profile_name));
  const bool from_environment = !context.Environment("GLASSCASE_TOKEN").empty();
  GC_TRY(const json::value answer, api->Post("/glasscase/v1/tokens/rotate", json::object{}));
  if (stored && !from_environment) {
    stored->token = Secret(TextOf(answer, "token"));
    if (auto saved = context.profiles().Save(context.profile_name, *stored); !saved) {
      // The old token is withdrawn already: the new one must not be lost with the error.
      context.console.PrintLine(ShownOf(answer, "token"));
      return Fail(saved.error().WithContext("the new token above could not be kept"));
    }
  }
  if (context.console.json) {
    context.console.PrintJson(answer);
  } else if (from_environment || !stored) {
    context.console.PrintLine(ShownOf(answer, "token"));
    context.console.Note("the new token, " + Until(answer) + ", shown this once; the old one is withdrawn");
  } else {
    context.console.PrintLine("rotated: profile " + context.profile_name +
                              " holds the new token, the old one is withdrawn");
  }
  return Done();
}

// ---- invite ----

struct InviteOptions {
  std::string subject;
  std::string expires;
  std::string token_expires;
  std::string url;
};

Result<Outcome> Invite(Context& context, const InviteOptions& options) {
  GC_TRY(const Profile* connection, context.Connection());
  const std::string url = options.url.empty() ? connection->url : options.url;
  GC_TRY_VOID(CheckServerUrl(url));
  GC_TRY(Api * api, context.Control());
  GC_TRY(const json::value answer,
         api->Post("/glasscase/v1/invitations", {{"subject", options.subject},
                                                 {"expires", options.expires},
                                                 {"token_expires", options.token_expires}}));
  const std::string pin = url.starts_with("https://") ? connection->pin : std::string();
  const std::string line =
      "glasscase login " + ShellQuote(FormatInvitationLink(url, TextOf(answer, "invitation"), pin));
  if (context.console.json) {
    json::object shown = answer.is_object() ? answer.get_object() : json::object{};
    shown["login"] = line;
    context.console.PrintJson(shown);
    return Done();
  }
  context.console.PrintLine(Visible(line));
  context.console.Note("send that line to " + ShownOf(answer, "subject") + "; it works once and " +
                       Until(answer));
  if (IsLoopbackUrl(url)) {
    context.console.Note(
        "its address works on this machine only; for others: glasscase invite NAME --url https://HOST:PORT");
  }
  return Done();
}

// ---- grant ----

struct GrantOptions {
  std::string subject;
  std::string action;
  std::string model;
  std::string quota;
  std::string expires;
};

Result<Outcome> MakeGrant(Context& context, const GrantOptions& options) {
  GC_TRY(Api * api, context.Control());
  GC_TRY(const json::value answer, api->Post("/glasscase/v1/grants", {{"subject", options.subject},
                                                                      {"action", options.action},
                                                                      {"model", options.model},
                                                                      {"quota", options.quota},
                                                                      {"expires", options.expires}}));
  if (context.console.json) {
    context.console.PrintJson(answer);
    return Done();
  }
  const std::string quota = ShownOf(answer, "quota");
  context.console.PrintLine(ShownOf(answer, "subject") + " may " + ShownOf(answer, "action") + " " +
                            ShownOf(answer, "model") + ", " +
                            (options.action == "take" ? ""
                             : quota.empty()          ? "without a limit, "
                                                      : quota + ", ") +
                            Until(answer));
  context.console.Note(LedgerSentence(answer, ShownOf(answer, "model")));
  context.console.Note("withdraw it with: glasscase revoke grant " + ShownOf(answer, "id"));
  return Done();
}

// ---- revoke ----

struct RevokeOptions {
  std::string id;
};

Result<Outcome> Revoke(Context& context, std::string_view collection, const RevokeOptions& options) {
  GC_TRY(Api * api, context.Control());
  GC_TRY(const json::value answer,
         api->Delete("/glasscase/v1/" + std::string(collection) + "/" + PercentEncode(options.id)));
  if (context.console.json) {
    context.console.PrintJson(answer);
    return Done();
  }
  std::vector<std::string> withdrawn;
  for (const auto* thing : {"token", "grant", "invitation"}) {
    const int64_t n = IntegerOf(answer, std::string(thing) + "s");
    if (n > 0) withdrawn.push_back(Count(static_cast<uint64_t>(n), thing));
  }
  const bool none = withdrawn.empty();
  context.console.PrintLine(none ? "nothing to revoke: it was withdrawn already"
                                 : "revoked: " + Join(withdrawn, ", ") + "; in force everywhere after " +
                                       FormatMilliseconds(NumberOf(answer, "acknowledged_ms")));
  if (!TextOf(answer, "ledger_state").empty()) context.console.Note(LedgerSentence(answer, ""));
  return Done();
}

void AddSubjectAndTokenCommands(CommandTree& tree) {
  CLI::App& subject =
      tree.AddGroup("subject", "People and programs that may call", "glasscase subject add ada");
  tree.Add<SubjectOptions>(
      subject, "add", "Make a subject; a learner unless --role says otherwise",
      "glasscase subject add ada\nglasscase subject add grace --role owner",
      [](CLI::App& command, SubjectOptions& options) {
        command.add_option("name", options.name, "Name of the subject")->required()->type_name("NAME");
        command.add_option("--role", options.role, "owner (publishes and grants their own) or learner")
            ->check(CLI::IsMember({"owner", "learner"}, CLI::ignore_case))
            ->type_name("ROLE");
      },
      AddSubject);

  CLI::App& token = tree.AddGroup("token", "What subjects present",
                                  "glasscase token create ada --expires 30d\nglasscase token rotate");
  tree.Add<TokenOptions>(
      token, "create", "Make a token for a subject; it is shown this once",
      "glasscase token create ada\nglasscase token create ada --expires 30d --json",
      [](CLI::App& command, TokenOptions& options) {
        command.add_option("name", options.subject, "Name or UUID of the subject")
            ->required()
            ->type_name("NAME");
        command.add_option("--expires", options.expires, "When it ends: 30d, 12h, 45min (default: never)")
            ->check(DurationForm())
            ->type_name("TIME");
      },
      CreateToken);
  tree.Add<NoOptions>(token, "rotate", "Replace one's own token by a new one; the old one ends",
                      "glasscase token rotate\nGLASSCASE_TOKEN=gct_... glasscase token rotate --json", {},
                      RotateToken);
}

void AddInviteAndGrantCommands(CommandTree& tree) {
  tree.Add<InviteOptions>(
      tree.root(), "invite", "Make a one-time invitation: a line that lets somebody log in",
      "glasscase invite ada\nglasscase invite ada --expires 2d --url https://models.example.org",
      [](CLI::App& command, InviteOptions& options) {
        command.add_option("name", options.subject, "Name of the subject; made as a learner when new")
            ->required()
            ->type_name("NAME");
        command.add_option("--expires", options.expires, "When the invitation ends (default: 7d)")
            ->check(DurationForm())
            ->type_name("TIME");
        command
            .add_option("--token-expires", options.token_expires,
                        "When the token it yields ends (default: never)")
            ->check(DurationForm())
            ->type_name("TIME");
        command.add_option("--url", options.url, "The server's address as the invited reach it")
            ->type_name("URL");
      },
      Invite);
  tree.Add<GrantOptions>(
      tree.root(), "grant", "Let a subject call a model",
      "glasscase grant ada predict digits\nglasscase grant ada predict digits@2 --quota 100/min --expires "
      "30d",
      [](CLI::App& command, GrantOptions& options) {
        command.add_option("name", options.subject, "Name or UUID of the subject")
            ->required()
            ->type_name("NAME");
        command
            .add_option("action", options.action, "What is allowed: predict (call it), take (download it)")
            ->required()
            ->check(CLI::IsMember(std::vector<std::string>{"predict", "take"}))
            ->type_name("predict|take");
        command
            .add_option("model", options.model,
                        "The model; with @VERSION that version alone, else the default one now and later")
            ->required()
            ->type_name("MODEL[@V]");
        command
            .add_option("--quota", options.quota, "How many calls in which time: 100/min (default: no limit)")
            ->check(QuotaForm())
            ->type_name("N/TIME");
        command.add_option("--expires", options.expires, "When it ends: 30d, 12h (default: never)")
            ->check(DurationForm())
            ->type_name("TIME");
      },
      MakeGrant);
}

}  // namespace

void AddAccessCommands(CommandTree& tree) {
  AddSubjectAndTokenCommands(tree);
  AddInviteAndGrantCommands(tree);
  CLI::App& revoke = tree.AddGroup(
      "revoke", "Withdraw a grant, a token, or all of a subject",
      "glasscase revoke grant 6f0e...\nglasscase revoke token 91b2...\nglasscase revoke subject ada");
  const auto add = [&](const char* name, const char* collection, const char* what, const char* id,
                       const char* example) {
    tree.Add<RevokeOptions>(
        revoke, name, what, example,
        [id](CLI::App& command, RevokeOptions& options) {
          command.add_option("id", options.id, id)->required()->type_name("ID");
        },
        [collection](Context& context, const RevokeOptions& options) {
          return Revoke(context, collection, options);
        });
  };
  add("grant", "grants", "Withdraw one grant", "UUID of the grant (glasscase list grants)",
      "glasscase revoke grant 6f0e8a1c-0b1d-4a52-9d5e-2f0c4b7a9e11");
  add("token", "tokens", "Withdraw one token", "UUID of the token (glasscase list tokens)",
      "glasscase revoke token 91b2c3d4-0b1d-4a52-9d5e-2f0c4b7a9e11");
  add("subject", "subjects", "Withdraw all grants, tokens and invitations of a subject",
      "Name or UUID of the subject", "glasscase revoke subject ada");
}

}  // namespace glasscase::commands
