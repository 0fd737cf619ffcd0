#include <glasscase/provenance/model_signature.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include <glasscase/json/object_reader.h>
#include <glasscase/provenance/bundle.h>
#include <glasscase/provenance/statement.h>

namespace glasscase::provenance {

using json::Element;
using json::ObjectReader;

namespace {

constexpr size_t kNamesToldMax = 8;

// ---- names
// ----------------------------------------------------------------------------------------------------------

bool IsRelativePath(std::string_view path) {
  if (path == kTheFileItself) return true;
  if (path.empty() || !IsUtf8(path)) return false;
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (std::any_of(path.begin(), path.end(), is_control)) return false;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part = path.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

std::optional<uint64_t> ParseOffset(std::string_view text) {
  uint64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || std::to_string(value) != text) return {};
  return value;
}

// The path in the name of a resource, or nothing when the name cannot be one.
std::optional<std::string_view> PathOf(std::string_view name, uint64_t shard_bytes) {
  if (shard_bytes != 0) {
    const size_t second = name.rfind(':');
    if (second == std::string_view::npos || second == 0) return {};
    const size_t first = name.rfind(':', second - 1);
    if (first == std::string_view::npos) return {};
    const auto begin = ParseOffset(name.substr(first + 1, second - first - 1));
    const auto end = ParseOffset(name.substr(second + 1));
    if (!begin || !end || *begin % shard_bytes != 0 || *end <= *begin || *end - *begin > shard_bytes)
      return {};
    name = name.substr(0, first);
  }
  if (!IsRelativePath(name)) return {};
  return name;
}

Status CheckNames(std::span<const Resource> resources, uint64_t shard_bytes) {
  if (resources.empty()) return Fail(Error::InvalidArgument("a model without files cannot be signed"));
  bool has_file_itself = false;
  bool has_other = false;
  std::vector<std::string_view> names;
  for (const Resource& resource : resources) {
    const auto path = PathOf(resource.name, shard_bytes);
    if (!path)
      return Fail(Error::InvalidArgument("\"" + Printable(resource.name) +
                                         "\" is not the relative path of a file" +
                                         (shard_bytes == 0 ? "" : " with the begin and end of a shard")));
    (*path == kTheFileItself ? has_file_itself : has_other) = true;
    names.push_back(resource.name);
  }
  if (has_file_itself && (has_other || (shard_bytes == 0 && resources.size() > 1)))
    return Fail(
        Error::InvalidArgument("\".\" names a model that is one file: no other file can stand beside it"));
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice == names.end()) return Ok();
  return Fail(Error::InvalidArgument("\"" + Printable(*twice) + "\" is named twice"));
}

// ---- the predicate
// --------------------------------------------------------------------------------------------------

// What stands beside a digest. model-signing gives shards a name of their own, and compares it too.
std::string AlgorithmName(uint64_t shard_bytes) {
  return shard_bytes == 0 ? "sha256" : "sha256-sharded-" + std::to_string(shard_bytes);
}

boost::json::object WritePredicate(std::span<const Resource> resources, const Serialization& serialization) {
  boost::json::object how{{"method", serialization.shard_bytes == 0 ? "files" : "shards"},
                          {"hash_type", "sha256"},
                          {"allow_symlinks", serialization.allow_symlinks}};
  if (serialization.shard_bytes != 0) how["shard_size"] = serialization.shard_bytes;
  if (!serialization.ignore_paths.empty()) {
    boost::json::array paths;
    for (const std::string& path : serialization.ignore_paths) paths.push_back(boost::json::string(path));
    how["ignore_paths"] = std::move(paths);
  }
  const std::string algorithm = AlgorithmName(serialization.shard_bytes);
  boost::json::array list;
  for (const Resource& resource : resources)
    list.push_back(boost::json::object{
        {"name", resource.name}, {"algorithm", algorithm}, {"digest", ToHex(resource.sha256)}});
  return {{"serialization", std::move(how)}, {"resources", std::move(list)}};
}

Result<Serialization> ReadSerialization(const ObjectReader& how) {
  GC_TRY(const std::string hash, how.String("hash_type"));
  if (hash != "sha256")
    return Fail(Error::Unimplemented("the model was signed with " + Printable(hash, 40) +
                                     " digests; only sha256 is "
                                     "checked here: sign it again with that"));
  Serialization serialization{.ignore_paths = {}};
  GC_TRY(const std::string method, how.String("method"));
  if (method == "shards") {
    GC_TRY(serialization.shard_bytes, how.Whole("shard_size"));
    if (serialization.shard_bytes == 0) return Fail(how.Wrong("shard_size", "must not be 0"));
  } else if (method != "files") {
    return Fail(Error::Unimplemented("unknown serialization method " + Printable(method, 40) +
                                     "; files and shards are known"));
  }
  GC_TRY(serialization.allow_symlinks, how.Bool("allow_symlinks"));
  if (!how.Has("ignore_paths")) return serialization;
  GC_TRY(const auto* paths, how.Array("ignore_paths"));
  for (const auto& path : *paths) {
    if (!path.is_string()) return Fail(how.Wrong("ignore_paths", "must hold strings"));
    serialization.ignore_paths.emplace_back(path.get_string());
  }
  return serialization;
}

Result<std::vector<Resource>> ReadResources(const ObjectReader& predicate, uint64_t shard_bytes) {
  GC_TRY(const auto* list, predicate.Array("resources"));
  std::vector<Resource> resources;
  resources.reserve(list->size());
  for (size_t i = 0; i < list->size(); ++i) {
    GC_TRY(const ObjectReader entry, ObjectReader::Open((*list)[i], Element("predicate.resources", i)));
    GC_TRY(const std::string algorithm, entry.String("algorithm"));
    if (algorithm != "sha256" && algorithm != AlgorithmName(shard_bytes))
      return Fail(Error::Unimplemented(entry.path() + " has a " + Printable(algorithm, 40) +
                                       " digest; only sha256 is checked here"));
    Resource resource;
    GC_TRY(resource.name, entry.String("name"));
    GC_TRY(resource.sha256, entry.Sha256("digest"));
    resources.push_back(std::move(resource));
  }
  return resources;
}

// ---- comparing
// ------------------------------------------------------------------------------------------------------

bool LiesAtOrBelow(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

// Paths that lead out of the folder, or name all of it, ignore nothing: no file's path begins with them.
bool IsIgnored(std::string_view path, std::string_view ignored) {
  while (ignored.starts_with("./")) ignored.remove_prefix(2);
  while (ignored.ends_with('/')) ignored.remove_suffix(1);
  return LiesAtOrBelow(path, ignored);
}

bool IsIgnored(std::string_view path, std::span<const std::string> ignored) {
  return std::any_of(ignored.begin(), ignored.end(),
                     [&](const std::string& one) { return IsIgnored(path, one); });
}

// The names of one kind of difference, as a clause of the error.
struct Difference {
  const char* what;
  std::vector<std::string> names;

  void AppendTo(std::string& message) const {
    if (names.empty()) return;
    message += message.empty() ? "" : "; ";
    message += what;
    for (size_t i = 0; i < std::min(names.size(), kNamesToldMax); ++i)
      message += (i == 0 ? ": " : ", ") + Printable(names[i]);
    if (names.size() > kNamesToldMax)
      message += " and " + std::to_string(names.size() - kNamesToldMax) + " more";
  }
};

}  // namespace

std::vector<std::string> GitPaths() { return {".git", ".gitattributes", ".github", ".gitignore"}; }

Digest ModelDigest(std::span<const Resource> resources) {
  Sha256Stream hash;
  for (const Resource& resource : resources) hash.Update(resource.sha256);
  return hash.Finish();
}

Result<std::string> SignModel(std::string_view model_name, std::vector<Resource> resources,
                              const Serialization& serialization, const EcdsaPrivateKey& key) {
  std::erase_if(resources, [&](const Resource& resource) {
    const auto path = PathOf(resource.name, serialization.shard_bytes);
    return path && IsIgnored(*path, serialization.ignore_paths);
  });
  GC_TRY_VOID(CheckNames(resources, serialization.shard_bytes));
  // UTF-8 sorts like the code points that the specification orders by.
  std::sort(resources.begin(), resources.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return SignStatement({.subjects = {{std::string(model_name), ModelDigest(resources)}},
                        .predicate_type = std::string(kModelSignaturePredicate),
                        .predicate = WritePredicate(resources, serialization)},
                       key);
}

Result<SignedModel> OpenModelSignature(std::string_view bundle, std::span<const EcdsaPublicKey> keys) {
  GC_TRY(const SignedStatement opened, OpenStatement(bundle, keys));
  const Statement& statement = opened.statement;
  if (statement.predicate_type != kModelSignaturePredicate)
    return Fail(Error::InvalidArgument("not the signature of a model: the statement is a " +
                                       Printable(statement.predicate_type)));
  if (statement.subjects.size() != 1)
    return Fail(Error::InvalidArgument("a model signature has one subject, this has " +
                                       std::to_string(statement.subjects.size())));
  const boost::json::value predicate_value(statement.predicate);
  GC_TRY(const ObjectReader predicate, ObjectReader::Open(predicate_value, "predicate"));
  GC_TRY(const ObjectReader how, predicate.Object("serialization"));
  SignedModel model{
      .name = statement.subjects[0].name, .serialization = {}, .resources = {}, .key = opened.key};
  GC_TRY(model.serialization, ReadSerialization(how));
  GC_TRY(model.resources, ReadResources(predicate, model.serialization.shard_bytes));
  GC_TRY_VOID(CheckNames(model.resources, model.serialization.shard_bytes));
  model.digest = ModelDigest(model.resources);
  if (model.digest != statement.subjects[0].sha256)
    return Fail(Error::InvalidArgument(
        "the signature contradicts itself: subject=" + ToHex(statement.subjects[0].sha256) +
        ", of its resources=" + ToHex(model.digest)));
  return model;
}

Result<Checked> SignedModel::Check(std::span<const Resource> files, const CheckOptions& options) const {
  std::map<std::string_view, const Digest*> wanted;
  for (const Resource& resource : resources) wanted.emplace(resource.name, &resource.sha256);
  std::map<std::string_view, bool> given;
  Difference changed{"differs from what was signed", {}};
  Difference missing{"signed but missing", {}};
  Difference extra{"not signed", {}};
  Checked checked;
  std::vector<std::string> ignored = options.ignore_git_paths ? GitPaths() : std::vector<std::string>();
  ignored.insert(ignored.end(), serialization.ignore_paths.begin(), serialization.ignore_paths.end());
  ignored.emplace_back(options.signature_path);
  for (const Resource& file : files) {
    if (!given.emplace(file.name, true).second)
      return Fail(Error::InvalidArgument("\"" + Printable(file.name) + "\" was given twice"));
    const auto path = PathOf(file.name, serialization.shard_bytes);
    if (const auto found = wanted.find(file.name); found != wanted.end()) {
      if (*found->second != file.sha256) changed.names.push_back(file.name);
    } else if (path && IsIgnored(*path, ignored)) {
      checked.unsigned_paths.emplace_back(*path);
    } else {
      extra.names.push_back(file.name);
    }
  }
  for (const Resource& resource : resources)
    if (!given.contains(resource.name)) missing.names.push_back(resource.name);

  std::string message;
  for (const Difference* difference : {&changed, &missing, &extra}) difference->AppendTo(message);
  if (!message.empty())
    return Fail(Error::InvalidArgument("the model is not the one that was signed: " + message));
  return checked;
}

Result<SignedModel> CheckModel(std::string_view bundle, std::span<const Resource> files,
                               std::span<const EcdsaPublicKey> keys, const CheckOptions& options) {
  GC_TRY(SignedModel model, OpenModelSignature(bundle, keys));
  GC_TRY_VOID(model.Check(files, options));
  return model;
}

}  // namespace glasscase::provenance
