#include "text_file.h"

#include <fstream>

#include "text.h"

namespace glasscase::commands {

Status WriteText(const std::filesystem::path& path, const std::string& text) {
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  stream << text;
  stream.close();
  if (!stream) return Fail(Error::FailedPrecondition("could not write " + Visible(path.string())));
  return Ok();
}

}  // namespace glasscase::commands
