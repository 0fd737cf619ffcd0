#include "statement.h"

#include <charconv>
#include <cstring>

namespace glasscase::catalog::postgres {
namespace {

// pg_type.dat of PostgreSQL: fixed for ever.
constexpr unsigned kBool = 16;
constexpr unsigned kBytea = 17;
constexpr unsigned kInt8 = 20;
constexpr unsigned kText = 25;
constexpr unsigned kUuid = 2950;

std::string BigEndian(int64_t value) {
  std::string bytes(8, '\0');
  auto left = static_cast<uint64_t>(value);
  for (size_t i = 8; i-- > 0; left >>= 8) bytes[i] = static_cast<char>(left & 0xff);
  return bytes;
}

template <typename Bytes>
bool CopyWhole(std::string_view value, Bytes& into) {
  if (value.size() != into.size()) return false;
  std::memcpy(into.data(), value.data(), into.size());
  return true;
}

}  // namespace

std::string_view ResultRow::Value(int column, unsigned type) {
  if (IsNull(column) || PQftype(result_, column) != type) {
    damaged_ = true;
    return {};
  }
  return {PQgetvalue(result_, row_, column), static_cast<size_t>(PQgetlength(result_, row_, column))};
}

int64_t ResultRow::Integer(int column) {
  const std::string_view bytes = Value(column, kInt8);
  if (bytes.size() != 8) {
    damaged_ = true;
    return 0;
  }
  uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return static_cast<int64_t>(value);
}

std::optional<int64_t> ResultRow::IntegerOrNull(int column) {
  if (IsNull(column)) return std::nullopt;
  return Integer(column);
}

bool ResultRow::Flag(int column) {
  const std::string_view bytes = Value(column, kBool);
  return bytes.size() == 1 && bytes[0] != 0;
}

std::string ResultRow::Text(int column) { return std::string(Value(column, kText)); }
std::string ResultRow::Blob(int column) { return std::string(Value(column, kBytea)); }

Uuid ResultRow::Id(int column) {
  Uuid id;
  if (!CopyWhole(Value(column, kUuid), id.bytes)) damaged_ = true;
  return id;
}
Uuid ResultRow::IdOrNil(int column) { return IsNull(column) ? Uuid{} : Id(column); }

Digest ResultRow::DigestAt(int column) {
  Digest digest{};
  if (!CopyWhole(Value(column, kBytea), digest)) damaged_ = true;
  return digest;
}
std::optional<Digest> ResultRow::DigestOrNull(int column) {
  if (IsNull(column)) return std::nullopt;
  return DigestAt(column);
}

bool CanBeKept(std::string_view text) { return text.find('\0') == text.npos && IsUtf8(text); }

Statement& Statement::BindNull() {
  parameters_.emplace_back();
  return *this;
}
Statement& Statement::Bind(int64_t value) {
  parameters_.push_back({.bytes = BigEndian(value), .binary = true});
  return *this;
}
Statement& Statement::Bind(std::string_view text) {
  if (!CanBeKept(text))
    refused_ = Error::InvalidArgument("the catalog keeps text in UTF-8 without NUL: " + Printable(text));
  parameters_.push_back({.bytes = std::string(text), .binary = false});
  return *this;
}
Statement& Statement::BindBlob(std::string_view bytes) {
  parameters_.push_back({.bytes = std::string(bytes), .binary = true});
  return *this;
}
Statement& Statement::Bind(const Uuid& id) { return BindBlob(id.AsBytes()); }
Statement& Statement::Bind(const Digest& digest) { return BindBlob(AsText(digest)); }
Statement& Statement::Bind(const std::optional<Digest>& digest) {
  return digest ? Bind(*digest) : BindNull();
}
Statement& Statement::Bind(const std::optional<int64_t>& value) { return value ? Bind(*value) : BindNull(); }
Statement& Statement::Bind(const std::optional<Uuid>& id) { return id ? Bind(*id) : BindNull(); }
Statement& Statement::BindIdOrNull(const Uuid& id) { return id.IsNil() ? BindNull() : Bind(id); }
Statement& Statement::BindFlag(bool flag) {
  return BindBlob(flag ? std::string_view("\1", 1) : std::string_view("\0", 1));
}

Status Statement::Execute() {
  if (refused_) return Fail(*refused_);
  GC_TRY(result_, connection_.Run(sql_, parameters_));
  return Ok();
}

Result<bool> Statement::Step() {
  if (result_ == nullptr) GC_TRY_VOID(Execute());
  if (next_row_ >= PQntuples(result_.get())) return false;
  row_ = ResultRow(result_.get(), next_row_++);
  return true;
}

Result<int64_t> Statement::Run() {
  GC_TRY_VOID(Execute());
  const std::string_view written = PQcmdTuples(result_.get());
  int64_t count = 0;
  std::from_chars(written.data(), written.data() + written.size(), count);
  return count;
}

}  // namespace glasscase::catalog::postgres
