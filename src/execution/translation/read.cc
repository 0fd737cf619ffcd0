#include <glasscase/translation/read.h>

#include <string_view>

#include <glasscase/pickle/names.h>

#include "unreadable.h"

namespace glasscase::translation {
namespace {

// Quotes are used by both JSON kinds, so the first key decides.
bool IsJson(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos || text[start] != '{') return false;
  const size_t next = text.find_first_not_of(" \t\r\n", start + 1);
  return next != std::string_view::npos && (text[next] == '"' || text[next] == '}');
}

bool IsDump(std::string_view text) {
  return text.substr(0, kNamedWithin).find("\"" + std::string(kDumpFormat) + "\"") != std::string_view::npos;
}

// A pickle by itself or in an archive: what opening it would do, for whoever decides.
Error Pickled(const pickle::Names& found) {
  std::string what = "this is a pickle, which runs code when it is opened";
  if (!found.names.empty()) what += "; it would import " + found.Text();
  for (const std::string& problem : found.problems) what += "; beyond that it cannot be followed: " + problem;
  return Unreadable(what);
}

}  // namespace

Error Unreadable(std::string_view what) {
  return Error::InvalidArgument(
      std::string(what) +
      ". What can be translated: XGBoost's model.json and model.ubj, LightGBM's model.txt, and the dump of a "
      "scikit-learn model that glasscase_dump writes");
}

Result<Model> Read(ByteSpan file) {
  const std::string_view text = AsText(file);
  if (text.empty()) return Fail(Unreadable("the file is empty"));
  if (file.size() > kFileBytesMax)
    return Fail(Error::InvalidArgument("the file has " + std::to_string(file.size()) + " bytes; at most " +
                                       std::to_string(kFileBytesMax) + " are read"));
  if (text.starts_with("tree\n") || text.starts_with("tree\r\n")) return ReadLightgbm(file);
  if (IsJson(text)) return IsDump(text) ? ReadSklearnDump(file) : ReadXgboostJson(file);
  if (text.starts_with('{')) return ReadXgboostUbj(file);
  const pickle::Names found = pickle::ReadNames(file);
  if (found.pickles > 0) return Fail(Pickled(found));
  if (text.starts_with("PK\x03\x04"))
    return Fail(Unreadable("this is an archive (zip), as PyTorch and Keras write"));
  if (text.starts_with("binf"))
    return Fail(Unreadable("this is XGBoost's old binary format: save it as .json"));
  if (text.starts_with('\x08')) return Fail(Unreadable("this looks like ONNX already: publish it as it is"));
  if (!found.problems.empty())
    return Fail(Unreadable("this may be a pickle of joblib's: " + found.problems.front()));
  return Fail(Unreadable("the file is none of the known kinds of models"));
}

}  // namespace glasscase::translation
