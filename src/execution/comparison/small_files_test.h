// Files of each format, small enough to read.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <glasscase/onnx/write.h>

namespace glasscase::comparison {

template <typename Number>
std::string AsRaw(const std::vector<Number>& numbers) {
  std::string raw(numbers.size() * sizeof(Number), '\0');
  std::memcpy(raw.data(), numbers.data(), raw.size());
  return raw;
}

inline std::string Little(uint64_t number, size_t bytes) {
  return AsRaw<uint64_t>({number}).substr(0, bytes);
}

template <typename Number>
std::string NpyFile(const std::string& type, const std::string& shape, const std::vector<Number>& numbers) {
  const std::string header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
  return "\x93NUMPY\x01" + std::string(1, '\0') + Little(header.size(), 2) + header + AsRaw(numbers);
}

inline std::string SafetensorsFile(const std::vector<float>& numbers, const std::string& note = "x") {
  const std::string header = R"({"__metadata__":{"note":")" + note + R"("},"w":{"dtype":"F32","shape":[)" +
                             std::to_string(numbers.size()) + R"(],"data_offsets":[0,)" +
                             std::to_string(numbers.size() * sizeof(float)) + "]}}";
  return Little(header.size(), 8) + header + AsRaw(numbers);
}

// Stored, with `time` as the time of each entry. Checksums are left at 0: nobody here looks at them.
inline std::string ZipFile(const std::vector<std::pair<std::string, std::string>>& entries, uint16_t time) {
  std::string file;
  std::string directory;
  for (const auto& [name, content] : entries) {
    const std::string common = Little(20, 2) + Little(0, 4) + Little(time, 2) + Little(0, 6) +
                               Little(content.size(), 4) + Little(content.size(), 4) + Little(name.size(), 2);
    directory +=
        "PK\x01\x02" + Little(20, 2) + common + std::string(12, '\0') + Little(file.size(), 4) + name;
    file += "PK\x03\x04" + common + Little(0, 2) + name + content;
  }
  const std::string counts = Little(entries.size(), 2) + Little(entries.size(), 2);
  const std::string end =
      "PK\x05\x06" + Little(0, 4) + counts + Little(directory.size(), 4) + Little(file.size(), 4);
  return file + directory + end + Little(0, 2);
}

inline std::string OnnxFile(const std::vector<float>& weights, std::string_view origin) {
  onnx::ModelWriter writer("g", origin);
  const auto width = static_cast<int64_t>(weights.size());
  writer.AddInput({.name = "x", .datatype = DataType::kFp32, .shape = {-1, width}});
  writer.AddOutput({.name = "y", .datatype = DataType::kFp32, .shape = {-1, width}});
  writer.AddConstant("w", {width}, weights);
  writer.AddNode({.type = "Add", .inputs = {"x", "w"}, .outputs = {"y"}});
  return writer.Finish().value();
}

}  // namespace glasscase::comparison
