#include <glasscase/ledger/policy.h>

#include <algorithm>
#include <charconv>

namespace glasscase::ledger {
namespace {

constexpr size_t kLinesMax = 1'000;

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string_view::npos) break;
    line.remove_prefix(begin);
    const std::string_view word = line.substr(0, line.find_first_of(" \t"));
    words.push_back(word);
    line.remove_prefix(word.size());
  }
  return words;
}

}  // namespace

class Policy::Parser {
 public:
  Result<Policy> Parse(std::string_view text) {
    if (text.size() > kBytesMax || !IsUtf8(text))
      return Fail(
          Error::InvalidArgument("not a policy: no text of at most " + std::to_string(kBytesMax) + " bytes"));
    for (size_t number = 1; !text.empty(); ++number) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
      if (number > kLinesMax)
        return Fail(
            Error::InvalidArgument("not a policy: more than " + std::to_string(kLinesMax) + " lines"));
      const Status taken = TakeLine(line);
      if (!taken) return Fail(taken.error().WithContext("line " + std::to_string(number) + " of the policy"));
    }
    if (policy_.logs_.empty())
      return Fail(Error::InvalidArgument("the policy names no log: it needs a line \"log VKEY\""));
    if (!has_quorum_)
      return Fail(Error::InvalidArgument("the policy has no line \"quorum NAME\" or \"quorum none\""));
    return std::move(policy_);
  }

 private:
  Status TakeLine(std::string_view line) {
    const std::vector<std::string_view> words = Words(line);
    if (words.empty() || words[0].starts_with('#')) return Ok();
    if (words[0] == "log") return TakeLog(words);
    if (words[0] == "witness") return TakeWitness(words);
    if (words[0] == "group") return TakeGroup(words);
    if (words[0] == "quorum") return TakeQuorum(words);
    return Fail(
        Error::InvalidArgument("\"" + Printable(words[0]) + "\" is none of log, witness, group, quorum"));
  }

  Status TakeLog(const std::vector<std::string_view>& words) {
    if (words.size() != 2 && words.size() != 3) return Fail(Error::InvalidArgument("write: log VKEY [URL]"));
    GC_TRY(NoteVerifier verifier, NoteVerifier::Parse(words[1]));
    if (verifier.type() != KeyType::kEd25519)
      return Fail(Error::InvalidArgument("a log signs with a key of type 1"));
    policy_.logs_.push_back({.verifier = std::move(verifier), .url = Url(words, 2)});
    return Ok();
  }

  Status TakeWitness(const std::vector<std::string_view>& words) {
    if (words.size() != 3 && words.size() != 4)
      return Fail(Error::InvalidArgument("write: witness NAME VKEY [URL]"));
    GC_TRY_VOID(TakeName(words[1]));
    GC_TRY(NoteVerifier verifier, NoteVerifier::Parse(words[2]));
    if (verifier.type() != KeyType::kEd25519Cosignature)
      return Fail(Error::InvalidArgument("a witness signs with a key of type 4"));
    policy_.witnesses_.push_back(
        {.name = std::string(words[1]), .verifier = std::move(verifier), .url = Url(words, 3)});
    return Ok();
  }

  Status TakeGroup(const std::vector<std::string_view>& words) {
    if (words.size() < 4) return Fail(Error::InvalidArgument("write: group NAME any|all|NUMBER MEMBER..."));
    Group group{.name = std::string(words[1]), .needed = 0, .members = {words.begin() + 3, words.end()}};
    for (const std::string& member : group.members) {
      if (!names_.contains(member))
        return Fail(Error::InvalidArgument("\"" + Printable(member) + "\" was not named before"));
      if (!in_group_.insert(member).second)
        return Fail(Error::InvalidArgument("\"" + Printable(member) + "\" is in a group already"));
    }
    GC_TRY(group.needed, Needed(words[2], group.members.size()));
    GC_TRY_VOID(TakeName(words[1]));
    policy_.groups_.push_back(std::move(group));
    return Ok();
  }

  Status TakeQuorum(const std::vector<std::string_view>& words) {
    if (words.size() != 2) return Fail(Error::InvalidArgument("write: quorum NAME, or quorum none"));
    if (has_quorum_) return Fail(Error::InvalidArgument("a second quorum"));
    if (words[1] != kNone && !names_.contains(words[1]))
      return Fail(Error::InvalidArgument("\"" + Printable(words[1]) + "\" was not named before"));
    has_quorum_ = true;
    policy_.quorum_ = words[1];
    return Ok();
  }

  static Result<size_t> Needed(std::string_view text, size_t members) {
    if (text == "any") return 1;
    if (text == "all") return members;
    size_t needed = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), needed);
    if (error != std::errc() || end != text.data() + text.size() || needed == 0 || needed > members)
      return Fail(Error::InvalidArgument(
          "\"" + Printable(text) + "\" is not any, all or a number from 1 to " + std::to_string(members)));
    return needed;
  }

  Status TakeName(std::string_view name) {
    if (name == kNone || !names_.insert(std::string(name)).second)
      return Fail(Error::InvalidArgument("the name \"" + Printable(name) + "\" is taken"));
    return Ok();
  }
  static std::string Url(const std::vector<std::string_view>& words, size_t at) {
    return words.size() > at ? std::string(words[at]) : std::string();
  }

  Policy policy_;
  std::set<std::string, std::less<>> names_;
  std::set<std::string, std::less<>> in_group_;
  bool has_quorum_ = false;
};

Result<Policy> Policy::Parse(std::string_view text) { return Parser().Parse(text); }

// Members were named before, so this ends.
bool Policy::IsReached(std::string_view name, const std::set<std::string>& cosigned) const {
  const auto group =
      std::find_if(groups_.begin(), groups_.end(), [&](const Group& g) { return g.name == name; });
  if (group == groups_.end()) return cosigned.contains(std::string(name));
  const auto reached = std::count_if(group->members.begin(), group->members.end(),
                                     [&](const std::string& member) { return IsReached(member, cosigned); });
  return static_cast<size_t>(reached) >= group->needed;
}

bool Policy::IsQuorum(const std::set<std::string>& cosigned) const {
  return !NeedsWitnesses() || IsReached(quorum_, cosigned);
}

std::string Policy::QuorumText() const {
  const auto group =
      std::find_if(groups_.begin(), groups_.end(), [&](const Group& g) { return g.name == quorum_; });
  if (group == groups_.end()) return quorum_;
  std::string text = std::to_string(group->needed) + " of ";
  for (size_t i = 0; i < group->members.size(); ++i) text += (i == 0 ? "" : ", ") + group->members[i];
  return text;
}

}  // namespace glasscase::ledger
