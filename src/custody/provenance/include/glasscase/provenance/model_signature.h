// OpenSSF model signing (OMS) v1.0 with a key: one detached text that names every file of a model with its
// SHA-256. Works on names and digests, not on paths: who hashes what, and where it lies, is the caller's.
//
//   GC_TRY(auto text, SignModel("digits", {{"model.onnx", digest}}, {}, key));
//   GC_TRY(auto model, OpenModelSignature(text, keys));    // signed by one of them
//   GC_TRY(auto checked, model.Check(resources, {}));      // and these are the files
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/crypto/ecdsa.h>
#include <glasscase/crypto/sha256.h>

namespace glasscase::provenance {

inline constexpr std::string_view kModelSignaturePredicate = "https://model_signing/signature/v1.0";

// The name of the one file of a model that is a file and not a folder.
inline constexpr std::string_view kTheFileItself = ".";

// A file, or with shards a part of one: then its name is "path:begin:end", and empty files have none. Paths
// are relative to the model's folder, UTF-8, with '/' between parts.
struct Resource {
  std::string name;
  Digest sha256{};
  bool operator==(const Resource&) const = default;
};

// What need not be signed at the top of a folder, says the specification, besides the signature itself.
std::vector<std::string> GitPaths();  // .git, .gitattributes, .github, .gitignore

// How the files became resources. Signed with them.
struct Serialization {
  uint64_t shard_bytes = 0;     // 0: a file is one resource
  bool allow_symlinks = false;  // what the signer did; nothing is followed here
  // Not signed, with all that lies below them. Checkers of others leave the git paths out unless told
  // otherwise, so signing one makes it "missing" to them.
  std::vector<std::string> ignore_paths = GitPaths();
};

// Makes the resources of files whose bytes come in order. One thread.
class ResourceHasher {
 public:
  explicit ResourceHasher(uint64_t shard_bytes = 0) : shard_bytes_(shard_bytes) {}
  void Begin(std::string_view path);
  void Update(ByteSpan bytes);
  void End();
  std::vector<Resource> Take() { return std::move(resources_); }

 private:
  void EndShard();
  uint64_t shard_bytes_;
  std::string path_;
  uint64_t shard_begin_ = 0;
  uint64_t position_ = 0;
  Sha256Stream hash_;
  std::vector<Resource> resources_;
};

// The digest by which a model is one thing: SHA-256 over the digests of its resources, in the order given.
Digest ModelDigest(std::span<const Resource> resources);

// A bundle's text. Orders the resources by name. InvalidArgument: no resources, a name twice, a name that is
// not a relative path.
Result<std::string> SignModel(std::string_view model_name, std::vector<Resource> resources,
                              const Serialization& serialization, const EcdsaPrivateKey& key);

struct CheckOptions {
  // Where the signature itself lies in the folder, if there.
  std::string_view signature_path = {};
  // .git, .gitattributes, .github and .gitignore at the top need not be signed.
  bool ignore_git_paths = true;
};

struct Checked {
  // Files that were given but not signed, and need not be. What they hold is nobody's word.
  std::vector<std::string> unsigned_paths;
};

struct SignedModel {
  std::string name;  // informative: the name of the folder or file when it was signed
  Digest digest{};   // ModelDigest
  Serialization serialization;
  std::vector<Resource> resources;  // in the order of the signature
  size_t key = 0;                   // which of the given keys has signed

  // `files`: all files of the model, hashed as `serialization` says. InvalidArgument names the first files,
  // up to eight, that differ, are missing or are neither signed nor to be ignored.
  Result<Checked> Check(std::span<const Resource> files, const CheckOptions& options) const;
};

// As OpenStatement (bundle.h), and the statement must be a model signature. Unimplemented: digests other than
// SHA-256.
Result<SignedModel> OpenModelSignature(std::string_view bundle, std::span<const EcdsaPublicKey> keys);

// Both steps, where the caller knows the serialization beforehand.
Result<SignedModel> CheckModel(std::string_view bundle, std::span<const Resource> files,
                               std::span<const EcdsaPublicKey> keys, const CheckOptions& options = {});

}  // namespace glasscase::provenance
