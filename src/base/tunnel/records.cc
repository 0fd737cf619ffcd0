#include <glasscase/tunnel/records.h>

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace glasscase::tunnel {
namespace {

constexpr size_t kHeaderBytes = 5;  // type, length
constexpr size_t kSizeBytes = 8;
constexpr size_t kCountBytes = 2;
constexpr size_t kFrameBodyMax = kCountBytes + process::kFdsMax * kSizeBytes + kFrameBytesMax;

uint64_t ReadNumber(std::string_view bytes) {
  uint64_t number = 0;
  for (size_t i = bytes.size(); i-- > 0;) number = number << 8 | static_cast<uint8_t>(bytes[i]);
  return number;
}

void AppendNumber(std::string& to, uint64_t number, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) to += static_cast<char>(number >> (8 * i) & 0xFF);
}

void AppendHeader(std::string& to, RecordType type, size_t length) {
  to += static_cast<char>(type);
  AppendNumber(to, length, 4);
}

// Of the body; 0: there is no such record.
size_t BytesMax(RecordType type) {
  switch (type) {
    case RecordType::kFrame: return kFrameBodyMax;
    case RecordType::kPiece: return kPieceBytesMax;
    case RecordType::kAlive: return 0;
    case RecordType::kEnd: return kReasonBytesMax;
  }
  return 0;
}

bool IsKnown(uint8_t type) {
  return type >= static_cast<uint8_t>(RecordType::kFrame) && type <= static_cast<uint8_t>(RecordType::kEnd);
}

Status WriteAt(int file, std::string_view bytes, uint64_t at) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Fail(Error::FromErrno(errno, "cannot write a file that came"));
    bytes.remove_prefix(static_cast<size_t>(written));
    at += static_cast<uint64_t>(written);
  }
  return Ok();
}

Result<uint64_t> SizeOf(const Fd& file) {
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return Fail(Error::FromErrno(errno, "cannot look at a file"));
  if (!S_ISREG(facts.st_mode)) return Fail(Error::InvalidArgument("what is to be sent is no file"));
  return static_cast<uint64_t>(facts.st_size);
}

}  // namespace

// ---- in ----

Status RecordReader::Take(ByteSpan bytes, RecordSink& sink) {
  if (!broken_) return broken_;
  held_.append(AsText(bytes));
  size_t done = 0;
  while (broken_ && held_.size() - done >= kHeaderBytes) {
    const auto type = static_cast<uint8_t>(held_[done]);
    const uint64_t length = ReadNumber(std::string_view(held_).substr(done + 1, kHeaderBytes - 1));
    if (!IsKnown(type)) {
      broken_ = Fail(Error::InvalidArgument("there is no record of type " + std::to_string(type)));
    } else if (length > BytesMax(static_cast<RecordType>(type))) {
      broken_ = Fail(Error::InvalidArgument("a record of type " + std::to_string(type) +
                                            " is too long: bytes=" + std::to_string(length)));
    } else if (held_.size() - done - kHeaderBytes < length) {
      break;
    } else {
      broken_ = TakeRecord(static_cast<RecordType>(type),
                           std::string_view(held_).substr(done + kHeaderBytes, length), sink);
      done += kHeaderBytes + length;
    }
  }
  held_.erase(0, done);
  return broken_;
}

Status RecordReader::TakeRecord(RecordType type, std::string_view body, RecordSink& sink) {
  switch (type) {
    case RecordType::kFrame: return TakeFrame(body, sink);
    case RecordType::kPiece: return TakePiece(body, sink);
    case RecordType::kAlive: return Ok();
    case RecordType::kEnd: sink.OnEnd(Printable(body, kReasonBytesMax)); return Ok();
  }
  return Ok();
}

Status RecordReader::TakeFrame(std::string_view body, RecordSink& sink) {
  if (has_frame_)
    return Fail(Error::InvalidArgument("a frame came before the files of the last were complete"));
  if (body.size() < kCountBytes)
    return Fail(Error::InvalidArgument("a frame does not say how many files it has"));
  const uint64_t count = ReadNumber(body.substr(0, kCountBytes));
  body.remove_prefix(kCountBytes);
  if (count > process::kFdsMax || body.size() < count * kSizeBytes)
    return Fail(Error::InvalidArgument("a frame announces too many files: " + std::to_string(count)));
  uint64_t total = 0;
  std::vector<uint64_t> sizes;
  for (uint64_t i = 0; i < count; ++i) {
    sizes.push_back(ReadNumber(body.substr(i * kSizeBytes, kSizeBytes)));
    if (sizes.back() > kFileBytesMax)
      return Fail(Error::InvalidArgument("a file is too large: bytes=" + std::to_string(sizes.back())));
    total += sizes.back();
  }
  body.remove_prefix(count * kSizeBytes);
  if (body.size() > kFrameBytesMax)
    return Fail(Error::InvalidArgument("a frame is too long: bytes=" + std::to_string(body.size())));
  if (total > 0) GC_TRY_VOID(sink.CheckRoom(total));
  frame_ = {.payload = std::string(body), .fds = {}};
  has_frame_ = true;
  sizes_ = std::move(sizes);
  return FinishFiles(sink);
}

Status RecordReader::TakePiece(std::string_view body, RecordSink& sink) {
  if (!has_frame_) return Fail(Error::InvalidArgument("bytes came that belong to no file"));
  if (body.empty() || body.size() > sizes_[files_.size()] - written_)
    return Fail(Error::InvalidArgument("more or fewer bytes of a file came than were announced"));
  GC_TRY_VOID(WriteAt(file_.get(), body, written_));
  written_ += body.size();
  file_bytes_ += body.size();
  return FinishFiles(sink);
}

// Of those that are complete; a frame is given on with the last of its files.
Status RecordReader::FinishFiles(RecordSink& sink) {
  while (files_.size() < sizes_.size()) {
    if (!file_.valid()) {
      GC_TRY(file_, sink.MakeFile());
      written_ = 0;
    }
    if (written_ < sizes_[files_.size()]) return Ok();
    files_.push_back(std::move(file_));
  }
  frame_.fds = std::move(files_);
  files_.clear();
  sizes_.clear();
  has_frame_ = false;
  return sink.OnFrame(std::move(frame_));
}

// ---- out ----

Status RecordWriter::Add(process::Frame frame) {
  if (frame.payload.size() > kFrameBytesMax || frame.fds.size() > process::kFdsMax)
    return Fail(Error::InvalidArgument("a frame is too large: bytes=" + std::to_string(frame.payload.size()) +
                                       ", files=" + std::to_string(frame.fds.size())));
  Outgoing outgoing;
  for (const Fd& file : frame.fds) {
    GC_TRY(outgoing.sizes.emplace_back(), SizeOf(file));
  }
  AppendHeader(outgoing.record, RecordType::kFrame,
               kCountBytes + frame.fds.size() * kSizeBytes + frame.payload.size());
  AppendNumber(outgoing.record, frame.fds.size(), kCountBytes);
  for (const uint64_t size : outgoing.sizes) AppendNumber(outgoing.record, size, kSizeBytes);
  outgoing.record += frame.payload;
  outgoing.files = std::move(frame.fds);
  held_bytes_ += outgoing.record.size();
  held_files_ += outgoing.files.size();
  frames_.push_back(std::move(outgoing));
  return Ok();
}

std::string RecordWriter::End(std::string_view reason) {
  reason = reason.substr(0, kReasonBytesMax);
  std::string record;
  AppendHeader(record, RecordType::kEnd, reason.size());
  return record.append(reason);
}

Status RecordWriter::Next(std::string& to) {
  if (std::exchange(alive_, false)) {
    AppendHeader(to, RecordType::kAlive, 0);
    return Ok();
  }
  if (frames_.empty()) return Ok();
  Outgoing& frame = frames_.front();
  if (!frame.record.empty()) {
    to += frame.record;
    held_bytes_ -= frame.record.size();
    frame.record.clear();
    DropGiven();
    return Ok();
  }
  const size_t bytes =
      static_cast<size_t>(std::min<uint64_t>(kPieceBytesMax, frame.sizes[frame.next] - frame.at));
  AppendHeader(to, RecordType::kPiece, bytes);
  const size_t begin = to.size();
  to.resize(begin + bytes);
  for (size_t done = 0; done < bytes;) {
    const ssize_t got = ::pread(frame.files[frame.next].get(), to.data() + begin + done, bytes - done,
                                static_cast<off_t>(frame.at + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(Error::FromErrno(errno, "cannot read a file that is to be sent"));
    if (got == 0) return Fail(Error::DataLoss("a file got shorter while it was sent"));
    done += static_cast<size_t>(got);
  }
  frame.at += bytes;
  DropGiven();
  return Ok();
}

// Files that were sent, or have nothing to send, and the frame with its last one.
void RecordWriter::DropGiven() {
  Outgoing& frame = frames_.front();
  while (frame.next < frame.files.size() && frame.at == frame.sizes[frame.next]) {
    frame.files[frame.next++] = Fd();
    frame.at = 0;
    --held_files_;
  }
  if (frame.next == frame.files.size()) frames_.pop_front();
}

}  // namespace glasscase::tunnel
