#include <glasscase/process/file_io.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

#include <glasscase/core/secret.h>

namespace glasscase::process {
namespace {

constexpr size_t kPieceBytes = size_t{1} << 20;

struct WipedPiece {
  std::array<char, 4'096> bytes{};
  WipedPiece() = default;
  WipedPiece(const WipedPiece&) = delete;
  WipedPiece& operator=(const WipedPiece&) = delete;
  ~WipedPiece() { WipeMemory(bytes.data(), bytes.size()); }
};

// Room for the whole of a file that says its size: a string that grows leaves a part of a key where it was.
template <typename Room>
void MakeRoom(Room& room, int fd, uint64_t bytes_max) {
  struct stat facts {};
  if (::fstat(fd, &facts) == 0 && facts.st_size > 0)
    room.reserve(std::min(static_cast<uint64_t>(facts.st_size), bytes_max));
}

}  // namespace

Status WriteAll(int fd, ByteSpan bytes, std::string_view what) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Fail(Error::FromErrno(errno, std::string(what)));
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return Ok();
}

Status ReadPieces(int fd, uint64_t bytes_max, std::string_view what,
                  const std::function<Status(ByteSpan)>& take) {
  Bytes piece(kPieceBytes);
  uint64_t done = 0;
  while (true) {
    const ssize_t got = ::pread(fd, piece.data(), piece.size(), static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(Error::FromErrno(errno, std::string(what)));
    if (got == 0) return Ok();
    done += static_cast<uint64_t>(got);
    if (done > bytes_max)
      return Fail(Error::ResourceExhausted(std::string(what) + ": more than " + std::to_string(bytes_max) +
                                           " bytes"));
    GC_TRY_VOID(take(ByteSpan(piece.data(), static_cast<size_t>(got))));
  }
}

Result<Bytes> ReadAll(int fd, uint64_t bytes_max, std::string_view what) {
  Bytes bytes;
  MakeRoom(bytes, fd, bytes_max);
  GC_TRY_VOID(ReadPieces(fd, bytes_max, what, [&](ByteSpan piece) {
    bytes.insert(bytes.end(), piece.begin(), piece.end());
    return Ok();
  }));
  return bytes;
}

Result<std::string> ReadText(const std::string& path, uint64_t bytes_max) {
  return ReadText(Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), path, bytes_max);
}

Result<std::string> ReadText(const Fd& file, const std::string& path, uint64_t bytes_max) {
  if (!file.valid()) return Fail(Error::FromErrno(errno, "cannot open " + path));
  std::string text;
  MakeRoom(text, file.get(), bytes_max);
  WipedPiece piece;
  while (true) {
    const ssize_t got = ::read(file.get(), piece.bytes.data(), piece.bytes.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(Error::FromErrno(errno, "cannot read " + path));
    if (got == 0) return text;
    text.append(piece.bytes.data(), static_cast<size_t>(got));
    if (text.size() > bytes_max)
      return Fail(Error::ResourceExhausted(path + " has more than " + std::to_string(bytes_max) + " bytes"));
  }
}

}  // namespace glasscase::process
