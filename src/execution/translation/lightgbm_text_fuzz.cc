// Any bytes: what is read can be written as ONNX that our validator accepts, and evaluated.
#include <glasscase/translation/read.h>

#include "read_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  glasscase::translation::TryModel(glasscase::translation::ReadLightgbm({data, size}));
  return 0;
}
