#include "signature.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>
#include <vector>

#include <glasscase/crypto/random.h>
#include <glasscase/process/file_io.h>
#include <glasscase/provenance/model_signature.h>

namespace glasscase::inspector {
namespace {

using provenance::Resource;

Result<Resource> ResourceOf(const rpc::ModelFile& file) {
  Resource resource{.name = file.path(), .sha256 = {}};
  if (file.sha256().size() != resource.sha256.size())
    return Fail(Error::InvalidArgument("a file came without its digest"));
  std::copy(file.sha256().begin(), file.sha256().end(), resource.sha256.begin());
  return resource;
}

Status HashParts(const rpc::ModelFile& file, const Fd& fd, provenance::ResourceHasher& hasher) {
  hasher.Begin(file.path());
  GC_TRY_VOID(process::ReadPieces(fd.get(), std::numeric_limits<uint64_t>::max(),
                                  "cannot read a file to be published", [&](ByteSpan piece) {
                                    hasher.Update(piece);
                                    return Ok();
                                  }));
  hasher.End();
  return Ok();
}

Result<std::vector<Resource>> ResourcesOf(const rpc::InspectJob& job, std::span<const Fd> fds,
                                          const provenance::SignedModel& model) {
  std::vector<Resource> resources;
  if (model.serialization.shard_bytes == 0) {
    for (const rpc::ModelFile& file : job.files()) {
      GC_TRY(resources.emplace_back(), ResourceOf(file));
    }
  } else {
    provenance::ResourceHasher hasher(model.serialization.shard_bytes);
    for (int i = 0; i < job.files_size(); ++i)
      GC_TRY_VOID(HashParts(job.files(i), fds[static_cast<size_t>(i)], hasher));
    resources = hasher.Take();
  }
  // A model that was signed as a file has no name in its signature.
  const bool is_one_file =
      model.resources.size() == 1 && model.resources[0].name == provenance::kTheFileItself;
  if (is_one_file && resources.size() == 1) resources[0].name = std::string(provenance::kTheFileItself);
  return resources;
}

}  // namespace

Status WarmUpSignatures() {
  SystemRandom random;
  for (const Curve curve : {Curve::kP256, Curve::kP384, Curve::kP521}) {
    const auto key = EcdsaPrivateKey::Generate(curve, random);
    GC_TRY(const EcdsaPublicKey read, EcdsaPublicKey::FromPem(key.public_key().Pem()));
    GC_TRY(const Bytes signature, key.Sign({}));
    GC_TRY_VOID(read.Verify({}, signature));
  }
  return Ok();
}

Status CheckSignature(const rpc::InspectJob& job, std::span<const Fd> fds) {
  if (fds.size() != static_cast<size_t>(job.files_size()))
    return Fail(Error::InvalidArgument("files came without their descriptors"));
  const auto signer = EcdsaPublicKey::FromPem(job.signer());
  if (!signer) return Fail(signer.error().WithContext("the signer's key"));
  const std::array<EcdsaPublicKey, 1> keys = {*signer};
  const auto model = provenance::OpenModelSignature(job.signature(), keys);
  if (!model) return Fail(Error::InvalidArgument("the signature does not hold: " + model.error().message()));
  GC_TRY(const std::vector<Resource> resources, ResourcesOf(job, fds, *model));
  const auto checked = model->Check(resources, {});
  if (checked) return Ok();
  return Fail(Error::InvalidArgument("the signature is of other files: " + checked.error().message()));
}

}  // namespace glasscase::inspector
