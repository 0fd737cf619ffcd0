#include "signing_key.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "data_directory.h"

namespace glasscase::custodian {
namespace {

constexpr char kKeyFile[] = "keys/signing.key";
constexpr char kGateKeyFile[] = "keys/gate.key";
constexpr char kPublicFile[] = "signing.pem";
constexpr size_t kKeyBytesMax = 4'096;

Result<Secret> ReadKeyFile(const Fd& file, const std::string& name) {
  std::string text(kKeyBytesMax, '\0');
  const ssize_t got = ::read(file.get(), text.data(), text.size());
  if (got < 0) return Fail(Error::FromErrno(errno, "cannot read " + name));
  text.resize(static_cast<size_t>(got));
  return Secret(std::move(text));
}

Result<EcdsaPrivateKey> LoadOrMakeKey(int directory, const std::string& name, RandomSource& random) {
  GC_TRY_VOID(MakeFolderAt(directory, "keys"));
  Fd file(::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) {
    const Secret pem = EcdsaPrivateKey::Generate(Curve::kP256, random).Pem();
    GC_TRY_VOID(WriteNewFileAt(directory, name, pem.Reveal(RevealToken()), 0600));
    file = Fd(::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  }
  if (!file.valid()) return Fail(Error::FromErrno(errno, "cannot open " + name));
  GC_TRY(const Secret text, ReadKeyFile(file, name));
  auto key = EcdsaPrivateKey::FromPem(text);
  if (!key) return Fail(key.error().WithContext(name + " (put the backup's one back)"));
  return key;
}

}  // namespace

Result<EcdsaPrivateKey> LoadOrMakeSigningKey(int directory, RandomSource& random) {
  GC_TRY(EcdsaPrivateKey key, LoadOrMakeKey(directory, kKeyFile, random));
  GC_TRY_VOID(WriteNewFileAt(directory, kPublicFile, key.public_key().Pem(), 0644));
  return key;
}

Result<EcdsaPrivateKey> LoadOrMakeGateKey(int directory, RandomSource& random) {
  return LoadOrMakeKey(directory, kGateKeyFile, random);
}

}  // namespace glasscase::custodian
