// For tests: signs and checks what lies on disk, and our own statements.
//
//   provenance_tool sign KEY.pem PATH OUT [SHARD_BYTES]     PATH: a folder or a file; OUT may lie in the
//   folder provenance_tool verify PUBLIC.pem PATH SIGNATURE        prints what was signed and what was not
//   provenance_tool publish KEY.pem OUT                     a publish statement with fixed contents
//   provenance_tool open PUBLIC.pem BUNDLE                  prints the statement that a bundle holds
//   provenance_tool canonical                               prints each line of its input as canonical JSON
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include <glasscase/json/canonical.h>
#include <glasscase/provenance/bundle.h>
#include <glasscase/provenance/model_signature.h>
#include <glasscase/provenance/publish.h>

namespace {

namespace fs = std::filesystem;
// A program of one file, and nobody includes it.
using namespace glasscase;              // NOLINT(google-build-using-namespace)
using namespace glasscase::provenance;  // NOLINT(google-build-using-namespace)

Result<std::string> ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Fail(Error::NotFound("cannot read " + path.string()));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

Status WriteFile(const fs::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file << text << std::flush;
  return file ? Ok() : Status(Fail(Error::Internal("cannot write " + path.string())));
}

Status HashFile(ResourceHasher& hasher, const fs::path& path, const std::string& name) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Fail(Error::NotFound("cannot read " + path.string()));
  hasher.Begin(name);
  char buffer[65536];
  while (file.read(buffer, sizeof buffer), file.gcount() > 0)
    hasher.Update(AsBytes({buffer, static_cast<size_t>(file.gcount())}));
  hasher.End();
  return Ok();
}

Result<std::vector<Resource>> HashAll(const fs::path& path, uint64_t shard_bytes,
                                      const fs::path& leave_out = {}) {
  ResourceHasher hasher(shard_bytes);
  if (!fs::is_directory(path)) {
    GC_TRY_VOID(HashFile(hasher, path, std::string(kTheFileItself)));
    return hasher.Take();
  }
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    if (entry.is_symlink()) return Fail(Error::InvalidArgument("a symbolic link: " + entry.path().string()));
    const fs::path name = entry.path().lexically_relative(path);
    if (entry.is_regular_file() && name != leave_out) {
      GC_TRY_VOID(HashFile(hasher, entry.path(), name.generic_string()));
    }
  }
  return hasher.Take();
}

Result<std::vector<EcdsaPublicKey>> LoadPublicKey(const fs::path& path) {
  GC_TRY(const std::string pem, ReadFile(path));
  GC_TRY(EcdsaPublicKey key, EcdsaPublicKey::FromPem(pem));
  return std::vector<EcdsaPublicKey>{std::move(key)};
}

Result<EcdsaPrivateKey> LoadPrivateKey(const fs::path& path) {
  GC_TRY(std::string pem, ReadFile(path));
  return EcdsaPrivateKey::FromPem(Secret(std::move(pem)));
}

Status Sign(const fs::path& key_path, const fs::path& model, const fs::path& out, uint64_t shard_bytes) {
  GC_TRY(const EcdsaPrivateKey key, LoadPrivateKey(key_path));
  const fs::path signature_name = out.lexically_relative(model);
  Serialization serialization{.shard_bytes = shard_bytes};
  if (fs::is_directory(model) && *signature_name.begin() != "..")
    serialization.ignore_paths.push_back(signature_name.generic_string());
  GC_TRY(auto resources, HashAll(model, shard_bytes, signature_name));
  GC_TRY(const std::string text,
         SignModel(fs::canonical(model).filename().string(), std::move(resources), serialization, key));
  return WriteFile(out, text);
}

Status Verify(const fs::path& key_path, const fs::path& model_path, const fs::path& signature_path) {
  GC_TRY(const auto keys, LoadPublicKey(key_path));
  GC_TRY(const std::string text, ReadFile(signature_path));
  GC_TRY(const SignedModel model, OpenModelSignature(text, keys));
  GC_TRY(const auto resources, HashAll(model_path, model.serialization.shard_bytes));
  const std::string name = signature_path.lexically_relative(model_path).generic_string();
  GC_TRY(const Checked checked, model.Check(resources, {.signature_path = name}));
  std::cout << "signed " << model.name << " " << ToHex(model.digest) << "\n";
  for (const Resource& resource : model.resources)
    std::cout << ToHex(resource.sha256) << "  " << resource.name << "\n";
  for (const std::string& path : checked.unsigned_paths) std::cout << "unsigned " << path << "\n";
  return Ok();
}

Status Publish(const fs::path& key_path, const fs::path& out) {
  GC_TRY(const EcdsaPrivateKey key, LoadPrivateKey(key_path));
  GC_TRY(const std::string text, SignStatement(MakePublishStatement({
                                                   .publisher = Commitment{Sha256(AsBytes("salt ada"))},
                                                   .asset = Uuid::Random(),
                                                   .asset_name = "ada/digits",
                                                   .version = Uuid::Random(),
                                                   .version_label = "1",
                                                   .manifest = Sha256(AsBytes("manifest")),
                                                   .media_type = "application/onnx",
                                                   .licence = "Apache-2.0",
                                                   .ledger = LedgerPlace{"example.org/log", 41},
                                               }),
                                               key));
  return WriteFile(out, text);
}

Status Open(const fs::path& key_path, const fs::path& bundle_path) {
  GC_TRY(const auto keys, LoadPublicKey(key_path));
  GC_TRY(const std::string text, ReadFile(bundle_path));
  GC_TRY(const SignedStatement opened, OpenStatement(text, keys));
  if (opened.statement.predicate_type == kPublishPredicate)
    GC_TRY_VOID(ReadPublishStatement(opened.statement));
  GC_TRY(const std::string statement, WriteStatement(opened.statement));
  std::cout << statement << "\n";
  return Ok();
}

Status PrintCanonical() {
  for (std::string line; std::getline(std::cin, line);) {
    GC_TRY(const auto value, json::Parse(line));
    GC_TRY(const std::string canonical, json::WriteCanonical(value));
    std::cout << canonical << "\n";
  }
  return Ok();
}

Status Run(const std::vector<std::string>& words) {
  const std::string act = words.empty() ? "" : words[0];
  if (act == "sign" && words.size() == 4) return Sign(words[1], words[2], words[3], 0);
  if (act == "sign" && words.size() == 5) return Sign(words[1], words[2], words[3], std::stoull(words[4]));
  if (act == "verify" && words.size() == 4) return Verify(words[1], words[2], words[3]);
  if (act == "publish" && words.size() == 3) return Publish(words[1], words[2]);
  if (act == "open" && words.size() == 3) return Open(words[1], words[2]);
  if (act == "canonical" && words.size() == 1) return PrintCanonical();
  return Fail(Error::InvalidArgument(
      "use: sign | verify | publish | open | canonical, see the head of provenance_tool.cc"));
}

}  // namespace

int main(int argc, char** argv) {
  const Status done = Run({argv + 1, argv + argc});
  if (done) return 0;
  std::cerr << "provenance_tool: " << done.error().message() << "\n";
  return 1;
}
