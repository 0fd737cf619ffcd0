// Owners of what a C library frees by a function of its own, such as OpenSSL's objects.
#pragma once

#include <memory>

namespace glasscase {

template <auto Free>
struct FreeWith {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
// Owned<EVP_PKEY, EVP_PKEY_free>
template <typename T, auto Free>
using Owned = std::unique_ptr<T, FreeWith<Free>>;

}  // namespace glasscase
