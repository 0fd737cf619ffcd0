// Recipes: all that decides the result of a run (api/formats/recipe.md).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/core/ids.h>

namespace glasscase::training {

inline constexpr uint32_t kWallSecondsMax =
    30 * 86'400;  // that a run, a translation or a worker may be given

// A version of an asset, as it is called; or resolved, with the digest of its bytes.
struct Reference {
  std::string name;  // as it was written; empty where it was written resolved
  Uuid version{};
  Digest sha256{};
  bool is_resolved = false;
};

enum class Role : uint8_t { kTrain, kTest };

struct Dataset {
  Reference version;
  Role role = Role::kTrain;
};

struct Environment {
  std::string runner;  // or
  std::optional<Digest> lock{};
  std::string image{};  // "registry.example/name@sha256:..."
  std::string platform{};
};

// Instruction sets and kernels that libraries are held to; "off": whatever the machine has.
struct Pins {
  std::string blas = "Haswell";
  std::string onednn = "AVX2";
  std::string torch = "avx2";
  std::string numpy = "AVX2";
};

struct RunLimits {
  uint32_t cpus = 1;
  uint64_t memory_bytes = uint64_t{2} << 30;
  uint64_t disk_bytes = uint64_t{4} << 30;
  uint32_t wall_s = 3'600;
  uint32_t processes = 256;
};

// What translates the result, where the native translator does not read it and it is not the recipe's own
// runner.
struct TranslationWish {
  bool is_wanted = false;
  std::string runner{};  // empty: that of the recipe
  std::optional<Digest> lock{};
  uint32_t wall_s = 0;  // 0: as long as a translation may take where nobody says
};

struct Recipe {
  static constexpr size_t kBytesMax = 65'536;
  static constexpr size_t kDatasetsMax = 64;

  Environment environment;
  Reference code;
  std::map<std::string, Dataset> data;
  std::vector<std::string> command;
  uint32_t seed = 0;
  uint32_t threads = 1;
  Pins pins{};
  uint64_t clock = 315'532'800;
  std::string locale = "C.UTF-8";
  std::string timezone = "UTC";
  mode_t umask = 022;
  RunLimits limits{};
  TranslationWish translation{};

  // InvalidArgument says which member is wrong, and what it may be.
  static Result<Recipe> Parse(std::string_view text);
  // As it is handed in: refuses also a pin, a locale and a time zone that nothing knows, which an earlier
  // version of this program may have recorded.
  static Result<Recipe> ParseAsked(std::string_view text);
  // The one text of a recipe that is resolved; FailedPrecondition names what is not.
  Result<std::string> Canonical() const;
  // SHA-256 of that.
  Result<Digest> Identity() const;

  // All variables that its run sees. `programs` is what PATH is.
  std::map<std::string, std::string> Variables(const std::string& programs) const;
};

std::string_view RoleName(Role role);  // "train"

// A name under /in/data: letters, digits, '-', '_' and '.', not first; at most kDatasetNameBytesMax.
inline constexpr size_t kDatasetNameBytesMax = 64;
bool IsDatasetName(std::string_view name);

}  // namespace glasscase::training
