#include "problem.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace glasscase::http {
namespace {

TEST(ProblemTest, TheBodyIsProblemJsonThatAlsoCarriesError) {
  const auto body = boost::json::parse(ProblemBody(404, "no \"x\"\n")).as_object();
  EXPECT_EQ(body.at("title").as_string(), "Not Found");
  EXPECT_EQ(body.at("status").as_int64(), 404);
  EXPECT_EQ(body.at("detail").as_string(), "no \"x\"\n");
  EXPECT_EQ(body.at("error").as_string(), "no \"x\"\n");
}

TEST(ProblemTest, IllFormedTextStillMakesValidJson) {
  const auto body = boost::json::parse(ProblemBody(400, "a\xff\x01"));
  EXPECT_EQ(body.as_object().at("error").as_string(), "a\xef\xbf\xbd\x01");
}

TEST(ProblemTest, EveryCanonicalCodeHasAStatus) {
  for (int code = 1; code <= 16; ++code) EXPECT_GE(StatusOf(static_cast<Code>(code)), 400u) << code;
  EXPECT_EQ(StatusOf(Code::kInvalidArgument), 400u);
  EXPECT_EQ(ToProblem(Error::Unavailable("x")).fields, "Retry-After: 1\r\n");
}

}  // namespace
}  // namespace glasscase::http
