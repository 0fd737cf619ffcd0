#include "compact.h"

#include <algorithm>
#include <array>
#include <vector>

#include <boost/json/value.hpp>
#include <glasscase/core/bytes.h>
#include <glasscase/json/canonical.h>

namespace glasscase::ledger {
namespace {

// What stands in the text for a string whose bytes are elsewhere. JSON has no such characters.
constexpr char kUuid = 0x01;    // 16 bytes
constexpr char kBase64 = 0x02;  // 32 bytes
constexpr char kOpened = 0x03;  // the commitment to the next disclosed field: its salt, 16 bytes
constexpr char kHex = 0x04;     // 32 bytes
constexpr char kFirstPhrase = 0x05;
constexpr char kEnd = 0x00;  // of the text; the bytes follow

constexpr size_t kTextBytesMax = size_t{1} << 20;

// In the order in which they are replaced; the n-th has the n-th character from kFirstPhrase on that is not a
// line feed. Part of the format: never changed.
constexpr std::array<std::string_view, 26> kPhrases = {
    ",\"hidden\":{\"label\":\"\3\",\"name\":\"\3\",\"sha256\":\"\3\"},\"type\":\"version\",\"v\":1,"
    "\"version\":\"\1\"}",
    ",\"hidden\":{\"label\":\"\3\",\"name\":\"\3\",\"sha256\":\"\3\"},\"lineage\":[{\"by\":\"",
    "],\"type\":\"version\",\"v\":1,\"version\":\"\1\"}",
    "{\"label\":\"",
    "\",\"name\":\"",
    "\",\"sha256\":\"\4\"}\n{",
    "\"also\":[\"\1\"],",
    "\"asset\":\"\1\",\"at\":",
    "claimed\",\"relation\":\"",
    "witnessed\",\"relation\":\"",
    "trained_on\",\"version\":\"\1\"}",
    "derived_from\",\"version\":\"\1\"}",
    "tested_on\",\"version\":\"\1\"}",
    "translated_from\",\"version\":\"\1\"}",
    "released_as\",\"version\":\"\1\"}",
    ",{\"by\":\"",
    ",\"hidden\":{\"",
    "\":\"\3\"",
    "\":\"\2\"",
    "\",\"type\":\"",
    "\",\"v\":1",
    "\"grant\":\"\1\",",
    ",\"version\":\"\1\"}",
    "{}\n{",
    "\"history\":\"before the ledger",
    "\"kind\":\"",
};

constexpr char PhraseCode(size_t index) {
  const char code = static_cast<char>(kFirstPhrase + index);
  return code < '\n' ? code : static_cast<char>(code + 1);
}

Error Bad(const std::string& what) {
  return Error::InvalidArgument("the receipt's entry cannot be read: " + what);
}

void ReplaceAll(std::string& text, std::string_view what, char by) {
  std::string replaced;
  size_t from = 0;
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, from)) {
    replaced.append(text, from, at - from) += by;
    from = at + what.size();
  }
  text = replaced.append(text, from);
}

// ---- writing ----

class Writer {
 public:
  explicit Writer(const std::map<std::string, DisclosedField>& fields) {
    for (const auto& [name, field] : fields)
      opened_[ToBase64(Commitment(field.salt, name, field.value))] = &field.salt;
  }

  // Each string of the JSON text that has a shorter form.
  void Add(std::string_view json) {
    size_t from = 0;
    while (true) {
      const size_t open = json.find('"', from);
      text_.append(json.substr(from, open - from));
      if (open == json.npos) return;
      const size_t close = EndOfString(json, open + 1);
      text_ += '"';
      AddString(json.substr(open + 1, close - open - 1));
      text_ += '"';
      from = close + 1;
    }
  }
  void AddLineEnd() { text_ += '\n'; }
  bool HasFieldsLeft() const { return !opened_.empty(); }

  std::string Finish() && {
    for (size_t i = 0; i < kPhrases.size(); ++i) ReplaceAll(text_, kPhrases[i], PhraseCode(i));
    return kCompactForm + text_ + kEnd + bytes_;
  }

 private:
  static size_t EndOfString(std::string_view json, size_t at) {
    while (json[at] != '"') at += json[at] == '\\' ? 2 : 1;
    return at;
  }

  void AddString(std::string_view content) {
    if (const auto opened = opened_.find(content); opened != opened_.end()) {
      Replace(kOpened, *opened->second);
      opened_.erase(opened);
      return;
    }
    if (const auto id = Uuid::Parse(content); id && id->ToString() == content)
      return Replace(kUuid, ByteSpan(id->bytes));
    if (const auto base64 = FromBase64(content); base64 && base64->size() == sizeof(Hash))
      return Replace(kBase64, *base64);
    if (const auto hex = DigestFromHex(content); hex && ToHex(*hex) == content) return Replace(kHex, *hex);
    text_ += content;
  }

  void Replace(char code, ByteSpan bytes) {
    text_ += code;
    bytes_ += AsText(bytes);
  }

  std::map<std::string, const Salt*, std::less<>> opened_;  // by commitment
  std::string text_;
  std::string bytes_;
};

// ---- reading ----

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  // The text with its strings. In the entry every kOpened is the commitment to the next of `fields`.
  Result<std::string> Expand(std::string_view text,
                             std::vector<std::pair<std::string, DisclosedField>>& fields) {
    std::string json;
    for (const char c : text) {
      if (c == kUuid) {
        Uuid id;
        GC_TRY_VOID(Take(id.bytes));
        json += id.ToString();
      } else if (c == kBase64 || c == kHex) {
        Hash hash{};
        GC_TRY_VOID(Take(hash));
        json += c == kHex ? ToHex(hash) : ToBase64(hash);
      } else if (c == kOpened) {
        if (opened_ == fields.size()) return Fail(Bad("it opens more commitments than it discloses fields"));
        auto& [name, field] = fields[opened_++];
        GC_TRY_VOID(Take(field.salt));
        json += ToBase64(Commitment(field.salt, name, field.value));
      } else {
        json += c;
      }
    }
    return json;
  }
  Status CheckEnd(size_t fields) const {
    if (bytes_.empty() && opened_ == fields) return Ok();
    return Fail(Bad("it has bytes or fields that its text does not use"));
  }

 private:
  template <size_t kBytes>
  Status Take(std::array<uint8_t, kBytes>& into) {
    if (bytes_.size() < kBytes) return Fail(Bad("it is cut off"));
    std::copy_n(bytes_.begin(), kBytes, into.begin());
    bytes_.remove_prefix(kBytes);
    return Ok();
  }

  std::string_view bytes_;
  size_t opened_ = 0;
};

Result<std::string> ExpandPhrases(std::string_view text) {
  std::string expanded;
  for (const char c : text) {
    if (c < kFirstPhrase || c >= ' ' || c == '\n') {
      expanded += c;
    } else {
      expanded += kPhrases[static_cast<size_t>(c - kFirstPhrase - (c > '\n' ? 1 : 0))];
    }
    if (expanded.size() > kTextBytesMax) return Fail(Bad("it is too long"));
  }
  return expanded;
}

Result<std::vector<std::pair<std::string, DisclosedField>>> FieldsFrom(std::string_view disclosed) {
  GC_TRY(const boost::json::value value, json::ParseCanonical(disclosed));
  if (!value.is_object()) return Fail(Bad("what it discloses is no object"));
  std::vector<std::pair<std::string, DisclosedField>> fields;
  for (const auto& member : value.get_object()) {
    if (!member.value().is_string()) return Fail(Bad("a disclosed field is no string"));
    fields.emplace_back(member.key(),
                        DisclosedField{.salt = {}, .value = std::string(member.value().get_string())});
  }
  return fields;
}

}  // namespace

Result<std::string> WriteCompact(const std::string& disclosed, const std::string& entry,
                                 const std::map<std::string, DisclosedField>& fields) {
  if (disclosed.size() + entry.size() >= kTextBytesMax) return Fail(Bad("it is too long"));
  Writer writer(fields);
  writer.Add(disclosed);
  writer.AddLineEnd();
  writer.Add(entry);
  if (writer.HasFieldsLeft())
    return Fail(Error::FailedPrecondition("a field to disclose is not what the entry commits to"));
  return std::move(writer).Finish();
}

Result<Disclosure> ReadCompact(std::string_view extra) {
  const size_t end = extra.find(kEnd);
  if (!extra.starts_with(kCompactForm) || end == extra.npos) return Fail(Bad("it is cut off"));
  GC_TRY(const std::string text, ExpandPhrases(extra.substr(1, end - 1)));
  const size_t line_end = text.find('\n');
  if (line_end == text.npos) return Fail(Bad("it has one part where two are needed"));
  Reader reader(extra.substr(end + 1));
  std::vector<std::pair<std::string, DisclosedField>> none, fields;
  GC_TRY(const std::string disclosed, reader.Expand(std::string_view(text).substr(0, line_end), none));
  GC_TRY(fields, FieldsFrom(disclosed));
  Disclosure disclosure;
  GC_TRY(disclosure.entry, reader.Expand(std::string_view(text).substr(line_end + 1), fields));
  GC_TRY_VOID(reader.CheckEnd(fields.size()));
  disclosure.fields = {fields.begin(), fields.end()};
  return disclosure;
}

}  // namespace glasscase::ledger
