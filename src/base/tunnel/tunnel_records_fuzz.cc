// The input is what a hostile other end sends, in pieces: each a length (one byte, plus one) and its bytes.
// What is accepted must go out again as the same records' frames and files.
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <span>

#include <glasscase/tunnel/records.h>

namespace {

using glasscase::Fd;
using glasscase::Ok;
using glasscase::Result;
using glasscase::Status;
using glasscase::process::Frame;
using namespace glasscase::tunnel;

constexpr uint64_t kRoomBytes = uint64_t{1} << 20;

class Sink final : public RecordSink {
 public:
  Status CheckRoom(uint64_t bytes) override {
    if (bytes <= kRoomBytes) return Ok();
    return glasscase::Fail(glasscase::Error::ResourceExhausted("no room"));
  }
  Result<Fd> MakeFile() override { return Fd(::memfd_create("fuzz", MFD_CLOEXEC)); }
  Status OnFrame(Frame frame) override {
    GC_CHECK(frame.payload.size() <= kFrameBytesMax && frame.fds.size() <= glasscase::process::kFdsMax);
    uint64_t total = 0;
    for (const Fd& file : frame.fds) {
      struct stat facts {};
      GC_CHECK(::fstat(file.get(), &facts) == 0);
      total += static_cast<uint64_t>(facts.st_size);
    }
    GC_CHECK(total <= kRoomBytes);
    RecordWriter writer;
    GC_CHECK(writer.Add(std::move(frame)).has_value());
    GC_CHECK(writer.held_bytes() > 0);
    for (std::string out; !writer.empty(); out.clear())
      GC_CHECK(writer.Next(out).has_value() && !out.empty());
    GC_CHECK(writer.held_bytes() == 0 && writer.held_files() == 0);
    return Ok();
  }
  void OnEnd(const std::string& reason) override { GC_CHECK(reason.size() <= 4 * kReasonBytesMax + 16); }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  std::span<const uint8_t> input(bytes, size);
  RecordReader reader;
  Sink sink;
  while (input.size() >= 2) {
    const size_t length = std::min<size_t>(input[0] + 1U, input.size() - 1);
    const Status taken = reader.Take(input.subspan(1, length), sink);
    if (!taken) {
      GC_CHECK(!reader.Take({}, sink));  // the same again from then on
      break;
    }
    input = input.subspan(1 + length);
  }
  return 0;
}
