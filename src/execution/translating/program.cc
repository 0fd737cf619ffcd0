#include <glasscase/translating/program.h>

#include <glasscase/json/object_reader.h>
#include <glasscase/json/strict.h>

namespace glasscase::translating {

using json::ObjectReader;

void Listener::Hear(std::string_view printed) {
  for (const char c : printed) {
    if (c == '\n') {
      HearLine();
      line_.clear();
    } else if (line_.size() <= kLineBytesMax) {
      line_ += c;
    }
  }
}

void Listener::HearLine() {
  const auto said = json::Parse(line_, {.bytes_max = kLineBytesMax, .depth_max = 8});
  const auto line = said ? ObjectReader::Open(*said, "line") : Fail(said.error());
  if (!line) return;
  if (const auto result = line->Object("result")) summary_ = result->object();
  if (const auto error = line->Object("error")) reason_ = error->String("message").value_or("");
  const auto step = line->String("step");
  if (step)
    on_step_(
        {.name = *step, .done = line->Whole("done").value_or(0), .total = line->Whole("total").value_or(0)});
}

Result<boost::json::object> Listener::Outcome(bool ended_well, std::string_view how_it_ended) const {
  if (ended_well && !summary_.empty()) return summary_;
  if (!reason_.empty()) return Fail(Error::FailedPrecondition(reason_));
  return Fail(Error::FailedPrecondition("the translation ended without a result (" +
                                        std::string(how_it_ended) +
                                        "): the model may be too large for it, or made to break it"));
}

}  // namespace glasscase::translating
