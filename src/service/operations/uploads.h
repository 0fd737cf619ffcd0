// Files on their way in: announced, received piece by piece, then taken by a publish or dropped.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <glasscase/blobs/blob_store.h>

#include "desk.h"

namespace glasscase::operations {

// Every file travels to inspector and host as a descriptor of one frame.
inline constexpr size_t kUploadFilesMax = process::kFdsMax;
inline constexpr uint64_t kUploadBytesMax = uint64_t{16} << 30;

struct UploadedFile {
  std::string path;
  uint64_t bytes = 0;  // announced
  std::optional<Digest> announced_sha256;
  bool is_graph = false;
  std::unique_ptr<blobs::StagedBlob> staged;  // null before the first piece
  Digest sha256{};                            // once complete

  uint64_t received() const { return staged ? staged->bytes() : 0; }
};

struct Upload {
  Uuid id;
  LinkId from;
  Uuid subject;
  std::vector<UploadedFile> files;
  bool kept = false;  // not for a host: no file is the graph
  int64_t touched_ns = 0;
};

class Uploads {
 public:
  static constexpr size_t kPerSubjectMax = 8;
  static constexpr size_t kMax = 32;
  static constexpr int64_t kIdleNs = int64_t{3600} * 1'000'000'000;

  explicit Uploads(Desk& desk) : desk_(desk) {}

  Result<Uuid> Begin(const Act& act, std::vector<UploadedFile> files, bool kept);
  Status Append(const Act& act, const rpc::UploadPieceRequest& piece);
  // With every file complete and its digest known. Whatever the outcome, the upload is no longer kept here.
  Result<std::unique_ptr<Upload>> Take(const Act& act, std::string_view id);
  Status Drop(const Act& act, std::string_view id);

  void DropOf(const LinkId& link);
  void DropIdle();

 private:
  Result<std::map<Uuid, std::unique_ptr<Upload>>::iterator> Find(const Act& act, std::string_view id);
  Status CheckRoom(const std::vector<UploadedFile>& files) const;

  Desk& desk_;
  std::map<Uuid, std::unique_ptr<Upload>> uploads_;
};

// Checks what is announced; InvalidArgument names the file.
Result<std::vector<UploadedFile>> CheckAnnouncedFiles(const rpc::BeginUploadRequest& request);

}  // namespace glasscase::operations
