// Any bytes as a receipt: what is read has one spelling, and no entry is in a log that did not sign.
#include <glasscase/ledger/receipt.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  using namespace glasscase::ledger;
  static const Policy policy =
      Policy::Parse(
          "log example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k\nquorum none\n")
          .value();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto receipt = Receipt::Parse(text);
  if (!receipt) return 0;
  GC_CHECK(receipt->ToString() == text);
  GC_CHECK(!CheckReceipt(*receipt, "an entry that was never logged", policy));
  return 0;
}
