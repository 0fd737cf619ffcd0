// Checksums by which a sender says what it sent: SHA-256, and SHA-1 where a protocol asks for it. Against
// accidents; nothing is ever named, stored or signed by a SHA-1.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include <glasscase/core/bytes.h>

namespace glasscase {

enum class ChecksumKind : uint8_t { kSha1, kSha256 };

// "sha1", "sha256".
std::optional<ChecksumKind> ChecksumKindFromName(std::string_view name);
std::string_view ChecksumName(ChecksumKind kind);
size_t ChecksumBytes(ChecksumKind kind);

// Streamed. Not thread-safe.
class ChecksumStream {
 public:
  explicit ChecksumStream(ChecksumKind kind);
  ChecksumStream(ChecksumStream&&) noexcept;
  ~ChecksumStream();
  void Update(ByteSpan bytes);
  Bytes Finish();  // once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace glasscase
