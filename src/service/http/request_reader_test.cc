#include "request_reader.h"

#include <gtest/gtest.h>

namespace glasscase::http {
namespace {

namespace bhttp = boost::beast::http;

// Puts the bytes in by pieces of that size, as the connection does.
bhttp::error ReadByPieces(std::string_view bytes, size_t piece, std::string& body) {
  RequestHead head;
  RequestReader reader(head, body);
  reader.set_body_bytes_max(100);
  size_t taken = 0;
  for (size_t have = 0; !reader.is_done();) {
    boost::beast::error_code error;
    taken += reader.put(boost::asio::const_buffer(bytes.data() + taken, have - taken), error);
    if (error && error != bhttp::error::need_more) return static_cast<bhttp::error>(error.value());
    if (error && have == bytes.size()) return bhttp::error::need_more;
    if (error) have = std::min(have + piece, bytes.size());
  }
  EXPECT_EQ(taken, bytes.size());
  return {};
}

constexpr std::string_view kHead = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";

TEST(RequestReader, AChunkedBodyMayComeInPiecesOfAnySize) {
  for (const std::string_view end : {"0\r\n\r\n", "0\r\nT: x\r\n\r\n", "0;a=b\r\n\r\n", "000\r\n\r\n"}) {
    const std::string bytes = std::string(kHead) + "2\r\nab\r\n1;x=y\r\nc\r\n" + std::string(end);
    for (size_t piece = 1; piece <= bytes.size(); ++piece) {
      std::string body;
      EXPECT_EQ(ReadByPieces(bytes, piece, body), bhttp::error{}) << end << " by " << piece;
      EXPECT_EQ(body, "abc");
    }
  }
}

TEST(RequestReader, AChunkedBodyThatDoesNotEndIsNotDone) {
  for (const std::string_view begun : {"", "2", "2\r", "2\r\nab\r\n", "0\r\n", "0\r\nT", "0\r\n\r"}) {
    std::string body;
    EXPECT_EQ(ReadByPieces(std::string(kHead) + std::string(begun), 1, body), bhttp::error::need_more)
        << begun;
  }
}

TEST(RequestReader, WhatFollowsTheLastChunkHasToBeFields) {
  for (const std::string_view bad :
       {"0\r\nT\r\n\r\n", "0\r\n 2+a=b\r\n\r\n", "0\rx\r\n\r\n", "2\r\nabc\r\n0\r\n\r\n"}) {
    std::string body;
    const bhttp::error error = ReadByPieces(std::string(kHead) + std::string(bad), 1, body);
    EXPECT_NE(error, bhttp::error{}) << bad;
    EXPECT_NE(error, bhttp::error::need_more) << bad;
  }
}

}  // namespace
}  // namespace glasscase::http
