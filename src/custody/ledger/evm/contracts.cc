#include "contracts.h"

#include <algorithm>

#include <glasscase/crypto/sha256.h>

#include "artefacts.h"

namespace glasscase::ledger::evm {
namespace {

constexpr std::string_view kAnchor = "anchor(uint64,bytes32)";
constexpr std::string_view kRegister = "register(bytes16,uint8,bytes32,uint64)";
constexpr std::string_view kChange = "change(bytes16,bytes32,uint64)";

AbiWriter Constructor(std::string_view code) { return AbiWriter(FromHex(code).value()); }

bool Calls(ByteSpan data, std::string_view signature) {
  const auto selector = SelectorOf(signature);
  return data.size() > selector.size() && std::ranges::equal(data.first(selector.size()), selector);
}

}  // namespace

Digest OriginDigest(const std::string& origin) { return Sha256(AsBytes(origin)); }

Bytes AnchorDeployment(const std::string& origin) {
  return std::move(Constructor(kCheckpointAnchorCode).Add(OriginDigest(origin))).Take();
}

Bytes RegistryDeployment() { return Constructor(kAssetRegistryCode).Take(); }

Bytes Creation(const ModelContract& model) {
  AbiWriter writer = Constructor(kModelAssetCode);
  writer.Add(WordOf(model.asset)).Add(model.commitment).Add(WordOf(model.trained_on));
  writer.Add(WordOf(model.tested_with)).Add(model.image).Add(WordOf(model.log_index));
  return std::move(writer).Take();
}

Bytes Creation(const DatasetContract& dataset) {
  AbiWriter writer = Constructor(kDatasetAssetCode);
  writer.Add(WordOf(dataset.asset)).Add(dataset.commitment).Add(WordOf(dataset.log_index));
  return std::move(writer.AddLastString(4, dataset.uri)).Take();
}

Bytes AnchorCall(const AnchorCheckpoint& checkpoint) {
  return std::move(AbiWriter(kAnchor).Add(WordOf(checkpoint.size)).Add(checkpoint.root)).Take();
}

Bytes RegisterCall(const AssetRecord& record) {
  AbiWriter writer(kRegister);
  writer.Add(WordOf(record.asset)).Add(WordOf(static_cast<uint64_t>(record.kind))).Add(record.commitment);
  return std::move(writer.Add(WordOf(record.log_index))).Take();
}

Bytes ChangeCall(const AssetChange& change) {
  AbiWriter writer(kChange);
  return std::move(writer.Add(WordOf(change.asset)).Add(change.commitment).Add(WordOf(change.log_index)))
      .Take();
}

Bytes Question(std::string_view name) { return AbiWriter(std::string(name) + "()").Take(); }

Bytes RecordQuestion(const Uuid& asset) {
  return std::move(AbiWriter("recordOf(bytes16)").Add(WordOf(asset))).Take();
}

Result<std::optional<RecordedAsset>> ReadRecord(const Uuid& asset, ByteSpan answer) {
  AbiReader reader(answer);
  RecordedAsset found{.record = {.asset = asset}};
  GC_TRY(found.record.commitment, reader.ReadWord());
  GC_TRY(found.record.log_index, reader.ReadNumber());
  GC_TRY(const uint64_t time, reader.ReadNumber());
  GC_TRY(const uint64_t kind, reader.ReadNumber());
  if (kind == 0) return std::optional<RecordedAsset>();
  if (kind > 2)
    return Fail(Error::DataLoss("the registry holds a record of an unknown kind: " + std::to_string(kind)));
  found.time_seconds = static_cast<int64_t>(time);
  found.record.kind = static_cast<AssetKind>(kind);
  return std::optional<RecordedAsset>(found);
}

bool Registers(ByteSpan data, const Uuid& asset) {
  if (!Calls(data, kRegister)) return false;
  const auto first = AbiReader(data.subspan(4)).ReadUuid();
  return first && *first == asset;
}

std::optional<uint64_t> AnchoredSize(ByteSpan data) {
  if (!Calls(data, kAnchor)) return std::nullopt;
  const auto first = AbiReader(data.subspan(4)).ReadNumber();
  return first ? std::optional<uint64_t>(*first) : std::nullopt;
}

}  // namespace glasscase::ledger::evm
