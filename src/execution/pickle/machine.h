// Follows one pickle's opcodes without doing what they say: the stack and the memo hold only what names and
// arrays are made of.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/pickle/names.h>

#include "opcodes.h"

namespace glasscase::pickle {

// Collects the names of all pickles of a file.
class Collector {
 public:
  // Gives a number to mark it as called with.
  size_t Add(std::string module, std::string attribute);
  const Name& At(size_t number) const { return names_[number]; }
  void MarkCalled(size_t number) { names_[number].called = true; }
  void AddProblem(std::string problem);
  // One more opcode; false when there were too many.
  bool Step() { return ++steps_ <= kStepsMax; }
  void CountPickle() { ++pickles_; }
  Names Take();

 private:
  std::map<std::pair<std::string, std::string>, size_t> places_;
  std::vector<Name> names_;
  std::vector<std::string> problems_;
  uint64_t steps_ = 0;
  uint64_t pickles_ = 0;
};

class Machine {
 public:
  // `depth`: how many pickles this one is inside of.
  Machine(ByteSpan bytes, Collector& collector, unsigned depth = 0)
      : bytes_(bytes), collector_(collector), depth_(depth) {}

  // Follows the pickle at the beginning. Gives where it ends, or nothing after a problem was added.
  std::optional<size_t> Run();
  // The first pickle of what torch.save wrote before it wrote archives.
  bool is_torch_magic() const { return is_torch_magic_; }

 private:
  enum class Kind : uint8_t { kOther, kUnset, kNumber, kText, kUnescaped, kName, kTuple, kDict, kCall };
  struct Value {
    Kind kind = Kind::kOther;
    uint64_t payload = 0;  // the number; place and size of a text; place in a list below
  };
  struct Tuple {
    std::vector<Value> items;
  };
  struct Dict {
    std::vector<std::pair<Value, Value>> items;
  };
  // An object that a name was called for.
  struct Call {
    size_t name = 0;
    Value arguments;
    bool of_objects = false;  // of a dtype: elements are pickled
  };

  // All give false after a problem was added.
  bool Stop(std::string problem);
  bool ReadArgument(Form form);
  bool ReadLine(std::string_view& line);
  bool Apply(Opcode opcode);
  bool ApplyText(Opcode opcode);
  bool ApplyName(Opcode opcode);
  bool ApplyContainer(Opcode opcode);
  bool ApplyMemo(Opcode opcode);
  bool ApplyRest(Opcode opcode);
  bool Push(Value value);
  bool Pop(Value& value);
  bool Drop(size_t count);
  bool PopToMark(std::vector<Value>& items);
  bool Put(uint64_t place);
  bool Get(uint64_t place);
  bool PushTop(size_t count);  // a tuple of so many values from the top
  bool PushTuple(std::vector<Value> items);
  bool PushDict(std::vector<Value> items);
  bool AddItems(std::vector<Value> items);
  bool PushText(std::string_view text);
  bool PushUnescaped(std::string text);
  bool PushName(std::string module, std::string attribute);
  bool PushCall(Value callee, Value arguments);
  bool StackGlobal();
  bool Build();
  bool SkipArray(const Dict& state);
  bool SkipObjects();

  bool MayKeep(size_t values);
  std::optional<std::string> TextOf(Value value) const;
  bool IsCallOf(Value value, std::string_view module, std::string_view attribute) const;
  std::optional<uint64_t> ElementBytes(const Call& dtype) const;  // nothing: of objects, or not known
  size_t fence() const { return marks_.empty() ? 0 : marks_.back(); }

  const ByteSpan bytes_;
  Collector& collector_;
  const unsigned depth_;
  size_t at_ = 0;
  uint64_t number_ = 0;              // of the opcode's argument
  std::string_view first_, second_;  // its text or line, and the second line
  std::vector<Value> stack_;
  std::vector<size_t> marks_;
  std::vector<Value> memo_;
  size_t memoized_ = 0;
  std::vector<std::string> unescaped_;
  std::vector<Tuple> tuples_;
  std::vector<Dict> dicts_;
  std::vector<Call> calls_;
  size_t kept_ = 0;  // values in the lists above
  bool is_torch_magic_ = false;
};

}  // namespace glasscase::pickle
