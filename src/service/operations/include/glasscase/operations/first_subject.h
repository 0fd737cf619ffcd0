// The first subject of an installation, and a new token for it: what `glasscase init` needs while no
// custodian serves.
#pragma once

#include <string>
#include <string_view>

#include <glasscase/catalog/catalog.h>
#include <glasscase/core/clock.h>
#include <glasscase/core/error.h>
#include <glasscase/core/secret.h>
#include <glasscase/crypto/random.h>

namespace glasscase::operations {

struct FirstSubject {
  Uuid installation;
  std::string name;
  bool created = false;  // false: the installation was there already
  Secret token;          // empty unless created or asked for
};

// Makes the installation: its UUID, and a subject that is operator and owner with one token. On a catalog
// that has one already changes nothing, except that `new_token` adds a token for that subject.
Result<FirstSubject> EnsureFirstSubject(catalog::Catalog& catalog, const Clock& clock, RandomSource& random,
                                        std::string_view owner_name, bool new_token);

}  // namespace glasscase::operations
