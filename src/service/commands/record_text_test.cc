#include "record_text.h"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

namespace glasscase::commands {
namespace {

TEST(RecordText, MetricsAreNamesAndNumbers) {
  EXPECT_EQ(MetricsText(boost::json::parse(R"({"accuracy":9.777777777777776E-1,"rows":450})")),
            "accuracy 0.9778, rows 450");
  EXPECT_EQ(MetricsText(boost::json::parse(R"({"loss":[0.5,0.25],"best":{"round":3}})")),
            R"(loss [5E-1,2.5E-1], best {"round":3})");
  EXPECT_EQ(MetricsText(boost::json::parse("{}")), "");
  EXPECT_EQ(MetricsText(nullptr), "");
  EXPECT_EQ(MetricsText(boost::json::parse("{\"\\u001b[2J\":1}")).find('\x1b'), std::string::npos);
}

TEST(RecordText, WhatWasUsedIsTimeAndBytes) {
  EXPECT_EQ(UsedText(boost::json::parse(R"({"cpu_ms":830,"wall_ms":1204,"memory_peak_bytes":312000000,
                                            "disk_bytes":1000000,"log_bytes":12})")),
            "0.83 s of processor time in 1.204 s, at most 312.0 MB of memory, 1.0 MB of disk, 12 B of log");
  EXPECT_EQ(UsedText(boost::json::parse(R"({"cpu_ms":125000,"wall_ms":-1})")),
            "2 min 5 s of processor time in 0 s, at most 0 B of memory, 0 B of disk, 0 B of log");
  EXPECT_EQ(UsedText(nullptr), "");
}

}  // namespace
}  // namespace glasscase::commands
