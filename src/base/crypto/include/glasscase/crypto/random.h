// Randomness from the kernel.
#pragma once

#include <span>

#include <cstdint>

namespace glasscase {

// Thread-safe.
class RandomSource {
 public:
  virtual ~RandomSource() = default;
  virtual void Fill(std::span<uint8_t> out) = 0;
};

// getrandom(2); aborts when the kernel has none to give.
class SystemRandom final : public RandomSource {
 public:
  void Fill(std::span<uint8_t> out) override;
};

}  // namespace glasscase
