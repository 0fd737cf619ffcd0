// login: redeems an invitation, or keeps a token, in a profile.
#include "command.h"
#include "invitation_link.h"
#include "json_members.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

struct LoginOptions {
  std::string url;
  std::string token;
  std::string control_url;
};

// The invitation or token: of the link, of --token, or asked for. On a command line others may see it in the
// list of processes, so "-" and the question are the ways for shared machines.
Result<Secret> CredentialOf(const Context& context, const LoginOptions& options, InvitationLink& link) {
  if (!options.token.empty() && options.token != "-") return Secret(options.token);
  if (options.token.empty() && !link.credential.empty()) return std::move(link.credential);
  return context.console.AskSecret(options.token == "-" ? "token" : "invitation or token");
}

bool IsInvitation(const Secret& credential) { return credential.Reveal(RevealToken()).starts_with("gci_"); }

Status CheckCredential(const Secret& credential) {
  const std::string_view text = credential.Reveal(RevealToken());
  const bool known = text.starts_with("gci_") || text.starts_with("gct_");
  if (known && text.size() == 40) return Ok();
  return Fail(
      Error::InvalidArgument("an invitation (gci_...) or token (gct_...) has 40 characters; this one has " +
                             std::to_string(text.size()) + ": was it copied whole?"));
}

struct LoggedIn {
  Secret token;
  json::value who;  // WhoAmIAnswer
};

Result<LoggedIn> Present(const InvitationLink& link, Secret credential) {
  LoggedIn result;
  if (IsInvitation(credential)) {
    Api api(link.url, link.pin, credential);
    GC_TRY(const json::value redeemed, api.Post("/glasscase/v1/invitations/redeem", json::object{}));
    result.token = Secret(TextOf(redeemed, "token"));
    result.who = {{"subject", {{"name", TextOf(redeemed, "subject")}}},
                  {"token_expires_at", TextOf(redeemed, "expires_at")}};
    return result;
  }
  Api api(link.url, link.pin, credential);
  GC_TRY(result.who, api.Get("/glasscase/v1/whoami"));
  result.token = std::move(credential);
  return result;
}

// A profile that holds another token is kept under another name: it may be the only place of that token.
Status Keep(const Context& context, std::optional<Profile> stored, const Profile& profile) {
  const bool replaces = stored && !stored->token.empty() &&
                        stored->token.Reveal(RevealToken()) != profile.token.Reveal(RevealToken());
  if (replaces) {
    GC_TRY(const std::string aside, context.profiles().SetAside(context.profile_name));
    context.console.Note("the former profile " + context.profile_name + " is kept as --profile " + aside);
  }
  return context.profiles().Save(context.profile_name, profile);
}

Result<Outcome> Login(Context& context, const LoginOptions& options) {
  GC_TRY(InvitationLink link, InvitationLink::Parse(options.url));
  GC_TRY(std::optional<Profile> stored, context.profiles().Load(context.profile_name));
  GC_TRY(Secret credential, CredentialOf(context, options, link));
  GC_TRY_VOID(CheckCredential(credential));
  GC_TRY(LoggedIn logged_in, Present(link, std::move(credential)));
  Profile profile;
  profile.url = link.url;
  profile.control_url = options.control_url;
  profile.pin = link.pin;
  profile.token = std::move(logged_in.token);
  if (auto kept = Keep(context, std::move(stored), profile); !kept) {
    // The invitation is spent: the token must not be lost with the error.
    context.console.PrintLine(profile.token.Reveal(RevealToken()));
    return Fail(kept.error().WithContext("the token above could not be kept"));
  }
  const json::value& subject = ValueOf(logged_in.who, "subject");
  const std::string path = context.profiles().PathOf(context.profile_name).string();
  if (context.console.json) {
    context.console.PrintJson(
        json::object{{"subject", TextOf(subject, "name")}, {"url", profile.url}, {"profile", path}});
    return Done();
  }
  context.console.PrintLine("logged in to " + profile.url + " as " + ShownOf(subject, "name") +
                            "; the token is in " + path);
  context.console.Note("next: glasscase list models");
  return Done();
}

}  // namespace

void AddLoginCommand(CommandTree& tree) {
  tree.Add<LoginOptions>(
      tree.root(), "login", "Redeem an invitation and keep the token it yields",
      "glasscase login 'https://models.example.org:8000#gci_...&pin=sha256//...'\n"
      "glasscase login http://127.0.0.1:8000              asks for the invitation\n"
      "glasscase login http://127.0.0.1:8000 --token -    keeps a token read from standard input",
      [](CLI::App& command, LoginOptions& options) {
        command.add_option("url", options.url, "What `glasscase invite` printed, or the server's address")
            ->required()
            ->type_name("URL");
        command
            .add_option("--token", options.token,
                        "A token instead of an invitation; - reads it from standard input")
            ->type_name("TOKEN");
        command.add_option("--control-url", options.control_url, "The control address too, for owners")
            ->type_name("URL");
      },
      Login);
}

}  // namespace glasscase::commands
