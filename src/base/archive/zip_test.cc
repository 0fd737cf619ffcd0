#include <glasscase/archive/zip.h>

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

namespace glasscase::archive {
namespace {

std::string Little(uint64_t number, size_t bytes) {
  std::string text;
  for (size_t i = 0; i < bytes; ++i) text += static_cast<char>(number >> (8 * i) & 0xff);
  return text;
}

// One member.
std::string ZipOf(const std::string& name, const std::string& bytes, uint64_t method, uint64_t flags = 0) {
  const std::string common = Little(20, 2) + Little(flags, 2) + Little(method, 2) + Little(0, 8) +
                             Little(bytes.size(), 4) + Little(bytes.size(), 4) + Little(name.size(), 2);
  const std::string local = "PK\x03\x04" + common + Little(0, 2) + name + bytes;
  const std::string entry = "PK\x01\x02" + Little(20, 2) + common + std::string(16, '\0') + name;
  const std::string end = "PK\x05\x06" + Little(0, 4) + Little(1, 2) + Little(1, 2);
  return local + entry + end + Little(entry.size(), 4) + Little(local.size(), 4) + Little(0, 2);
}

std::string Deflated(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(text.size() + 100, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(ZipTest, MembersHaveTheirNamesAndBytes) {
  const std::string file = ZipOf("a/b", "bytes", 0);
  const auto members = ReadZip(AsBytes(file));
  ASSERT_TRUE(members);
  ASSERT_EQ(members->size(), 1u);
  EXPECT_EQ(members->front().name, "a/b");
  EXPECT_EQ(AsText(members->front().stored), "bytes");
  EXPECT_FALSE(members->front().deflated);
}

TEST(ZipTest, WhatIsDeflatedIsInflatedWithinTheBudget) {
  const std::string text(100'000, 'x');
  const std::string file = ZipOf("a", Deflated(text), 8);
  const auto members = ReadZip(AsBytes(file));
  ASSERT_TRUE(members && members->front().deflated);
  uint64_t budget = text.size() + 1;
  const auto inflated = Inflate(members->front().stored, Compression::kDeflate, budget);
  ASSERT_TRUE(inflated);
  EXPECT_EQ(AsText(*inflated), text);
  EXPECT_EQ(budget, 1u);
  EXPECT_FALSE(Inflate(members->front().stored, Compression::kDeflate, budget)) << "the budget is spent";
}

TEST(ZipTest, OtherMethodsAndEncryptedMembersHaveNoBytes) {
  EXPECT_TRUE(ReadZip(AsBytes(ZipOf("a", "bytes", 12)))->front().stored.empty());
  EXPECT_TRUE(ReadZip(AsBytes(ZipOf("a", "bytes", 0, 1)))->front().stored.empty());
}

TEST(ZipTest, WhatIsCutOffIsNoArchive) {
  const std::string file = ZipOf("a", "bytes", 0);
  for (size_t length = 0; length < file.size(); ++length)
    EXPECT_FALSE(ReadZip(AsBytes(file.substr(0, length)))) << length;
  std::string elsewhere = file;
  elsewhere[elsewhere.size() - 6] = '\x7f';  // where the directory begins
  EXPECT_FALSE(ReadZip(AsBytes(elsewhere)));
}

}  // namespace
}  // namespace glasscase::archive
