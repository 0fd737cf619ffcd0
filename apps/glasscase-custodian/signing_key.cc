#include "signing_key.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "data_directory.h"

namespace glasscase::custodian {
namespace {

constexpr char kKeyFile[] = "keys/signing.key";
constexpr char kPublicFile[] = "signing.pem";
constexpr size_t kKeyBytesMax = 4'096;

Result<Secret> ReadKeyFile(const Fd& file) {
  std::string text(kKeyBytesMax, '\0');
  const ssize_t got = ::read(file.get(), text.data(), text.size());
  if (got < 0) return Fail(Error::FromErrno(errno, std::string("cannot read ") + kKeyFile));
  text.resize(static_cast<size_t>(got));
  return Secret(std::move(text));
}

}  // namespace

Result<EcdsaPrivateKey> LoadOrMakeSigningKey(int directory, RandomSource& random) {
  GC_TRY_VOID(MakeFolderAt(directory, "keys"));
  Fd file(::openat(directory, kKeyFile, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid() && errno == ENOENT) {
    const Secret pem = EcdsaPrivateKey::Generate(Curve::kP256, random).Pem();
    GC_TRY_VOID(WriteNewFileAt(directory, kKeyFile, pem.Reveal(RevealToken()), 0600));
    file = Fd(::openat(directory, kKeyFile, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  }
  if (!file.valid()) return Fail(Error::FromErrno(errno, std::string("cannot open ") + kKeyFile));
  GC_TRY(const Secret text, ReadKeyFile(file));
  auto key = EcdsaPrivateKey::FromPem(text);
  if (!key) return Fail(key.error().WithContext(std::string(kKeyFile) + " (put the backup's one back)"));
  GC_TRY_VOID(WriteNewFileAt(directory, kPublicFile, key->public_key().Pem(), 0644));
  return std::move(*key);
}

}  // namespace glasscase::custodian
