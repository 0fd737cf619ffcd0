#include "machine.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "text.h"

namespace glasscase::pickle {
namespace {

constexpr size_t kNameBytesMax = 1'000;
constexpr size_t kProblemsMax = 20;
constexpr size_t kItemsKept = 64;  // of one tuple or dict; shapes and states of arrays have fewer
constexpr unsigned kDepthMax = 16;
constexpr unsigned kTextSizeBits = 24;
constexpr size_t kUnescapedBytesMax = 1 << 16;
constexpr std::array<uint8_t, 10> kTorchMagic = {0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};

uint64_t LittleEndian(ByteSpan bytes) {
  uint64_t number = 0;
  for (size_t i = bytes.size(); i-- > 0;) number = number << 8 | bytes[i];
  return number;
}

bool ReadNumber(std::string_view text, uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

size_t Collector::Add(std::string module, std::string attribute) {
  module.resize(std::min(module.size(), kNameBytesMax));
  attribute.resize(std::min(attribute.size(), kNameBytesMax));
  const auto found = places_.find({module, attribute});
  if (found != places_.end()) return found->second;
  if (names_.size() >= kNamesMax) {
    AddProblem("it has more than " + std::to_string(kNamesMax) + " names");
    return names_.size() - 1;
  }
  places_.emplace(std::pair(module, attribute), names_.size());
  names_.push_back({std::move(module), std::move(attribute)});
  return names_.size() - 1;
}

void Collector::AddProblem(std::string problem) {
  const bool known = std::find(problems_.begin(), problems_.end(), problem) != problems_.end();
  if (!known && problems_.size() < kProblemsMax) problems_.push_back(std::move(problem));
}

Names Collector::Take() {
  std::sort(names_.begin(), names_.end(), [](const Name& a, const Name& b) {
    return std::tie(a.module, a.attribute) < std::tie(b.module, b.attribute);
  });
  return {std::move(names_), std::move(problems_), pickles_};
}

std::optional<size_t> Machine::Run() {
  while (at_ < bytes_.size()) {
    const uint8_t byte = bytes_[at_++];
    const std::optional<Form> form = FormOf(byte);
    if (!form) {
      Stop("byte " + std::to_string(at_ - 1) + " is no opcode");
      return std::nullopt;
    }
    if (!collector_.Step()) {
      Stop("it has too many opcodes to be followed");
      return std::nullopt;
    }
    if (!ReadArgument(*form)) return std::nullopt;
    const auto opcode = static_cast<Opcode>(byte);
    if (opcode == Opcode::kStop) {
      Value result;
      if (!Pop(result)) return std::nullopt;
      return at_;
    }
    if (!Apply(opcode)) return std::nullopt;
  }
  Stop("it is cut off");
  return std::nullopt;
}

bool Machine::Stop(std::string problem) {
  collector_.AddProblem(std::move(problem));
  return false;
}

// ---- arguments ----

bool Machine::ReadArgument(Form form) {
  const auto left = [&] { return bytes_.size() - at_; };
  switch (form.argument) {
    case Argument::kNothing: return true;
    case Argument::kLine: return ReadLine(first_);
    case Argument::kTwoLines: return ReadLine(first_) && ReadLine(second_);
    case Argument::kFixed:
    case Argument::kSized: break;
  }
  if (left() < form.bytes) return Stop("it is cut off");
  number_ = LittleEndian(bytes_.subspan(at_, form.bytes));
  at_ += form.bytes;
  if (form.argument == Argument::kFixed) return true;
  if (left() < number_) return Stop("it is cut off");
  first_ = AsText(bytes_.subspan(at_, number_));
  at_ += number_;
  return true;
}

bool Machine::ReadLine(std::string_view& line) {
  const std::string_view rest = AsText(bytes_.subspan(at_));
  const size_t end = rest.find('\n');
  if (end == std::string_view::npos) return Stop("it is cut off");
  line = rest.substr(0, end);
  at_ += end + 1;
  return true;
}

// ---- opcodes ----

bool Machine::Apply(Opcode opcode) {
  using enum Opcode;
  switch (opcode) {
    case kString:
    case kUnicode:
    case kBinString:
    case kShortBinString:
    case kBinUnicode:
    case kShortBinUnicode:
    case kBinUnicode8: return ApplyText(opcode);
    case kGlobal:
    case kInst:
    case kStackGlobal:
    case kExtension1:
    case kExtension2:
    case kExtension4:
    case kReduce:
    case kNewObj:
    case kNewObjEx:
    case kObj:
    case kBuild: return ApplyName(opcode);
    case kTuple:
    case kTuple1:
    case kTuple2:
    case kTuple3:
    case kEmptyTuple:
    case kEmptyDict:
    case kDict:
    case kSetItem:
    case kSetItems:
    case kList:
    case kFrozenSet:
    case kAppend:
    case kAppends:
    case kAddItems: return ApplyContainer(opcode);
    case kPut:
    case kBinPut:
    case kLongBinPut:
    case kMemoize:
    case kGet:
    case kBinGet:
    case kLongBinGet: return ApplyMemo(opcode);
    default: return ApplyRest(opcode);
  }
}

bool Machine::ApplyText(Opcode opcode) {
  if (opcode == Opcode::kUnicode) {
    if (first_.find('\\') == std::string_view::npos) return PushText(first_);
    return PushUnescaped(UnescapeRawUnicode(first_.substr(0, kUnescapedBytesMax)));
  }
  if (opcode == Opcode::kString) {
    const bool quoted = first_.size() >= 2 && first_.front() == first_.back() &&
                        (first_.front() == '\'' || first_.front() == '"');
    if (!quoted) return Stop("a text is not in quotes");
    const std::string_view inner = first_.substr(1, first_.size() - 2);
    if (inner.find('\\') == std::string_view::npos) return PushText(inner);
    return PushUnescaped(UnescapeString(inner.substr(0, kUnescapedBytesMax)));
  }
  return PushText(first_);
}

bool Machine::ApplyName(Opcode opcode) {
  using enum Opcode;
  Value callee;
  Value arguments;
  Value ignored;
  std::vector<Value> items;
  switch (opcode) {
    case kGlobal: return PushName(std::string(first_), std::string(second_));
    case kStackGlobal: return StackGlobal();
    case kExtension1:
    case kExtension2:
    case kExtension4:  // what copyreg's table of this process has under that number
      return PushName("copyreg", "extension " + std::to_string(number_));
    case kInst:
      if (!PopToMark(items) || !PushName(std::string(first_), std::string(second_)) || !Pop(callee))
        return false;
      return PushCall(callee, {});
    case kObj:
      if (!PopToMark(items)) return false;
      if (items.empty()) return Stop("an object has no class");
      return PushCall(items.front(), {});
    case kNewObjEx: return Pop(ignored) && Pop(arguments) && Pop(callee) && PushCall(callee, arguments);
    case kBuild: return Build();
    default: return Pop(arguments) && Pop(callee) && PushCall(callee, arguments);
  }
}

bool Machine::ApplyContainer(Opcode opcode) {
  using enum Opcode;
  std::vector<Value> items;
  Value value;
  Value key;
  switch (opcode) {
    case kEmptyTuple: return PushTuple({});
    case kTuple1: return PushTop(1);
    case kTuple2: return PushTop(2);
    case kTuple3: return PushTop(3);
    case kTuple: return PopToMark(items) && PushTuple(std::move(items));
    case kEmptyDict: return PushDict({});
    case kDict: return PopToMark(items) && PushDict(std::move(items));
    case kSetItem: return Pop(value) && Pop(key) && AddItems({key, value});
    case kSetItems: return PopToMark(items) && AddItems(std::move(items));
    case kAppend: return Pop(value) && AddItems({});
    case kAppends:
    case kAddItems: return PopToMark(items) && AddItems({});
    default:  // a list or a set
      return PopToMark(items) && Push({});
  }
}

bool Machine::ApplyMemo(Opcode opcode) {
  using enum Opcode;
  switch (opcode) {
    case kPut:
    case kGet:
      if (!ReadNumber(first_, number_)) return Stop("a number of the memo cannot be read");
      return opcode == kPut ? Put(number_) : Get(number_);
    case kBinPut:
    case kLongBinPut: return Put(number_);
    case kMemoize: return Put(memoized_);
    default: return Get(number_);
  }
}

bool Machine::ApplyRest(Opcode opcode) {
  using enum Opcode;
  Value value;
  switch (opcode) {
    case kProtocol: return number_ <= 5 || Stop("protocol " + std::to_string(number_) + " is not known");
    case kFrame:
    case kReadOnlyBuffer: return true;
    case kMark:
      if (marks_.size() >= kValuesMax) return Stop("it nests too deep to be followed");
      marks_.push_back(stack_.size());
      return true;
    case kPop:  // where nothing is above a mark, the mark
      if (stack_.size() == fence() && !marks_.empty()) {
        marks_.pop_back();
        return true;
      }
      return Pop(value);
    case kPopMark: {
      std::vector<Value> items;
      return PopToMark(items);
    }
    case kDup:
      if (stack_.size() == fence()) return Stop("it takes more than there is");
      return Push(stack_.back());
    case kBinPersistentId: return Pop(value) && Push({});
    case kBinInt:
    case kBinInt1:
    case kBinInt2: return Push({Kind::kNumber, number_});
    case kInt:
    case kLong:
      if (first_.ends_with('L')) first_.remove_suffix(1);
      return Push(ReadNumber(first_, number_) ? Value{Kind::kNumber, number_} : Value{});
    case kLong1:
    case kLong4: {
      const ByteSpan bytes = AsBytes(first_);
      if (std::equal(bytes.begin(), bytes.end(), kTorchMagic.begin(), kTorchMagic.end()))
        is_torch_magic_ = true;
      return Push(bytes.size() <= sizeof(uint64_t) ? Value{Kind::kNumber, LittleEndian(bytes)} : Value{});
    }
    default:  // None, booleans, floats, bytes, empty lists and sets, persistent names, buffers
      return Push({});
  }
}

// ---- the stack and the memo ----

bool Machine::Push(Value value) {
  if (stack_.size() >= kValuesMax) return Stop("it keeps too many values to be followed");
  stack_.push_back(value);
  return true;
}

bool Machine::Pop(Value& value) {
  if (stack_.size() <= fence()) return Stop("it takes more than there is");
  value = stack_.back();
  stack_.pop_back();
  return true;
}

bool Machine::PopToMark(std::vector<Value>& items) {
  if (marks_.empty()) return Stop("it takes more than there is");
  const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  const auto kept = std::min<std::ptrdiff_t>(stack_.end() - first, 2 * kItemsKept + 1);
  items.assign(first, first + kept);
  stack_.resize(marks_.back());
  marks_.pop_back();
  return true;
}

bool Machine::Put(uint64_t place) {
  if (stack_.size() <= fence()) return Stop("it takes more than there is");
  if (place >= kValuesMax) return Stop("its memo has too many places to be followed");
  if (place >= memo_.size())
    memo_.resize(std::max<size_t>(place + 1, std::min(kValuesMax, 2 * memo_.size())), {Kind::kUnset, 0});
  if (memo_[place].kind == Kind::kUnset) ++memoized_;
  memo_[place] = stack_.back();
  return true;
}

bool Machine::Get(uint64_t place) {
  if (place >= memo_.size() || memo_[place].kind == Kind::kUnset)
    return Stop("it takes something from its memo that is not there");
  return Push(memo_[place]);
}

bool Machine::MayKeep(size_t values) {
  if (values > kItemsKept || kept_ + values + 1 > kValuesMax) return false;
  kept_ += values + 1;
  return true;
}

bool Machine::PushTop(size_t count) {
  std::vector<Value> items(count);
  for (size_t i = count; i-- > 0;) {
    if (!Pop(items[i])) return false;
  }
  return PushTuple(std::move(items));
}

bool Machine::PushTuple(std::vector<Value> items) {
  if (!MayKeep(items.size())) return Push({});
  tuples_.push_back({std::move(items)});
  return Push({Kind::kTuple, tuples_.size() - 1});
}

bool Machine::PushDict(std::vector<Value> items) {
  if (!MayKeep(0)) return Push({});
  dicts_.emplace_back();
  return Push({Kind::kDict, dicts_.size() - 1}) && AddItems(std::move(items));
}

// To the dict on the top; other containers are not kept.
bool Machine::AddItems(std::vector<Value> items) {
  if (stack_.size() <= fence()) return Stop("it takes more than there is");
  const Value top = stack_.back();
  if (top.kind != Kind::kDict) return true;
  Dict& dict = dicts_[top.payload];
  for (size_t i = 0; i + 1 < items.size() && dict.items.size() < kItemsKept && MayKeep(2); i += 2)
    dict.items.emplace_back(items[i], items[i + 1]);
  return true;
}

// ---- texts and names ----

bool Machine::PushText(std::string_view text) {
  if (text.size() >> kTextSizeBits != 0) return Push({});
  const auto place = static_cast<uint64_t>(text.data() - AsText(bytes_).data());
  return Push({Kind::kText, place << kTextSizeBits | text.size()});
}

bool Machine::PushUnescaped(std::string text) {
  if (!MayKeep(text.size() / sizeof(Value) % kItemsKept)) return Push({});
  unescaped_.push_back(std::move(text));
  return Push({Kind::kUnescaped, unescaped_.size() - 1});
}

std::optional<std::string> Machine::TextOf(Value value) const {
  if (value.kind == Kind::kUnescaped) return unescaped_[value.payload];
  if (value.kind != Kind::kText) return std::nullopt;
  const uint64_t size = value.payload & ((uint64_t{1} << kTextSizeBits) - 1);
  return std::string(
      AsText(bytes_).substr(value.payload >> kTextSizeBits, std::min<uint64_t>(size, kNameBytesMax)));
}

bool Machine::PushName(std::string module, std::string attribute) {
  return Push({Kind::kName, collector_.Add(std::move(module), std::move(attribute))});
}

bool Machine::StackGlobal() {
  Value module;
  Value attribute;
  if (!Pop(attribute) || !Pop(module)) return false;
  return PushName(TextOf(module).value_or(kComputed), TextOf(attribute).value_or(kComputed));
}

// An object of the class, or what the function gives; only those that arrays are made of are kept.
bool Machine::PushCall(Value callee, Value arguments) {
  if (callee.kind != Kind::kName) return Push({});
  collector_.MarkCalled(callee.payload);
  const std::string text = collector_.At(callee.payload).Text();
  const bool kept = text == "numpy.dtype" || text == "joblib.numpy_pickle.NumpyArrayWrapper";
  if (!kept || !MayKeep(1)) return Push({});
  calls_.push_back({.name = callee.payload, .arguments = arguments});
  return Push({Kind::kCall, calls_.size() - 1});
}

bool Machine::IsCallOf(Value value, std::string_view module, std::string_view attribute) const {
  if (value.kind != Kind::kCall) return false;
  const Name& name = collector_.At(calls_[value.payload].name);
  return name.module == module && name.attribute == attribute;
}

// Sets the state of the object below.
bool Machine::Build() {
  Value state;
  if (!Pop(state)) return false;
  if (stack_.size() <= fence()) return Stop("it takes more than there is");
  const Value object = stack_.back();
  if (object.kind == Kind::kName) collector_.MarkCalled(object.payload);
  constexpr size_t kFlags = 7;  // in the state of a dtype
  constexpr uint64_t kHasObjects = 1;
  if (IsCallOf(object, "numpy", "dtype") && state.kind == Kind::kTuple) {
    const std::vector<Value>& items = tuples_[state.payload].items;
    if (items.size() > kFlags && items[kFlags].kind == Kind::kNumber &&
        (items[kFlags].payload & kHasObjects) != 0)
      calls_[object.payload].of_objects = true;
  }
  if (!IsCallOf(object, "joblib.numpy_pickle", "NumpyArrayWrapper")) return true;
  if (state.kind != Kind::kDict) return Stop("an array of joblib's cannot be followed");
  return SkipArray(Dict(dicts_[state.payload]));
}

// ---- arrays that joblib writes between the opcodes ----

bool Machine::SkipArray(const Dict& state) {
  const auto member = [&](std::string_view name) {
    for (const auto& [key, value] : state.items) {
      if (TextOf(key) == name) return value;
    }
    return Value{};
  };
  const Value dtype = member("dtype");
  const Value shape = member("shape");
  const auto unknown = [&] { return Stop("an array of joblib's cannot be followed"); };
  if (!IsCallOf(dtype, "numpy", "dtype") || shape.kind != Kind::kTuple) return unknown();
  const Call& call = calls_[dtype.payload];
  if (call.of_objects) return SkipObjects();
  const std::optional<uint64_t> element = ElementBytes(call);
  if (!element) return unknown();
  uint64_t bytes = *element;
  for (const Value size : tuples_[shape.payload].items) {
    if (size.kind != Kind::kNumber || __builtin_mul_overflow(bytes, size.payload, &bytes)) return unknown();
  }
  if (member("numpy_array_alignment_bytes").kind == Kind::kNumber) {
    if (at_ == bytes_.size()) return Stop("it is cut off");
    bytes += 1 + uint64_t{bytes_[at_]};
  }
  if (bytes > bytes_.size() - at_) return Stop("it is cut off");
  at_ += bytes;
  return true;
}

bool Machine::SkipObjects() {
  if (depth_ >= kDepthMax) return Stop("it nests too deep to be followed");
  Machine inner(bytes_.subspan(at_), collector_, depth_ + 1);
  const std::optional<size_t> end = inner.Run();
  if (!end) return false;
  at_ += *end;
  return true;
}

// From the short form that numpy pickles, such as "f8" or "V64".
std::optional<uint64_t> Machine::ElementBytes(const Call& dtype) const {
  if (dtype.arguments.kind != Kind::kTuple) return std::nullopt;
  const std::vector<Value>& items = tuples_[dtype.arguments.payload].items;
  const std::string form = items.empty() ? "" : TextOf(items.front()).value_or("");
  uint64_t bytes = 0;
  if (form.size() < 2 || form.front() == 'O' || !ReadNumber(std::string_view(form).substr(1), bytes))
    return std::nullopt;
  constexpr uint64_t kBytesOfCharacter = 4;
  constexpr uint64_t kBytesMax = uint64_t{1} << 32;
  if (bytes > kBytesMax) return std::nullopt;
  return form.front() == 'U' ? bytes * kBytesOfCharacter : bytes;
}

}  // namespace glasscase::pickle
