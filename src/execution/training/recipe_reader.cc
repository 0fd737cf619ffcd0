#include "recipe_reader.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/json/object_reader.h>
#include <glasscase/json/strict.h>

#include "pin_variables.h"

namespace glasscase::training {
namespace {

using json::Element;
using json::ObjectReader;

constexpr size_t kNameBytesMax = 256;
constexpr size_t kCommandWordsMax = 256;
constexpr size_t kWordBytesMax = 4'096;

bool IsWord(std::string_view text, std::string_view others) {
  return !text.empty() && text.size() <= kNameBytesMax && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           others.find(c) != std::string_view::npos;
  });
}

// Changes `value` when the object has the member.
template <typename Integer>
Status ReadWhole(const ObjectReader& object, std::string_view name, uint64_t least, uint64_t most,
                 Integer& value) {
  if (!object.Has(name)) return Ok();
  GC_TRY(const uint64_t whole, object.Whole(name));
  if (whole < least || whole > most)
    return Fail(object.Wrong(name, "must be from " + std::to_string(least) + " to " + std::to_string(most)));
  value = static_cast<Integer>(whole);
  return Ok();
}

Status ReadWord(const ObjectReader& object, std::string_view name, std::string_view others,
                std::string& value) {
  if (!object.Has(name)) return Ok();
  GC_TRY(value, object.String(name));
  if (IsWord(value, others)) return Ok();
  return Fail(object.Wrong(name, "may have letters, digits and " + std::string(others)));
}

// "must be A, B or C"
Status ReadOneOf(const ObjectReader& object, std::string_view name,
                 const std::vector<std::string_view>& known, std::string& value) {
  if (!object.Has(name)) return Ok();
  GC_TRY(value, object.String(name));
  if (std::find(known.begin(), known.end(), value) != known.end()) return Ok();
  std::string words = "must be ";
  for (size_t i = 0; i < known.size(); ++i)
    words.append(i == 0 ? "" : i + 1 == known.size() ? " or " : ", ").append(known[i]);
  return Fail(object.Wrong(name, words));
}

// A library passes over what it does not know, and the pin would hold nothing.
Status ReadPin(const ObjectReader& pins, std::string_view name, std::vector<std::string_view> known,
               std::string& value) {
  known.push_back("off");
  return ReadOneOf(pins, name, known, value);
}

// ---- time zones ----

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

// "JST" of "JST-9", which is left with "-9".
bool TakeName(std::string_view& text) {
  const auto length =
      static_cast<size_t>(std::find_if_not(text.begin(), text.end(), IsLetter) - text.begin());
  if (length < 3) return false;
  text.remove_prefix(length);
  return true;
}
bool TakeHours(std::string_view& text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  const auto length = static_cast<size_t>(std::find_if_not(text.begin(), text.end(), IsDigit) - text.begin());
  if (length < 1 || length > 2) return false;
  text.remove_prefix(length);
  return true;
}

// "JST-9", "CET-1CEST": as POSIX has it, without a rule of one's own for when summer time begins.
bool IsOffset(std::string_view text) {
  if (!TakeName(text) || !TakeHours(text)) return false;
  if (text.empty()) return true;
  return TakeName(text) && (text.empty() || (TakeHours(text) && text.empty()));
}

// A name of the database by its area. Which cities there are, the worker's or the image's own copy says.
bool IsInArea(std::string_view text) {
  constexpr std::array<std::string_view, 11> kAreas = {"Africa", "America",  "Antarctica", "Arctic",
                                                       "Asia",   "Atlantic", "Australia",  "Etc",
                                                       "Europe", "Indian",   "Pacific"};
  const size_t slash = text.find('/');
  return slash != std::string_view::npos &&
         std::find(kAreas.begin(), kAreas.end(), text.substr(0, slash)) != kAreas.end() &&
         IsWord(text.substr(slash + 1), "/_-+") && !text.ends_with('/');
}

// What the C library does not know it takes for UTC.
bool IsTimezone(std::string_view text) { return text == "UTC" || IsOffset(text) || IsInArea(text); }

// "owner/name@label", or an object that is resolved.
Result<Reference> ReadReference(const ObjectReader& object, std::string_view member) {
  const auto* value = object.object().if_contains(boost::json::string_view(member.data(), member.size()));
  if (value != nullptr && value->is_object()) {
    GC_TRY(const ObjectReader resolved, object.Object(member));
    GC_TRY_VOID(resolved.RefuseOthers({"version", "sha256"}));
    return ReadResolved(resolved);
  }
  Reference reference;
  GC_TRY(reference.name, object.String(member));
  if (!reference.name.empty() && reference.name.size() <= kNameBytesMax) return reference;
  return Fail(object.Wrong(member, "must name a version: owner/name@label, or its UUID"));
}

class Reader {
 public:
  Reader(const ObjectReader& root, Values values) : root_(root), values_(values) {}

  Result<Recipe> Read() {
    GC_TRY_VOID(root_.RefuseOthers({"v", "environment", "code", "data", "command", "seed", "threads", "pins",
                                    "clock", "locale", "timezone", "umask", "limits", "translate"}));
    uint64_t v = 1;
    GC_TRY_VOID(ReadWhole(root_, "v", 1, 1, v));
    GC_TRY_VOID(ReadEnvironment());
    GC_TRY(recipe_.code, ReadReference(root_, "code"));
    GC_TRY_VOID(ReadData());
    GC_TRY_VOID(ReadCommand());
    GC_TRY_VOID(ReadWhole(root_, "seed", 0, std::numeric_limits<uint32_t>::max(), recipe_.seed));
    GC_TRY_VOID(ReadWhole(root_, "threads", 1, 1'024, recipe_.threads));
    GC_TRY_VOID(ReadPins());
    GC_TRY_VOID(ReadWhole(root_, "clock", 0, uint64_t{1} << 40, recipe_.clock));
    GC_TRY_VOID(ReadLocale());
    GC_TRY_VOID(ReadTimezone());
    GC_TRY_VOID(ReadUmask());
    GC_TRY_VOID(ReadLimits());
    GC_TRY_VOID(ReadTranslate());
    return std::move(recipe_);
  }

 private:
  Status ReadEnvironment() {
    GC_TRY(const ObjectReader from, root_.Object("environment"));
    GC_TRY_VOID(from.RefuseOthers({"runner", "lock", "image", "platform"}));
    if (from.Has("runner") == from.Has("image"))
      return Fail(Error::InvalidArgument("recipe.environment must have a runner, or an image"));
    return from.Has("runner") ? ReadRunner(from) : ReadImage(from);
  }
  Status ReadRunner(const ObjectReader& from) {
    GC_TRY_VOID(from.RefuseOthers({"runner", "lock"}));
    GC_TRY_VOID(ReadWord(from, "runner", "-_.", recipe_.environment.runner));
    if (from.Has("lock")) {
      GC_TRY(recipe_.environment.lock, from.Sha256("lock"));
    }
    return Ok();
  }
  Status ReadImage(const ObjectReader& from) {
    GC_TRY_VOID(from.RefuseOthers({"image", "platform"}));
    GC_TRY_VOID(ReadWord(from, "image", "-_./:@", recipe_.environment.image));
    GC_TRY_VOID(ReadWord(from, "platform", "/-_", recipe_.environment.platform));
    if (recipe_.environment.platform.empty()) recipe_.environment.platform = "linux/amd64";
    constexpr std::string_view kSha256 = "@sha256:";
    const std::string& image = recipe_.environment.image;
    const size_t at = image.find(kSha256);
    if (at != std::string::npos && at > 0 &&
        DigestFromHex(std::string_view(image).substr(at + kSha256.size())))
      return Ok();
    return Fail(
        from.Wrong("image", "must end in its digest (@sha256:…): a tag may mean another image tomorrow"));
  }

  Status ReadData() {
    GC_TRY(const ObjectReader all, root_.Object("data"));
    if (all.object().size() > Recipe::kDatasetsMax)
      return Fail(root_.Wrong("data", "may have " + std::to_string(Recipe::kDatasetsMax) + " datasets"));
    for (const auto& member : all.object()) {
      const std::string name(member.key().data(), member.key().size());
      if (!IsDatasetName(name))
        return Fail(all.Wrong(Printable(name),
                              "is no name for a folder: letters, digits, '-', '_' and '.', at most 64"));
      GC_TRY(const ObjectReader one, all.Object(name));
      GC_TRY(recipe_.data[name], ReadDataset(one));
    }
    return Ok();
  }
  static Result<Dataset> ReadDataset(const ObjectReader& from) {
    GC_TRY_VOID(from.RefuseOthers({"version", "sha256", "role"}));
    Dataset dataset;
    if (from.Has("sha256")) {
      GC_TRY(dataset.version, ReadResolved(from));
    } else {
      GC_TRY(dataset.version, ReadReference(from, "version"));
    }
    GC_TRY(const std::string role, from.String("role"));
    if (role != RoleName(Role::kTrain) && role != RoleName(Role::kTest))
      return Fail(from.Wrong("role", "must be \"train\" or \"test\""));
    dataset.role = role == RoleName(Role::kTrain) ? Role::kTrain : Role::kTest;
    return dataset;
  }

  Status ReadCommand() {
    GC_TRY(const auto* words, root_.Array("command"));
    if (words->empty() || words->size() > kCommandWordsMax)
      return Fail(root_.Wrong("command", "must have 1 to " + std::to_string(kCommandWordsMax) + " words"));
    for (size_t i = 0; i < words->size(); ++i) {
      const auto* word = (*words)[i].if_string();
      const bool is_word =
          word != nullptr && word->size() <= kWordBytesMax && word->find('\0') == std::string::npos;
      if (!is_word || (i == 0 && word->empty()))
        return Fail(
            Error::InvalidArgument(Element("recipe.command", i) + " must be a string without zero bytes"));
      recipe_.command.emplace_back(word->data(), word->size());
    }
    return Ok();
  }

  Status ReadPins() {
    if (!root_.Has("pins")) return Ok();
    GC_TRY(const ObjectReader from, root_.Object("pins"));
    GC_TRY_VOID(from.RefuseOthers({"blas", "onednn", "torch", "numpy"}));
    GC_TRY_VOID(ReadPin(from, "numpy", NumpyPins(), recipe_.pins.numpy));
    if (values_ == Values::kRecorded) {
      GC_TRY_VOID(ReadWord(from, "blas", "_", recipe_.pins.blas));
      GC_TRY_VOID(ReadWord(from, "onednn", "_", recipe_.pins.onednn));
      return ReadWord(from, "torch", "_", recipe_.pins.torch);
    }
    GC_TRY_VOID(ReadPin(from, "blas", BlasPins(), recipe_.pins.blas));
    GC_TRY_VOID(ReadPin(from, "onednn", OnednnPins(), recipe_.pins.onednn));
    return ReadPin(from, "torch", TorchPins(), recipe_.pins.torch);
  }

  // A runner's are those of every Linux machine; an image brings its own.
  Status ReadLocale() {
    if (!recipe_.environment.image.empty() || values_ == Values::kRecorded)
      return ReadWord(root_, "locale", "._-@", recipe_.locale);
    return ReadOneOf(root_, "locale", {"C", "C.UTF-8", "POSIX"}, recipe_.locale);
  }
  Status ReadTimezone() {
    if (values_ == Values::kRecorded) return ReadWord(root_, "timezone", "/_-+", recipe_.timezone);
    if (!root_.Has("timezone")) return Ok();
    GC_TRY(recipe_.timezone, root_.String("timezone"));
    if (IsTimezone(recipe_.timezone)) return Ok();
    return Fail(
        root_.Wrong("timezone",
                    "must be UTC, a zone of the time zone database such as Europe/Helsinki, or how far it "
                    "is from UTC such as JST-9"));
  }

  Status ReadUmask() {
    if (!root_.Has("umask")) return Ok();
    GC_TRY(const std::string text, root_.String("umask"));
    const bool octal =
        text.size() == 4 && text[0] == '0' && text.find_first_not_of("01234567") == std::string::npos;
    if (!octal) return Fail(root_.Wrong("umask", "must be four octal digits, the first 0"));
    recipe_.umask = static_cast<mode_t>(std::stoul(text, nullptr, 8));
    if ((recipe_.umask & 0700) != 0) return Fail(root_.Wrong("umask", "must leave the run its own files"));
    return Ok();
  }

  Status ReadLimits() {
    if (!root_.Has("limits")) return Ok();
    GC_TRY(const ObjectReader from, root_.Object("limits"));
    GC_TRY_VOID(from.RefuseOthers({"cpus", "memory_bytes", "disk_bytes", "wall_s", "processes"}));
    GC_TRY_VOID(ReadWhole(from, "cpus", 1, 1'024, recipe_.limits.cpus));
    GC_TRY_VOID(
        ReadWhole(from, "memory_bytes", uint64_t{1} << 20, uint64_t{1} << 50, recipe_.limits.memory_bytes));
    GC_TRY_VOID(
        ReadWhole(from, "disk_bytes", uint64_t{1} << 20, uint64_t{1} << 50, recipe_.limits.disk_bytes));
    GC_TRY_VOID(ReadWhole(from, "wall_s", 1, kWallSecondsMax, recipe_.limits.wall_s));
    return ReadWhole(from, "processes", 1, 65'536, recipe_.limits.processes);
  }

  Status ReadTranslate() {
    if (!root_.Has("translate")) return Ok();
    const auto* value = root_.object().if_contains("translate");
    if (value->is_object()) return ReadTranslation();
    GC_TRY(const std::string to, root_.String("translate"));
    if (to != "onnx" && to != "no")
      return Fail(root_.Wrong("translate", "must be \"onnx\", \"no\", or an object with to and runner"));
    recipe_.translation.is_wanted = to == "onnx";
    return Ok();
  }
  Status ReadTranslation() {
    GC_TRY(const ObjectReader from, root_.Object("translate"));
    GC_TRY_VOID(from.RefuseOthers({"to", "runner", "lock", "wall_s"}));
    GC_TRY(const std::string to, from.String("to"));
    if (to != "onnx") return Fail(from.Wrong("to", "must be \"onnx\""));
    TranslationWish& wish = recipe_.translation;
    wish.is_wanted = true;
    GC_TRY_VOID(ReadWord(from, "runner", "-_.", wish.runner));
    if (from.Has("lock") && wish.runner.empty()) return Fail(from.Wrong("lock", "goes with a runner"));
    if (from.Has("lock")) {
      GC_TRY(wish.lock, from.Sha256("lock"));
    }
    return ReadWhole(from, "wall_s", 1, kWallSecondsMax, wish.wall_s);
  }

  const ObjectReader& root_;
  const Values values_;
  Recipe recipe_;
};

}  // namespace

Result<Reference> ReadResolved(const ObjectReader& object) {
  Reference reference{.name = {}, .is_resolved = true};
  GC_TRY(const std::string id, object.String("version"));
  const auto version = Uuid::Parse(id);
  if (!version) return Fail(object.Wrong("version", "must be a UUID where sha256 stands beside it"));
  reference.version = *version;
  GC_TRY(reference.sha256, object.Sha256("sha256"));
  return reference;
}

Result<Recipe> ReadRecipe(std::string_view text, Values values) {
  GC_TRY(const auto value, json::Parse(text, {.bytes_max = Recipe::kBytesMax, .depth_max = 8}));
  GC_TRY(const ObjectReader root, ObjectReader::Open(value, "recipe"));
  return Reader(root, values).Read();
}

}  // namespace glasscase::training
