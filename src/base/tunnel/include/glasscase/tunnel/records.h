// Frames and the bytes of their files as one stream of records (api/formats/worker-tunnel.md). No sockets:
// bytes in, frames out, and the reverse.
//
// The other side is hostile: no length is believed before it is checked, nothing is held but one record, and
// what is wrong is an error with its reason, the same from then on.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/process/fd.h>
#include <glasscase/process/frame_socket.h>

namespace glasscase::tunnel {

enum class RecordType : uint8_t {
  kFrame = 1,  // a frame, and how many bytes each of its files has
  kPiece = 2,  // the next bytes of the first file that is not complete
  kAlive = 3,  // nothing, but the sender is there
  kEnd = 4     // the sender goes; why, for people
};

inline constexpr size_t kFrameBytesMax = size_t{1} << 20;
inline constexpr size_t kPieceBytesMax = size_t{64} << 10;
inline constexpr size_t kReasonBytesMax = 500;
inline constexpr uint64_t kFileBytesMax = uint64_t{1} << 40;

// What becomes of the records that a reader has checked.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  // Before the files of a frame come: whether so many bytes have room.
  virtual Status CheckRoom(uint64_t bytes) = 0;
  // An empty one, to be written from its beginning.
  virtual Result<Fd> MakeFile() = 0;
  // With its files, complete.
  virtual Status OnFrame(process::Frame frame) = 0;
  virtual void OnEnd(const std::string& reason) = 0;
};

class RecordReader {
 public:
  // InvalidArgument for what is no record or not the next one; what the sink or the disk refuses.
  Status Take(ByteSpan bytes, RecordSink& sink);
  // Whether the stream may end here without anything being lost.
  bool is_between_frames() const { return held_.empty() && !has_frame_; }
  bool waits_for_files() const { return has_frame_; }
  uint64_t file_bytes() const { return file_bytes_; }  // of all files so far

 private:
  Status TakeRecord(RecordType type, std::string_view body, RecordSink& sink);
  Status TakeFrame(std::string_view body, RecordSink& sink);
  Status TakePiece(std::string_view body, RecordSink& sink);
  Status FinishFiles(RecordSink& sink);

  std::string held_;  // of a record that is not complete
  process::Frame frame_;
  bool has_frame_ = false;
  std::vector<uint64_t> sizes_;  // of the frame's files, as announced
  std::vector<Fd> files_;        // of them those that are complete
  Fd file_;                      // the next one
  uint64_t written_ = 0;         // of it
  uint64_t file_bytes_ = 0;
  Status broken_;
};

class RecordWriter {
 public:
  // Behind those that wait. InvalidArgument for a file that is none, or a frame that is too large.
  Status Add(process::Frame frame);
  // Before what waits, at the next end of a record.
  void AddAlive() { alive_ = true; }
  // The record that ends a stream.
  static std::string End(std::string_view reason);

  bool empty() const { return frames_.empty() && !alive_; }
  size_t held_bytes() const { return held_bytes_; }
  size_t held_files() const { return held_files_; }

  // Appends the next record. DataLoss when a file got shorter than it was.
  Status Next(std::string& to);

 private:
  struct Outgoing {
    std::string record;  // empty when it was given
    std::vector<Fd> files;
    std::vector<uint64_t> sizes;
    size_t next = 0;  // file
    uint64_t at = 0;  // in it
  };
  void DropGiven();

  std::deque<Outgoing> frames_;
  bool alive_ = false;
  size_t held_bytes_ = 0;
  size_t held_files_ = 0;
};

}  // namespace glasscase::tunnel
