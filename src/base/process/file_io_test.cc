#include <glasscase/process/file_io.h>

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/process/fd.h>

namespace glasscase::process {
namespace {

using ::testing::HasSubstr;

class FileIoTest : public ::testing::Test {
 protected:
  Fd file{::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
};

TEST_F(FileIoTest, WhatIsWrittenIsReadWhereverTheOffsetIs) {
  const std::string text(3'000'000, 'x');
  ASSERT_TRUE(WriteAll(file.get(), AsBytes(text), "cannot write"));
  ASSERT_TRUE(WriteAll(file.get(), AsBytes("end"), "cannot write"));
  const auto read = ReadAll(file.get(), 3'000'003, "cannot read");
  ASSERT_TRUE(read);
  EXPECT_EQ(AsText(*read), text + "end");
}

TEST_F(FileIoTest, MoreThanAllowedIsRefused) {
  ASSERT_TRUE(WriteAll(file.get(), AsBytes("four"), "cannot write"));
  EXPECT_TRUE(ReadAll(file.get(), 4, "cannot read"));
  const auto refused = ReadAll(file.get(), 3, "cannot read it");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kResourceExhausted);
  EXPECT_THAT(refused.error().message(), HasSubstr("cannot read it: more than 3 bytes"));
}

TEST_F(FileIoTest, ErrorsOfTheSystemKeepTheirReason) {
  const Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  EXPECT_EQ(WriteAll(full.get(), AsBytes("x"), "cannot write").error().code(), Code::kResourceExhausted);
  const Fd folder(::open("/", O_RDONLY | O_CLOEXEC));
  EXPECT_THAT(ReadAll(folder.get(), 1, "cannot read /").error().message(), HasSubstr("cannot read /"));
}

TEST_F(FileIoTest, ReadingEndsWithTheErrorOfWhoTakesIt) {
  ASSERT_TRUE(WriteAll(file.get(), AsBytes("four"), "cannot write"));
  const Status read =
      ReadPieces(file.get(), 4, "cannot read", [](ByteSpan) { return Fail(Error::Internal("no more")); });
  EXPECT_EQ(read.error().message(), "no more");
}

TEST_F(FileIoTest, AFileIsReadByItsPath) {
  const std::string text(10'000, 'x');
  ASSERT_TRUE(WriteAll(file.get(), AsBytes(text), "cannot write"));
  const std::string path = "/proc/self/fd/" + std::to_string(file.get());
  EXPECT_EQ(ReadText(path).value(), text);
  EXPECT_EQ(ReadText(path, 9'999).error().code(), Code::kResourceExhausted);
  EXPECT_EQ(ReadText("/nowhere").error().code(), Code::kNotFound);
  EXPECT_THAT(ReadText("/").error().message(), HasSubstr("cannot read /"));
}

// Keys are read so.
TEST_F(FileIoTest, NothingOfAFileThatWasReadIsLeftOnTheStack) {
  constexpr size_t kStackBytes = size_t{1} << 20;
  const std::string key = "a-key-that-nobody-has-to-find";
  ASSERT_TRUE(WriteAll(file.get(), AsBytes(key), "cannot write"));
  const std::string path = "/proc/self/fd/" + std::to_string(file.get());
  void* const stack =
      ::mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(stack, MAP_FAILED);
  pthread_attr_t attributes;
  ASSERT_EQ(::pthread_attr_init(&attributes), 0);
  ASSERT_EQ(::pthread_attr_setstack(&attributes, stack, kStackBytes), 0);
  struct Read {
    std::string path;
    std::string text;
  } read{.path = path, .text = {}};
  const auto act = [](void* given) -> void* {
    auto* const to_read = static_cast<Read*>(given);
    to_read->text = ReadText(to_read->path).value_or("");
    return nullptr;
  };
  pthread_t thread{};
  ASSERT_EQ(::pthread_create(&thread, &attributes, act, &read), 0);
  ASSERT_EQ(::pthread_join(thread, nullptr), 0);
  ::pthread_attr_destroy(&attributes);
  EXPECT_EQ(read.text, key);
  EXPECT_EQ(::memmem(stack, kStackBytes, key.data(), key.size()), nullptr);
  ::munmap(stack, kStackBytes);
}

}  // namespace
}  // namespace glasscase::process
