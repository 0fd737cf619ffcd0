#include <glasscase/translation/ranges.h>

#include "range_readers.h"

namespace glasscase::translation {

Result<Ranges> ReadRanges(ByteSpan file, uint32_t features) {
  if (file.empty()) return Fail(Error::InvalidArgument("it is empty"));
  if (file.size() > kDataBytesMax)
    return Fail(Error::InvalidArgument("it has more than " + std::to_string(kDataBytesMax) + " bytes"));
  GC_TRY(Ranges ranges,
         IsArrayFile(file) ? ReadArrayRanges(file, features) : ReadTableRanges(AsText(file), features));
  if (std::ranges::none_of(ranges, &Range::is_known))
    return Fail(Error::InvalidArgument("it has no numbers"));
  return ranges;
}

}  // namespace glasscase::translation
