// The files of one version: copied from the custodian's descriptors into memory of our own, which is made
// read-only, then hashed there. What was hashed is what is loaded, whatever happens to the files meanwhile.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <glasscase/core/bytes.h>
#include <glasscase/core/error.h>
#include <glasscase/inference/engine.h>
#include <glasscase/process/fd.h>
#include <glasscase/rpc/link.pb.h>

namespace glasscase::hosting {

// What the custodian says about a file.
struct FileClaim {
  std::string path;
  uint64_t bytes = 0;
  Digest sha256{};
  bool is_graph = false;
};
// InvalidArgument when a digest is not one, or when not exactly one file is the graph.
Result<std::vector<FileClaim>> ReadClaims(const google::protobuf::RepeatedPtrField<rpc::ModelFile>& files);

class ModelFiles {
 public:
  // Reads every descriptor from its beginning. DataLoss when a file is not what its claim says, or all
  // together are not what `expected` says, the digest of their manifest (when given); ResourceExhausted
  // beyond `bytes_max`.
  static Result<ModelFiles> Copy(std::span<const FileClaim> claims, std::span<const Fd> fds,
                                 const std::optional<Digest>& expected, uint64_t bytes_max);

  ByteSpan graph() const;
  std::vector<inference::ExternalFile> external() const;  // views of this

 private:
  // An anonymous mapping, read-only once filled.
  class Sealed {
   public:
    static Result<Sealed> Read(int fd, uint64_t bytes);
    Sealed(Sealed&& other) noexcept;
    Sealed& operator=(Sealed&& other) noexcept;
    ~Sealed();
    ByteSpan bytes() const { return {data_, static_cast<size_t>(bytes_)}; }

   private:
    Sealed() = default;
    uint8_t* data_ = nullptr;
    uint64_t bytes_ = 0;
  };
  struct File {
    FileClaim claim;
    Sealed memory;
  };
  std::vector<File> files_;
};

}  // namespace glasscase::hosting
