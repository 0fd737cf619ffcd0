// The input is what a taken-over peer left in the shared memory: six words for the positions of both rings,
// then what lies at the beginning and at the end of their data.
#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <span>

#include <glasscase/process/call_channel.h>

namespace {

using glasscase::Bytes;
using glasscase::Fd;
using glasscase::process::CallChannel;
using glasscase::process::ChannelFds;
using glasscase::process::kRingBytes;
using glasscase::process::Side;

constexpr size_t kPlacesOfPositions[] = {0,   8,   64,
                                         192, 200, 256};  // produced, restart, consumed of each ring
constexpr size_t kDataAt = 4096;
constexpr int kRecordsMax = 2000;

void Use(const ChannelFds& fds, Side side) {
  const auto dup = [](const Fd& fd) { return Fd(fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)); };
  auto channel = CallChannel::Open({dup(fds.memory), dup(fds.wake_host), dup(fds.wake_edge)}, side);
  GC_CHECK(channel.has_value());
  Bytes record;
  for (int i = 0; i < kRecordsMax; ++i) {
    const auto received = channel->Receive(record);
    if (!received || !*received) break;
    const auto room = channel->Reserve(std::min<size_t>(record.size(), 5000));
    if (!room) continue;
    std::fill(room->begin(), room->end(), uint8_t{1});
    channel->Commit(room->size());
  }
  channel->WakePeer();
  if (channel->PrepareToSleep()) channel->Awake();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  std::span<const uint8_t> input(bytes, size);
  ChannelFds fds = std::move(*glasscase::process::MakeChannel());
  const auto region_bytes = static_cast<size_t>(CallChannel::RegionBytes());
  auto* const region = static_cast<uint8_t*>(
      mmap(nullptr, region_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fds.memory.get(), 0));
  GC_CHECK(region != MAP_FAILED);
  for (const size_t place : kPlacesOfPositions) {
    const size_t part = std::min<size_t>(8, input.size());
    std::copy_n(input.begin(), part, region + place);
    input = input.subspan(part);
  }
  const size_t half = std::min<size_t>(input.size() / 2, 65536);
  for (const size_t ring : {kDataAt, kDataAt + kRingBytes}) {
    std::copy_n(input.begin(), half, region + ring);
    std::copy_n(input.begin() + static_cast<ptrdiff_t>(half), half, region + ring + kRingBytes - half);
  }
  Use(fds, Side::kHost);
  Use(fds, Side::kEdge);
  munmap(region, region_bytes);
  return 0;
}
