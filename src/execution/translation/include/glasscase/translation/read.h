// Reads models of others as their libraries save them. The bytes are hostile: whatever they are, the answer
// is a model that passed Check or an error that says what is wrong. What libraries write takes less than six
// times the file's size, itself included; what is written to take memory (numbers of one digit, which become
// eight bytes each) up to ten times, and 300 MB for the 4,000,000 lists, texts and objects that a file may
// have. Who lends the memory sets an end to it.
//
// Not supported, and refused by name: categorical splits, linear trees, vector leaves and gblinear of
// XGBoost, objectives whose output is no function of the sum alone.
#pragma once

#include <cstdint>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/translation/model.h>

namespace glasscase::translation {

inline constexpr uint64_t kFileBytesMax = uint64_t{1} << 30;

// By the first bytes, whichever of the four it is. InvalidArgument, saying what can be read, when it is none;
// pickles, archives and ONNX files are recognised and named.
Result<Model> Read(ByteSpan file);

Result<Model> ReadXgboostJson(ByteSpan file);  // save_model("m.json") of XGBoost 1.7 to 3.x
Result<Model> ReadXgboostUbj(ByteSpan file);   // save_model("m.ubj")
Result<Model> ReadLightgbm(ByteSpan file);     // save_model("m.txt") of LightGBM 3 and 4
Result<Model> ReadSklearnDump(ByteSpan file);  // api/formats/sklearn-dump.md

}  // namespace glasscase::translation
