// What a run that translates a version into ONNX was asked for (api/formats/translation-recipe.md).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <glasscase/training/recipe.h>

namespace glasscase::training {

// Who translates: the program of this installation, of that version; or a runner's converter.
struct Translator {
  std::string version;  // empty: a runner does it
  std::string runner{};
  Digest lock{};  // of the runner
  bool IsNative() const { return runner.empty(); }
};

struct TranslationRecipe {
  static constexpr uint32_t kOpsetMax = 1'000;
  static constexpr uint32_t kWallSeconds = 3'600;  // where nobody says
  static constexpr uint32_t kWallSecondsMax = training::kWallSecondsMax;
  static constexpr uint64_t kDataFileBytesMax = uint64_t{256} << 20;
  static constexpr size_t kDataFilesMax = 16;  // of all datasets

  Reference source;
  std::optional<Reference> code{};  // that a state dict belongs to
  Translator translator;
  uint32_t opset = 0;         // 0: the one that the translator chooses
  std::string exporter{};     // "torchscript", "dynamo"; empty: the library's first
  bool allow_pickle = false;  // the source's owner lets the runner's sandbox open it
  // What the source was trained and tested on, by the name of its folder: from its range the evidence draws.
  std::map<std::string, Reference> data{};
  uint32_t wall_s = 0;  // 0: nobody said

  // Whether a file of a dataset may tell a range: CSV, NPY and NPZ of a bounded size.
  static bool MayTellRange(std::string_view path, uint64_t bytes);

  // Puts a dataset in under that name; where another version has it, with a number behind, for which a long
  // name is cut. Nothing is put in beyond kDatasetsMax, twice, or under what is no name for a folder.
  void AddData(std::string_view name, const Reference& dataset);

  uint32_t WallSeconds() const { return wall_s != 0 ? wall_s : kWallSeconds; }

  // InvalidArgument unless it is empty or one that some library has.
  static Status CheckExporter(std::string_view name);
  // Of the canonical form only: every reference is resolved. InvalidArgument says which member is wrong.
  static Result<TranslationRecipe> Parse(std::string_view text);
  Result<std::string> Canonical() const;
};

}  // namespace glasscase::training
