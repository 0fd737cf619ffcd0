// Files on their way in: made, received in one or several goes, then taken by a publish, dropped or expired.
// They outlive the process: what was acknowledged is there after a crash.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/blobs/blob_store.h>

#include "desk.h"
#include "receiving.h"
#include "routes.h"
#include "side_job.h"

namespace glasscase::operations {

// Every file travels to inspector and host as a descriptor of one frame.
inline constexpr size_t kPublishedFilesMax = process::kFdsMax;
inline constexpr uint64_t kPublishedBytesMax = uint64_t{16} << 30;

struct Upload {
  Uuid id;
  Uuid subject;
  uint64_t bytes = 0;  // when it is whole
  std::string metadata;
  std::optional<Digest> announced_sha256;
  int64_t touched_micros = 0;
  uint64_t kept = 0;
  std::unique_ptr<blobs::PartialBlob> blob;  // null until it is needed after a start
  std::optional<Digest> sha256;              // once whole and digested
  std::unique_ptr<Receiving> receiving;
  bool publishing = false;
  bool dropped = false;  // to be discarded when its receiving has ended
  // What became of the last delivery, and who waits for it.
  std::optional<Result<rpc::UploadReceipt>> receipt;
  std::function<void()> on_receipt;

  bool whole() const { return kept == bytes; }
  bool busy() const { return receiving || publishing; }
};

// One file of a publish.
struct UploadedFile {
  std::string path;
  uint64_t bytes = 0;
  Digest sha256{};
  bool is_graph = false;
  std::optional<Digest> announced_sha256;  // by the publish
  Upload* upload = nullptr;                // held by the claim
};

class Uploads;

// The uploads that a publish works with: nobody else writes, drops or expires them meanwhile. Gives them
// back, unless they were used up.
class Claim {
 public:
  Claim(Uploads& uploads, std::vector<UploadedFile> files);
  Claim(Claim&& other) noexcept;
  Claim& operator=(Claim&&) = delete;
  ~Claim();

  std::vector<UploadedFile>& files() { return files_; }
  const std::vector<UploadedFile>& files() const { return files_; }
  // Their bytes are in the store now, or not wanted any more.
  void UseUp();

 private:
  Uploads* uploads_;  // null when moved from or used up
  std::vector<UploadedFile> files_;
};

class Uploads {
 public:
  static constexpr size_t kPerSubjectMax = 256;
  static constexpr size_t kMax = 1024;
  static constexpr uint64_t kBytesPerSubjectMax = uint64_t{64} << 30;
  static constexpr size_t kReceivingMax = 32;  // at a time, with two threads each
  static constexpr size_t kMetadataBytesMax = 4096;

  Uploads(Desk& desk, int64_t idle_ms) : desk_(desk), idle_micros_(idle_ms * 1000) {}

  // Once, at the start: what an earlier process kept.
  Status TakeUp();

  Result<Upload*> Create(const Act& act, const rpc::CreateUploadRequest& request);
  Result<Upload*> Find(const Act& act, std::string_view id);
  std::vector<const Upload*> Of(const Uuid& subject) const;
  // The entrance for the bytes. OutOfRange beyond the upload's length, Aborted at another offset,
  // FailedPrecondition while another writes.
  Result<Fd> Receive(Upload& upload, uint64_t offset, Delivery delivery);
  // `then` is called when no delivery is under way any more, perhaps at once; then `upload.receipt` says what
  // became of the last one. Unavailable takes the place of who waited before.
  void Await(Upload& upload, std::function<void()> then);
  Status Drop(Upload& upload);
  // The files of a publish, checked: paths, lengths, which one is the graph.
  Result<Claim> ClaimFor(const Act& act, const rpc::PublishRequest& request, bool kept);
  // Calls `then` when the digests of the claim's files are known and are what was announced: at once unless
  // an earlier process received them. `claim` lives until then.
  void FindDigests(Claim& claim, std::function<void(Status)> then);

  void DropIdle();
  rpc::UploadInfo Describe(const Upload& upload) const;

 private:
  friend class Claim;
  Status CheckRoom(const Uuid& subject, uint64_t bytes) const;
  bool IsExpired(const Upload& upload) const;
  Status OpenBlob(Upload& upload);
  Status StartAgain(Upload& upload);
  void OnReceived(const Uuid& id, const Received& received);
  Result<rpc::UploadReceipt> ReceiptFor(Upload& upload, const Received& received);
  void Forget(Upload& upload);  // discards its bytes
  void Erase(const Uuid& id) { uploads_.erase(id); }

  Desk& desk_;
  const int64_t idle_micros_;
  std::map<Uuid, std::unique_ptr<Upload>> uploads_;
  std::map<uint64_t, std::unique_ptr<SideJob>> digesting_;
  uint64_t next_digesting_ = 1;
};

}  // namespace glasscase::operations
