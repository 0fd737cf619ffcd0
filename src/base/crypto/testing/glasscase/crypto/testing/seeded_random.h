// Randomness that a test can repeat.
#pragma once

#include <random>

#include <glasscase/crypto/random.h>

namespace glasscase::testing {

class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(uint64_t seed) : engine_(seed) {}
  void Fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = static_cast<uint8_t>(engine_());
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace glasscase::testing
