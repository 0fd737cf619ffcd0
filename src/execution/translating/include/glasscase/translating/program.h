// glasscase-translator, as those who start it see it.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include <glasscase/core/error.h>

namespace glasscase::translating {

inline constexpr char kProgram[] = "glasscase-translator";
// What it has where; its standard output tells how far it is.
inline constexpr int kModelFd = 3;     // a plain file, read
inline constexpr int kOnnxFd = 4;      // becomes the ONNX file, unless the evidence does not hold
inline constexpr int kEvidenceFd = 5;  // becomes the evidence (api/formats/translation-evidence.md)
inline constexpr int kDataFd = 6;      // and upwards: files of datasets, read; each with a word --data NAME
inline constexpr size_t kDataFilesMax = 16;
inline constexpr uint64_t kDataBytesMax = uint64_t{256}
                                          << 20;  // of one of them; of more, the evidence says so
// Words: --data NAME for each of those, in their order; --seconds N, of processor time (default: 3,600; at
// most kSecondsMax).
inline constexpr uint64_t kSecondsMax = uint64_t{30} * 86'400;
// --only names: the file is not translated. Its summary is {"pickles":N,"imports":"os.system and 3 more"},
// what it would import if it were opened as the pickle that it is, or holds.
inline constexpr char kOnlyWord[] = "--only";
inline constexpr char kNames[] = "names";
inline constexpr char kDataWord[] = "--data";
inline constexpr char kSecondsWord[] = "--seconds";

// "comparing", 1024 of 30000.
struct Step {
  std::string name;
  uint64_t done = 0;
  uint64_t total = 0;
};

// Hears what the program prints. It has read a foreign file, so its words are foreign too: whoever shows them
// makes them printable.
class Listener {
 public:
  explicit Listener(std::function<void(const Step&)> on_step) : on_step_(std::move(on_step)) {}

  // In pieces of any size. What is no line of the program's is passed over.
  void Hear(std::string_view printed);

  // When it has ended: its summary. FailedPrecondition with its reason; with `how_it_ended` ("exit code 137")
  // where it gave none.
  Result<boost::json::object> Outcome(bool ended_well, std::string_view how_it_ended) const;

 private:
  static constexpr size_t kLineBytesMax = 65'536;
  void HearLine();

  std::function<void(const Step&)> on_step_;
  std::string line_;
  boost::json::object summary_;
  std::string reason_;
};

}  // namespace glasscase::translating
