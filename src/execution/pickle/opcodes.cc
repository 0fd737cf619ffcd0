#include "opcodes.h"

namespace glasscase::pickle {

std::optional<Form> FormOf(uint8_t opcode) {
  using enum Opcode;
  switch (static_cast<Opcode>(opcode)) {
    case kFloat:
    case kInt:
    case kLong:
    case kPersistentId:
    case kString:
    case kUnicode:
    case kGet:
    case kPut: return Form{Argument::kLine, 0};
    case kGlobal:
    case kInst: return Form{Argument::kTwoLines, 0};
    case kBinInt1:
    case kBinGet:
    case kBinPut:
    case kProtocol:
    case kExtension1: return Form{Argument::kFixed, 1};
    case kBinInt2:
    case kExtension2: return Form{Argument::kFixed, 2};
    case kBinInt:
    case kLongBinGet:
    case kLongBinPut:
    case kExtension4: return Form{Argument::kFixed, 4};
    case kBinFloat:
    case kFrame: return Form{Argument::kFixed, 8};
    case kShortBinString:
    case kShortBinBytes:
    case kShortBinUnicode:
    case kLong1: return Form{Argument::kSized, 1};
    case kBinString:
    case kBinUnicode:
    case kBinBytes:
    case kLong4: return Form{Argument::kSized, 4};
    case kBinUnicode8:
    case kBinBytes8:
    case kByteArray8: return Form{Argument::kSized, 8};
    case kMark:
    case kStop:
    case kPop:
    case kPopMark:
    case kDup:
    case kNone:
    case kBinPersistentId:
    case kReduce:
    case kAppend:
    case kBuild:
    case kDict:
    case kAppends:
    case kList:
    case kObj:
    case kSetItem:
    case kTuple:
    case kSetItems:
    case kEmptyDict:
    case kEmptyList:
    case kEmptyTuple:
    case kNewObj:
    case kTuple1:
    case kTuple2:
    case kTuple3:
    case kNewTrue:
    case kNewFalse:
    case kEmptySet:
    case kAddItems:
    case kFrozenSet:
    case kNewObjEx:
    case kStackGlobal:
    case kMemoize:
    case kNextBuffer:
    case kReadOnlyBuffer: return Form{};
  }
  return std::nullopt;
}

}  // namespace glasscase::pickle
