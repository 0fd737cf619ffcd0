#include <glasscase/tunnel/records.h>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace glasscase::tunnel {
namespace {

using process::Frame;
using testing::HasSubstr;

Fd FileWith(std::string_view bytes) {
  Fd file(::memfd_create("test", MFD_CLOEXEC));
  EXPECT_EQ(::write(file.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return file;
}

std::string Read(const Fd& file) {
  std::string bytes(16 << 20, '\0');
  const ssize_t got = ::pread(file.get(), bytes.data(), bytes.size(), 0);
  EXPECT_GE(got, 0);
  bytes.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  return bytes;
}

struct Got {
  std::string payload;
  std::vector<std::string> files;
  bool operator==(const Got&) const = default;
};

class Sink final : public RecordSink {
 public:
  Status CheckRoom(uint64_t bytes) override {
    announced = bytes;
    if (bytes <= room) return Ok();
    return Fail(Error::ResourceExhausted("no room"));
  }
  Result<Fd> MakeFile() override {
    ++made;
    return FileWith("");
  }
  Status OnFrame(Frame frame) override {
    Got got{.payload = frame.payload, .files = {}};
    for (const Fd& file : frame.fds) got.files.push_back(Read(file));
    frames.push_back(std::move(got));
    return Ok();
  }
  void OnEnd(const std::string& reason) override { ended = reason; }

  uint64_t room = uint64_t{1} << 30;
  uint64_t announced = 0;
  int made = 0;
  std::vector<Got> frames;
  std::string ended;
};

Frame FrameOf(std::string payload, const std::vector<std::string>& files) {
  Frame frame{.payload = std::move(payload), .fds = {}};
  for (const std::string& bytes : files) frame.fds.push_back(FileWith(bytes));
  return frame;
}

std::string WriteAll(RecordWriter& writer) {
  std::string stream;
  while (!writer.empty()) EXPECT_TRUE(writer.Next(stream));
  return stream;
}

std::string Pattern(size_t bytes) {
  std::string text(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>(i * 31 + (i >> 8) * 7);
  return text;
}

// By hand, from api/formats/worker-tunnel.md.
std::string Record(uint8_t type, std::string_view body) {
  std::string record(1, static_cast<char>(type));
  for (size_t i = 0; i < 4; ++i) record += static_cast<char>(body.size() >> (8 * i) & 0xFF);
  return record.append(body);
}

std::string FrameBody(const std::vector<uint64_t>& sizes, std::string_view payload) {
  std::string body;
  for (size_t i = 0; i < 2; ++i) body += static_cast<char>(sizes.size() >> (8 * i) & 0xFF);
  for (const uint64_t size : sizes)
    for (size_t i = 0; i < 8; ++i) body += static_cast<char>(size >> (8 * i) & 0xFF);
  return body.append(payload);
}

std::string WhyRefused(const std::string& stream, Sink& sink) {
  RecordReader reader;
  const Status taken = reader.Take(AsBytes(stream), sink);
  EXPECT_FALSE(taken);
  const Status again = reader.Take({}, sink);
  EXPECT_FALSE(again) << "the same again from then on";
  return taken ? "" : taken.error().message();
}

TEST(Records, FramesAndFilesComeAsTheyWent) {
  const std::vector<Got> sent = {
      {"plain", {}},
      {"", {}},
      {"with files",
       {"", Pattern(1), Pattern(kPieceBytesMax), "", Pattern(kPieceBytesMax + 1), Pattern(5'000'000)}},
      {std::string(kFrameBytesMax, 'p'), {"last"}}};
  RecordWriter writer;
  for (const Got& one : sent) ASSERT_TRUE(writer.Add(FrameOf(one.payload, one.files)));
  EXPECT_EQ(writer.held_files(), 7U);
  const std::string stream = WriteAll(writer);
  EXPECT_EQ(writer.held_files(), 0U);
  EXPECT_EQ(writer.held_bytes(), 0U);

  Sink sink;
  RecordReader reader;
  ASSERT_TRUE(reader.Take(AsBytes(stream), sink));
  EXPECT_TRUE(reader.is_between_frames());
  EXPECT_TRUE(sink.frames == sent);
}

TEST(Records, AreReadAlikeHoweverTheStreamIsCut) {
  RecordWriter writer;
  ASSERT_TRUE(writer.Add(FrameOf("one", {"", "abc", ""})));
  writer.AddAlive();
  ASSERT_TRUE(writer.Add(FrameOf("two", {})));
  std::string stream = WriteAll(writer) + RecordWriter::End("done");
  const std::vector<Got> wanted = {{"one", {"", "abc", ""}}, {"two", {}}};
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    Sink sink;
    RecordReader reader;
    ASSERT_TRUE(reader.Take(AsBytes(stream).subspan(0, cut), sink));
    ASSERT_TRUE(reader.Take(AsBytes(stream).subspan(cut), sink)) << cut;
    EXPECT_TRUE(sink.frames == wanted) << cut;
    EXPECT_EQ(sink.ended, "done");
  }
}

TEST(Records, AStreamThatEndsTooEarlyGivesNoHalfFrame) {
  RecordWriter writer;
  ASSERT_TRUE(writer.Add(FrameOf("one", {"abc", "defg"})));
  const std::string stream = WriteAll(writer);
  for (size_t cut = 0; cut < stream.size(); ++cut) {
    Sink sink;
    RecordReader reader;
    ASSERT_TRUE(reader.Take(AsBytes(stream).subspan(0, cut), sink));
    EXPECT_TRUE(sink.frames.empty()) << cut;
    EXPECT_EQ(reader.is_between_frames(), cut == 0) << cut;
  }
}

TEST(Records, OfManyFilesEachIsWhole) {
  std::vector<std::string> files;
  for (size_t i = 0; i < process::kFdsMax; ++i) files.push_back(Pattern(i * 17));
  RecordWriter writer;
  ASSERT_TRUE(writer.Add(FrameOf("many", files)));
  Sink sink;
  RecordReader reader;
  ASSERT_TRUE(reader.Take(AsBytes(WriteAll(writer)), sink));
  ASSERT_EQ(sink.frames.size(), 1U);
  EXPECT_TRUE(sink.frames[0].files == files);
}

TEST(Records, ALargeFileIsNeverHeld) {
  constexpr uint64_t kBytes = (uint64_t{64} << 20) + 12'345;
  Fd large(::memfd_create("large", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(large.get(), kBytes), 0);
  Frame frame{.payload = "large", .fds = {}};
  frame.fds.push_back(std::move(large));
  RecordWriter writer;
  ASSERT_TRUE(writer.Add(std::move(frame)));
  class Sizes final : public RecordSink {
   public:
    Status CheckRoom(uint64_t) override { return Ok(); }
    Result<Fd> MakeFile() override { return Fd(::memfd_create("test", MFD_CLOEXEC)); }
    Status OnFrame(Frame got) override {
      struct stat facts {};
      EXPECT_EQ(::fstat(got.fds.at(0).get(), &facts), 0);
      bytes = static_cast<uint64_t>(facts.st_size);
      return Ok();
    }
    void OnEnd(const std::string&) override {}
    uint64_t bytes = 0;
  } sizes;
  RecordReader reader;
  for (std::string piece; !writer.empty(); piece.clear()) {
    ASSERT_TRUE(writer.Next(piece));
    ASSERT_LE(piece.size(), kPieceBytesMax + 64);
    ASSERT_TRUE(reader.Take(AsBytes(piece), sizes));
  }
  EXPECT_EQ(sizes.bytes, kBytes);
}

TEST(Records, SignsOfLifeGoBetweenThePiecesOfAFile) {
  RecordWriter writer;
  ASSERT_TRUE(writer.Add(FrameOf("large", {Pattern(3 * kPieceBytesMax)})));
  std::string stream;
  ASSERT_TRUE(writer.Next(stream));
  ASSERT_TRUE(writer.Next(stream));
  const size_t before = stream.size();
  writer.AddAlive();
  ASSERT_TRUE(writer.Next(stream));
  EXPECT_EQ(stream.substr(before), Record(3, ""));
  stream += WriteAll(writer);
  Sink sink;
  RecordReader reader;
  ASSERT_TRUE(reader.Take(AsBytes(stream), sink));
  EXPECT_EQ(sink.frames.size(), 1U);
}

TEST(Records, WhatIsNoRecordIsRefusedWithItsReason) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {Record(0, ""), "no record of type 0"},
      {Record(5, ""), "no record of type 5"},
      {std::string("\x01\xff\xff\xff\xff", 5), "is too long"},
      {Record(2, std::string(kPieceBytesMax + 1, 'x')).substr(0, 5), "is too long"},
      {Record(3, "x"), "is too long"},
      {Record(4, std::string(501, 'x')), "is too long"},
      {Record(1, ""), "how many files"},
      {Record(1, "\x01"), "how many files"},
      {Record(1, FrameBody({}, std::string(kFrameBytesMax + 1, 'x'))), "a frame is too long"},
      {Record(1, std::string("\x81\x00", 2) + std::string(129 * 8, '\0')), "too many files: 129"},
      {Record(1, std::string("\x02\x00", 2) + std::string(15, '\0')), "too many files: 2"},
      {Record(1, FrameBody({kFileBytesMax + 1}, "")), "a file is too large"},
      {Record(1, FrameBody({UINT64_MAX, 2}, "")), "a file is too large"},
      {Record(2, "x"), "belong to no file"},
      {Record(1, FrameBody({3}, "")) + Record(2, "four"), "than were announced"},
      {Record(1, FrameBody({3}, "")) + Record(2, ""), "than were announced"},
      {Record(1, FrameBody({3}, "")) + Record(1, FrameBody({}, "")), "before the files of the last"},
      {Record(1, FrameBody({3}, "")) + Record(2, "abc") + Record(2, "d"), "belong to no file"},
  };
  for (const auto& [stream, words] : cases) {
    Sink sink;
    EXPECT_THAT(WhyRefused(stream, sink), HasSubstr(words));
  }
}

TEST(Records, AnAnnouncementBeyondTheRoomIsRefusedBeforeAFileIsMade) {
  Sink sink;
  sink.room = 9;
  EXPECT_THAT(WhyRefused(Record(1, FrameBody({4, 6}, "")), sink), HasSubstr("no room"));
  EXPECT_EQ(sink.announced, 10U);
  EXPECT_EQ(sink.made, 0);
}

TEST(Records, AFileThatGotShorterEndsTheStream) {
  Fd file = FileWith(Pattern(100));
  Frame frame{.payload = "", .fds = {}};
  frame.fds.emplace_back(::dup(file.get()));
  RecordWriter writer;
  ASSERT_TRUE(writer.Add(std::move(frame)));
  ASSERT_EQ(::ftruncate(file.get(), 50), 0);
  std::string stream;
  ASSERT_TRUE(writer.Next(stream));
  const Status next = writer.Next(stream);
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().code(), Code::kDataLoss);
}

TEST(Records, OnlyFilesAreSent) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const Fd other(ends[1]);
  Frame frame{.payload = "", .fds = {}};
  frame.fds.emplace_back(ends[0]);
  RecordWriter writer;
  EXPECT_FALSE(writer.Add(std::move(frame)));
  EXPECT_TRUE(writer.empty());
}

}  // namespace
}  // namespace glasscase::tunnel
