// A recipe of a stranger; one that is read has a text that is read as the same.
#include <glasscase/training/recipe.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  auto recipe = training::Recipe::Parse({reinterpret_cast<const char*>(data), size});
  if (!recipe) return 0;
  recipe->environment.lock = recipe->environment.lock.value_or(Digest{});
  recipe->translation.lock = recipe->translation.lock.value_or(Digest{});
  recipe->code.is_resolved = true;
  for (auto& [name, dataset] : recipe->data) dataset.version.is_resolved = true;
  const std::string text = recipe->Canonical().value();
  GC_CHECK(training::Recipe::Parse(text).value().Canonical().value() == text);
  (void)recipe->Variables("/usr/bin");
  return 0;
}
