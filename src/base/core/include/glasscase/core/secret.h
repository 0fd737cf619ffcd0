// Values that must not be printed, copied by accident or left behind in memory.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <glasscase/core/bytes.h>

namespace glasscase {

// Overwrites memory in a way the compiler may not drop.
void WipeMemory(void* data, size_t size);

// True when equal; takes the same time wherever they differ. Lengths are not secret.
bool EqualInConstantTime(ByteSpan a, ByteSpan b);

// Whoever opens a Secret constructs one of these at that place, so a search for RevealToken lists every
// place where secrets are opened.
struct RevealToken {
  explicit RevealToken() = default;
};

// A secret string: moved, not copied; wiped when destroyed; has no stream operator.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept : value_(std::move(other.value_)) { other.Wipe(); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) {
      Wipe();
      value_ = std::move(other.value_);
      other.Wipe();
    }
    return *this;
  }
  ~Secret() { Wipe(); }

  std::string_view Reveal(RevealToken) const { return value_; }
  bool empty() const { return value_.empty(); }

 private:
  void Wipe() {
    WipeMemory(value_.data(), value_.size());
    value_.clear();
  }
  std::string value_;
};

}  // namespace glasscase
