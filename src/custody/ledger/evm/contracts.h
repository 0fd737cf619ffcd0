// What is sent to the contracts of contracts/, and what they give.
#pragma once

#include <optional>
#include <string>

#include <glasscase/ledger/anchor.h>

#include "abi.h"

namespace glasscase::ledger::evm {

inline constexpr size_t kUriBytesMax = 2048;

// SHA-256 of the origin line: what the anchor contract knows of it.
Digest OriginDigest(const std::string& origin);

Bytes AnchorDeployment(const std::string& origin);
Bytes RegistryDeployment();
Bytes Creation(const ModelContract& model);
Bytes Creation(const DatasetContract& dataset);
Bytes AnchorCall(const AnchorCheckpoint& checkpoint);
Bytes RegisterCall(const AssetRecord& record);
Bytes ChangeCall(const AssetChange& change);
// A read-only function without arguments.
Bytes Question(std::string_view name);
Bytes RecordQuestion(const Uuid& asset);

// nullopt when there is no record.
Result<std::optional<RecordedAsset>> ReadRecord(const Uuid& asset, ByteSpan answer);

// Which act a submission's data is, as far as a later act must know.
bool Registers(ByteSpan data, const Uuid& asset);
std::optional<uint64_t> AnchoredSize(ByteSpan data);

}  // namespace glasscase::ledger::evm
