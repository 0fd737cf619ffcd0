// `glasscase-custodian --initialise DIR`: makes an installation; safe to repeat.
#pragma once

#include <string>

#include <glasscase/core/clock.h>
#include <glasscase/core/error.h>
#include <glasscase/crypto/random.h>

namespace glasscase::custodian {

struct InitialiseOptions {
  std::string directory{};
  std::string owner = "owner";
  bool new_token = false;  // when the installation exists: a further token for its first subject
};

// One line of JSON: installation, subject, created, and token when there is a new one.
Result<std::string> Initialise(const InitialiseOptions& options, const Clock& clock, RandomSource& random);

}  // namespace glasscase::custodian
