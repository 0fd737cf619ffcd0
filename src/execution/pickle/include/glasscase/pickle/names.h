// What a pickle would import, found without executing anything.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <glasscase/core/bytes.h>

namespace glasscase::pickle {

// Beyond these a pickle is too large to be followed, which is a problem of its report.
inline constexpr uint64_t kStepsMax = 100'000'000;
inline constexpr size_t kValuesMax = 4'000'000;
inline constexpr size_t kNamesMax = 10'000;
inline constexpr uint64_t kInflatedBytesMax = uint64_t{256} << 20;  // of all compressed members of a file

// One thing that opening imports.
struct Name {
  std::string module;     // as the pickle writes it: Python 2's `__builtin__` stays that
  std::string attribute;  // may have dots
  bool called = false;    // as a function, or to make an object of the class

  std::string Text() const { return module + "." + attribute; }
};

// A name that is put together while the pickle is opened: module and attribute are this.
inline constexpr char kComputed[] = "computed";

struct Names {
  std::vector<Name> names;            // in the order of module and attribute, each once
  std::vector<std::string> problems;  // what could not be followed, for people
  uint64_t pickles = 0;

  // "os.system, numpy.ndarray and 3 more", printable.
  std::string Text(size_t shown = 8) const;
};

// True when the file is a pickle, or an archive or a compressed file that holds one. What has no magic bytes
// (protocols 0 and 1) is one when it can be read to its end. Thread-safe.
bool IsPickle(ByteSpan file);

// Whatever the bytes are, gives what was found. `pickles` is 0 when it is no pickle and holds none.
// Thread-safe.
Names ReadNames(ByteSpan file);

}  // namespace glasscase::pickle
