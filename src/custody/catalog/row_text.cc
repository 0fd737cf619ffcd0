#include <glasscase/catalog/row_text.h>

#include <algorithm>

#include <charconv>

namespace glasscase::catalog {
namespace {

Error Damaged() { return Error::DataLoss("the catalog holds a damaged description of a tensor"); }

std::string EscapeName(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

Result<std::string> UnescapeName(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
    } else if (++i < text.size() && text[i] == '\\') {
      out += '\\';
    } else if (i < text.size() && text[i] == 'n') {
      out += '\n';
    } else {
      return Fail(Damaged());
    }
  }
  return out;
}

Result<std::vector<int64_t>> ShapeFromText(std::string_view text) {
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') return Fail(Damaged());
  text = text.substr(1, text.size() - 2);
  std::vector<int64_t> shape;
  while (!text.empty()) {
    int64_t dimension = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), dimension);
    if (error != std::errc() || dimension < -1 || shape.size() == kRankMax) return Fail(Damaged());
    shape.push_back(dimension);
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    if (text.empty()) break;
    if (text.front() != ',' || text.size() == 1) return Fail(Damaged());
    text.remove_prefix(1);
  }
  return shape;
}

Result<TensorSpec> TensorFromLine(std::string_view line) {
  const size_t first = line.find(' ');
  const size_t second = first == line.npos ? line.npos : line.find(' ', first + 1);
  if (second == line.npos) return Fail(Damaged());
  const auto datatype = DataTypeFromName(line.substr(0, first));
  if (!datatype) return Fail(Damaged());
  TensorSpec spec;
  spec.datatype = *datatype;
  GC_TRY(spec.shape, ShapeFromText(line.substr(first + 1, second - first - 1)));
  GC_TRY(spec.name, UnescapeName(line.substr(second + 1)));
  return spec;
}

}  // namespace

std::string TensorsToText(const std::vector<TensorSpec>& tensors) {
  std::string text;
  for (const TensorSpec& tensor : tensors) {
    text += DataTypeName(tensor.datatype);
    text += " " + ShapeText(tensor.shape) + " " + EscapeName(tensor.name) + "\n";
  }
  return text;
}

Result<std::vector<TensorSpec>> TensorsFromText(std::string_view text) {
  std::vector<TensorSpec> tensors;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    if (end == text.npos) return Fail(Damaged());
    GC_TRY(TensorSpec spec, TensorFromLine(text.substr(0, end)));
    tensors.push_back(std::move(spec));
    text.remove_prefix(end + 1);
  }
  return tensors;
}

std::string LinesToText(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::vector<std::string> LinesFromText(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    lines.emplace_back(line);
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return lines;
}

std::string FieldsToText(const std::vector<Field>& fields) {
  std::string text;
  for (const Field& field : fields) text += field.key + "=" + field.value + "\n";
  return text;
}

Result<std::vector<Field>> FieldsFromText(std::string_view text) {
  std::vector<Field> fields;
  for (const std::string& line : LinesFromText(text)) {
    const size_t equals = line.find('=');
    if (equals == line.npos) return Fail(Error::DataLoss("the catalog holds a damaged free field"));
    fields.push_back({.key = line.substr(0, equals), .value = line.substr(equals + 1)});
  }
  return fields;
}

}  // namespace glasscase::catalog
