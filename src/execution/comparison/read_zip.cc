// ZIP archives: names and contents, not times, order and attributes.
#include <glasscase/archive/zip.h>

#include "readers.h"

namespace glasscase::comparison {
namespace {

constexpr uint64_t kInflatedBytesMax = uint64_t{2} << 30;

Status ReadMember(const std::string& name, ByteSpan content, PartList& parts) {
  if (AsText(content).starts_with(kNpyMagic)) return ReadNpy(content, name, parts);
  return parts.AddText(name, std::string(AsText(content)));
}

}  // namespace

Status ReadZip(ByteSpan file, PartList& parts) {
  const auto members = archive::ReadZip(file);
  if (!members) return Fail(Error::InvalidArgument("the archive has no directory that can be read"));
  uint64_t budget = kInflatedBytesMax;
  for (const archive::Member& member : *members) {
    const std::string name(member.name);
    if (!member.deflated) {
      GC_TRY_VOID(ReadMember(name, member.stored, parts));
      continue;
    }
    const auto inflated = archive::Inflate(member.stored, archive::Compression::kDeflate, budget);
    if (!inflated)
      return Fail(Error::InvalidArgument("the archive's member " + Printable(name) +
                                         " is damaged, or too large when it is inflated"));
    GC_TRY_VOID(ReadMember(name, *inflated, parts));
  }
  return Ok();
}

}  // namespace glasscase::comparison
