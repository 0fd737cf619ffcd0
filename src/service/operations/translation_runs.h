// Runs that translate a version into ONNX.
#pragma once

#include <string>
#include <vector>

#include <glasscase/training/recipe.h>

#include "desk.h"
#include "run_result.h"

namespace glasscase::operations {

// Under which the translation of a model is registered when nobody says otherwise.
std::string TranslatedName(const std::string& model);

// Queues the translation of what a run has made: natively where the translator may read it; elsewhere by the
// runner that the recipe names for it, or by the one that trained. `translator`: the version of this program.
Status QueueTranslation(Desk& desk, catalog::Transaction& transaction, const catalog::Run& trained,
                        const catalog::Version& result, const std::vector<RunFile>& files,
                        const std::string& translator);

}  // namespace glasscase::operations
