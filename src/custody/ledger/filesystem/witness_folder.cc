#include <glasscase/ledger_filesystem/witness_folder.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include <glasscase/crypto/sha256.h>

namespace glasscase::ledger {
namespace {

constexpr char kTemporary[] = ".writing";
constexpr size_t kEvidenceMax =
    1'000;  // per start of the process: nobody fills the disk with a stolen log key

Error DiskError(const std::string& what) {
  if (errno == ENOSPC || errno == EDQUOT) return Error::ResourceExhausted("the disk of the witness is full");
  return Error::FromErrno(errno, what);
}

class WitnessFolder final : public WitnessState {
 public:
  explicit WitnessFolder(Fd folder) : folder_(std::move(folder)) {}

  Result<Witnessed> Read(const std::string& origin) const override {
    const std::string path = "logs/" + OriginDigest(origin) + "/checkpoint";
    GC_TRY(auto bytes, ReadFile(path));
    if (!bytes) return Witnessed{};
    const auto damaged = [&](const std::string& why) {
      return Fail(Error::DataLoss("the file " + path + " of the witness is damaged (" + why +
                                  "); put back the newest copy, or this log cannot be witnessed"));
    };
    const auto note = Note::Parse(*bytes);
    if (!note) return damaged(note.error().message());
    auto checkpoint = Checkpoint::Parse(note->text);
    if (!checkpoint) return damaged(checkpoint.error().message());
    if (checkpoint->origin != origin) return damaged("it is of " + Printable(checkpoint->origin));
    return Witnessed{.checkpoint = std::move(*checkpoint), .note = std::move(*bytes)};
  }

  Status Advance(const std::string& origin, const Witnessed& from, const Witnessed& to) override {
    GC_TRY(const Witnessed stored, Read(origin));
    if (stored != from)
      return Fail(Error(Code::kAborted, "the witness has signed another checkpoint in the meantime"));
    const std::string folder = "logs/" + OriginDigest(origin);
    GC_TRY_VOID(MakeFolder("logs"));
    GC_TRY_VOID(MakeFolder(folder));
    return WriteFile(folder, "checkpoint", to.note);
  }

  Status Keep(const Evidence& evidence) override {
    const bool splits = evidence.kind == Evidence::Kind::kSplitView;
    std::string folder = "evidence/" + OriginDigest(evidence.origin);
    GC_TRY_VOID(MakeFolder("evidence"));
    GC_TRY_VOID(MakeFolder(folder));
    // The same two roots are one case, whoever cosigned them and how often.
    folder += splits ? "/" + ToHex(Sha256(AsBytes(TextOf(evidence.known)), AsBytes(TextOf(evidence.other))))
                     : "/unproved";
    if (splits && ::faccessat(folder_.get(), (folder + "/other").c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0)
      return Ok();
    if (kept_ == kEvidenceMax)
      return Fail(Error::ResourceExhausted("enough evidence was kept since the witness was started"));
    ++kept_;
    GC_TRY_VOID(MakeFolder(folder));
    GC_TRY_VOID(WriteFile(folder, "known", evidence.known));
    return WriteFile(folder, "other", evidence.other);
  }

 private:
  static std::string_view TextOf(std::string_view note) { return note.substr(0, note.rfind("\n\n")); }

  Result<std::optional<std::string>> ReadFile(const std::string& path) const {
    const Fd file(::openat(folder_.get(), path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file.valid()) {
      if (errno == ENOENT) return std::nullopt;
      return Fail(DiskError("cannot open the witness's file " + path));
    }
    std::string bytes(Note::kBytesMax + 1, '\0');
    size_t filled = 0;
    while (filled < bytes.size()) {
      const ssize_t got = ::read(file.get(), bytes.data() + filled, bytes.size() - filled);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return Fail(DiskError("cannot read the witness's file " + path));
      if (got == 0) break;
      filled += static_cast<size_t>(got);
    }
    bytes.resize(filled);
    return bytes;
  }

  // Durable when it returns, also when the folder was there: a crash may have come before its name was.
  Status MakeFolder(const std::string& path) {
    if (::mkdirat(folder_.get(), path.c_str(), 0755) != 0 && errno != EEXIST)
      return Fail(DiskError("cannot make the folder " + path));
    const size_t slash = path.rfind('/');
    return SyncFolder(slash == std::string::npos ? "." : path.substr(0, slash));
  }

  Status SyncFolder(const std::string& path) {
    const Fd folder(::openat(folder_.get(), path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!folder.valid() || ::fsync(folder.get()) != 0) return Fail(DiskError("cannot sync " + path));
    return Ok();
  }

  // Durable when it returns: the bytes first, then the name.
  Status WriteFile(const std::string& folder, const std::string& name, std::string_view bytes) {
    const std::string path = folder + "/" + name;
    {
      const Fd file(
          ::openat(folder_.get(), kTemporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
      if (!file.valid()) return Fail(DiskError("cannot write into the folder of the witness"));
      while (!bytes.empty()) {
        const ssize_t written = ::write(file.get(), bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return Fail(DiskError("cannot write " + path));
        bytes.remove_prefix(static_cast<size_t>(written));
      }
      if (::fsync(file.get()) != 0) return Fail(DiskError("cannot sync " + path));
    }
    if (::renameat(folder_.get(), kTemporary, folder_.get(), path.c_str()) != 0)
      return Fail(DiskError("cannot name " + path));
    return SyncFolder(folder);
  }

  Fd folder_;  // locked
  size_t kept_ = 0;
};

}  // namespace

Result<std::unique_ptr<WitnessState>> OpenWitnessFolder(Fd folder) {
  if (!folder.valid()) return Fail(Error::InvalidArgument("the folder of the witness is not open"));
  if (::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Fail(DiskError("cannot lock the folder of the witness"));
    return Fail(Error(Code::kAborted, "another process has this witness's folder: stop it first"));
  }
  return std::make_unique<WitnessFolder>(std::move(folder));
}

}  // namespace glasscase::ledger
