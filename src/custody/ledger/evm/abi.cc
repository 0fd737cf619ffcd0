#include "abi.h"

#include <algorithm>

#include "keccak.h"

namespace glasscase::ledger::evm {
namespace {

Error NotAsAsked() {
  return Error::DataLoss("a contract gave something else than it was asked for: is this its address?");
}

bool AllZero(ByteSpan bytes) {
  return std::ranges::all_of(bytes, [](uint8_t byte) { return byte == 0; });
}

}  // namespace

Word WordOf(uint64_t number) {
  Word word{};
  for (size_t i = 0; i < 8; ++i) word[31 - i] = static_cast<uint8_t>(number >> (8 * i));
  return word;
}

Word WordOf(const Uuid& id) {
  Word word{};
  std::ranges::copy(id.bytes, word.begin());
  return word;
}

Word WordOf(const Address& address) {
  Word word{};
  std::ranges::copy(address, word.begin() + 12);
  return word;
}

Word TopicOf(std::string_view signature) { return Keccak256(AsBytes(signature)); }

std::array<uint8_t, 4> SelectorOf(std::string_view signature) {
  const Word topic = TopicOf(signature);
  return {topic[0], topic[1], topic[2], topic[3]};
}

AbiWriter::AbiWriter(std::string_view signature) {
  const auto selector = SelectorOf(signature);
  bytes_.assign(selector.begin(), selector.end());
}

AbiWriter& AbiWriter::Add(const Word& word) {
  bytes_.insert(bytes_.end(), word.begin(), word.end());
  return *this;
}

AbiWriter& AbiWriter::AddLastString(size_t arguments, std::string_view text) {
  Add(WordOf(arguments * sizeof(Word)));  // where it begins
  Add(WordOf(text.size()));
  bytes_.insert(bytes_.end(), text.begin(), text.end());
  bytes_.resize(bytes_.size() + (sizeof(Word) - text.size() % sizeof(Word)) % sizeof(Word));
  return *this;
}

Result<Word> AbiReader::ReadWord() {
  if (bytes_.size() - at_ < sizeof(Word)) return Fail(NotAsAsked());
  Word word;
  std::ranges::copy(bytes_.subspan(at_, sizeof(Word)), word.begin());
  at_ += sizeof(Word);
  return word;
}

Result<uint64_t> AbiReader::ReadNumber() {
  GC_TRY(const Word word, ReadWord());
  if (!AllZero(ByteSpan(word).first(24))) return Fail(NotAsAsked());
  uint64_t number = 0;
  for (size_t i = 24; i < 32; ++i) number = number << 8 | word[i];
  return number;
}

Result<Uuid> AbiReader::ReadUuid() {
  GC_TRY(const Word word, ReadWord());
  if (!AllZero(ByteSpan(word).subspan(16))) return Fail(NotAsAsked());
  Uuid id;
  std::copy_n(word.begin(), 16, id.bytes.begin());
  return id;
}

Result<Address> AbiReader::ReadAddress() {
  GC_TRY(const Word word, ReadWord());
  if (!AllZero(ByteSpan(word).first(12))) return Fail(NotAsAsked());
  Address address;
  std::copy_n(word.begin() + 12, 20, address.begin());
  return address;
}

Result<std::string> AbiReader::ReadOnlyString(size_t bytes_max) {
  GC_TRY(const uint64_t begin, ReadNumber());
  GC_TRY(const uint64_t size, ReadNumber());
  if (begin != sizeof(Word) || size > bytes_max || size > bytes_.size() - at_) return Fail(NotAsAsked());
  return std::string(AsText(bytes_.subspan(at_, static_cast<size_t>(size))));
}

}  // namespace glasscase::ledger::evm
