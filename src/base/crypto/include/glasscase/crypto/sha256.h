// SHA-256 (FIPS 180-4) through OpenSSL's block functions. The one-shot functions of OpenSSL 3 look the
// algorithm up at every call, which costs more than hashing a token does (measured: sha256.cc).
#pragma once

#include <memory>

#include <glasscase/core/bytes.h>

namespace glasscase {

// Of all parts, one after the other. Thread-safe.
Digest Sha256(ByteSpan bytes);
Digest Sha256(ByteSpan first, ByteSpan second);

// Streamed. Not thread-safe.
class Sha256Stream {
 public:
  Sha256Stream();
  Sha256Stream(Sha256Stream&&) noexcept;
  Sha256Stream& operator=(Sha256Stream&&) noexcept;
  ~Sha256Stream();
  void Update(ByteSpan bytes);
  Digest Finish();  // then starts anew

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// "SHA extensions" or "no SHA instructions": which of the two the decision benchmark ran on.
bool CpuHasShaInstructions();

}  // namespace glasscase
