#include <glasscase/hosting/model_files.h>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <glasscase/crypto/sha256.h>
#include <glasscase/manifest/manifest.h>

namespace glasscase::hosting {

Result<std::vector<FileClaim>> ReadClaims(const google::protobuf::RepeatedPtrField<rpc::ModelFile>& files) {
  std::vector<FileClaim> claims;
  size_t graphs = 0;
  for (const rpc::ModelFile& file : files) {
    FileClaim& claim = claims.emplace_back();
    if (file.sha256().size() != claim.sha256.size())
      return Fail(Error::InvalidArgument("a file's digest is not one"));
    claim.path = file.path();
    claim.bytes = file.bytes();
    claim.is_graph = file.is_graph();
    std::memcpy(claim.sha256.data(), file.sha256().data(), claim.sha256.size());
    graphs += claim.is_graph ? 1 : 0;
  }
  if (graphs != 1) {
    return Fail(Error::InvalidArgument("a version has exactly one graph, not " + std::to_string(graphs)));
  }
  return claims;
}

Result<ModelFiles> ModelFiles::Copy(std::span<const FileClaim> claims, std::span<const Fd> fds,
                                    const std::optional<Digest>& expected, uint64_t bytes_max) {
  if (claims.size() != fds.size()) {
    return Fail(Error::InvalidArgument(
        "files and descriptors differ in number: files=" + std::to_string(claims.size()) +
        ", descriptors=" + std::to_string(fds.size())));
  }
  if (const Digest digest = manifest::DigestOf(claims); expected && digest != *expected) {
    return Fail(
        Error::DataLoss("model digest mismatch: catalog=" + ToHex(*expected) + ", files=" + ToHex(digest)));
  }
  ModelFiles files;
  uint64_t left = bytes_max;
  for (size_t i = 0; i < claims.size(); ++i) {
    if (claims[i].bytes > left) {
      return Fail(Error::ResourceExhausted("the model is larger than its host's memory: limit=" +
                                           std::to_string(bytes_max)));
    }
    left -= claims[i].bytes;
    GC_TRY(Sealed memory, Sealed::Read(fds[i].get(), claims[i].bytes));
    const Digest digest = Sha256(memory.bytes());
    if (digest != claims[i].sha256) {
      return Fail(Error::DataLoss("file digest mismatch: file=" + Printable(claims[i].path) +
                                  ", catalog=" + ToHex(claims[i].sha256) + ", blob=" + ToHex(digest)));
    }
    files.files_.push_back({.claim = claims[i], .memory = std::move(memory)});
  }
  return files;
}

ByteSpan ModelFiles::graph() const {
  for (const File& file : files_) {
    if (file.claim.is_graph) return file.memory.bytes();
  }
  return {};
}

std::vector<inference::ExternalFile> ModelFiles::external() const {
  std::vector<inference::ExternalFile> files;
  for (const File& file : files_) {
    if (!file.claim.is_graph) files.push_back({.path = file.claim.path, .bytes = file.memory.bytes()});
  }
  return files;
}

Result<ModelFiles::Sealed> ModelFiles::Sealed::Read(int fd, uint64_t bytes) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return Fail(Error::FromErrno(errno, "cannot look at a model's file"));
  if (static_cast<uint64_t>(info.st_size) != bytes) {
    return Fail(Error::DataLoss("a model's file has another size: catalog=" + std::to_string(bytes) +
                                ", blob=" + std::to_string(info.st_size)));
  }
  Sealed sealed;
  if (bytes == 0) return sealed;
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    return Fail(
        Error::ResourceExhausted("no memory for a model's file of " + std::to_string(bytes) + " bytes"));
  sealed.data_ = static_cast<uint8_t*>(memory);
  sealed.bytes_ = bytes;
  for (uint64_t at = 0; at < bytes;) {
    const ssize_t got = ::pread(fd, sealed.data_ + at, bytes - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(Error::FromErrno(errno, "cannot read a model's file"));
    if (got == 0) return Fail(Error::DataLoss("a model's file became shorter while it was read"));
    at += static_cast<uint64_t>(got);
  }
  if (::mprotect(sealed.data_, bytes, PROT_READ) != 0) {
    return Fail(Error::FromErrno(errno, "cannot make a model's memory read-only"));
  }
  return sealed;
}

ModelFiles::Sealed::Sealed(Sealed&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

ModelFiles::Sealed& ModelFiles::Sealed::operator=(Sealed&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

ModelFiles::Sealed::~Sealed() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

}  // namespace glasscase::hosting
