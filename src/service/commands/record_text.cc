#include "record_text.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include <boost/json/serialize.hpp>

#include "json_members.h"
#include "text.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

constexpr double kSecondsShownExactly = 60;

std::string Seconds(int64_t milliseconds) {
  const double seconds = static_cast<double>(std::max<int64_t>(0, milliseconds)) / 1000;
  return seconds < kSecondsShownExactly ? FormatRounded(seconds) + " s" : FormatSeconds(seconds);
}

std::string Bytes(const json::value& used, std::string_view member) {
  return FormatBytes(static_cast<uint64_t>(std::max<int64_t>(0, IntegerOf(used, member))));
}

}  // namespace

std::string MetricsText(const json::value& metrics) {
  const json::object* object = metrics.if_object();
  if (object == nullptr) return metrics.is_null() ? "" : Visible(json::serialize(metrics));
  std::vector<std::string> parts;
  for (const auto& [name, value] : *object) {
    const std::string shown =
        value.is_number() ? FormatRounded(value.to_number<double>()) : Visible(json::serialize(value));
    parts.push_back(Visible(std::string_view(name)) + " " + shown);
  }
  return Join(parts, ", ");
}

std::string UsedText(const json::value& used) {
  if (!used.is_object()) return "";
  return Seconds(IntegerOf(used, "cpu_ms")) + " of processor time in " + Seconds(IntegerOf(used, "wall_ms")) +
         ", at most " + Bytes(used, "memory_peak_bytes") + " of memory, " + Bytes(used, "disk_bytes") +
         " of disk, " + Bytes(used, "log_bytes") + " of log";
}

}  // namespace glasscase::commands
