// Whatever a chain node answers: no crash, and what is believed is within its bounds.
#include "refusals.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  using namespace glasscase::ledger::evm;
  const auto answer = ParseRpcAnswer(AsText({data, size}), 1);
  if (!answer) {
    GC_CHECK(answer.error().code() == Code::kDataLoss);
    return 0;
  }
  if (const auto* const error = std::get_if<RpcError>(&*answer)) {
    RevertOf(*error);
    WhySendWasRefused(*error);
    GC_CHECK(ErrorOf(*error, "host").message().size() < 2000);
    return 0;
  }
  const auto& result = std::get<boost::json::value>(*answer);
  if (const auto number = ReadQuantity(result, "it"))
    GC_CHECK(ReadQuantityCapped(result, "it").value() == *number);
  if (const auto bytes = ReadData(result, "it")) {
    AbiReader(*bytes).ReadUuid();
    AbiReader(*bytes).ReadAddress();
    if (const auto text = AbiReader(*bytes).ReadOnlyString(100)) GC_CHECK(text->size() <= 100);
  }
  ReadHash(result, "it");
  ReadBlock(result);
  ReadReceipt(result);
  ReadFeeHistory(result);
  ReadEvents(result);
  return 0;
}
