#include <glasscase/process/cgroup.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>
#include <utility>

#include <glasscase/process/file_io.h>

namespace glasscase::process {
namespace {

constexpr const char* kLeaf = "processes";
constexpr const char* kOwn = "own";
constexpr std::string_view kSeat = "worker";
constexpr int kRemoveTries = 400;
constexpr int kRemoveEveryMicros = 5'000;

struct NamedController {
  std::string_view kernel;
  std::string_view plain;
  bool CgroupControllers::*is_there;
};
constexpr std::array<NamedController, 3> kControllers = {
    {{"memory", "memory", &CgroupControllers::memory},
     {"pids", "processes", &CgroupControllers::processes},
     {"cpu", "processors", &CgroupControllers::processors}}};

// Cuts the next piece off; nothing at the end.
std::optional<std::string_view> Next(std::string_view& text, char separator) {
  if (text.empty()) return std::nullopt;
  const size_t end = text.find(separator);
  const std::string_view piece = text.substr(0, end);
  text.remove_prefix(end == text.npos ? text.size() : end + 1);
  return piece;
}

std::vector<std::string_view> Words(std::string_view text) {
  std::vector<std::string_view> words;
  while (const auto word = Next(text, ' '))
    if (!word->empty()) words.push_back(*word);
  return words;
}

template <typename Number>
std::optional<Number> ToNumber(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// mountinfo has spaces and the like as \040.
std::string Unescape(std::string_view text) {
  std::string plain;
  for (size_t at = 0; at < text.size(); ++at) {
    const auto is_octal = [&](size_t i) { return text[i] >= '0' && text[i] <= '7'; };
    if (text[at] == '\\' && at + 3 < text.size() && is_octal(at + 1) && is_octal(at + 2) &&
        is_octal(at + 3)) {
      plain += static_cast<char>((text[at + 1] - '0') * 64 + (text[at + 2] - '0') * 8 + text[at + 3] - '0');
      at += 3;
    } else {
      plain += text[at];
    }
  }
  return plain;
}

// "0::/a.slice/b.service": of version 2.
std::optional<std::string_view> PathInHierarchy(std::string_view cgroup) {
  while (const auto line = Next(cgroup, '\n'))
    if (line->starts_with("0::/")) return line->substr(3);
  return std::nullopt;
}

struct Mounted {
  std::string root;   // which cgroup of the hierarchy
  std::string point;  // is seen there
};

// proc(5): "31 23 0:28 ROOT POINT rw,relatime shared:9 - TYPE ...".
std::optional<Mounted> Cgroup2Mount(std::string_view mountinfo) {
  while (const auto line = Next(mountinfo, '\n')) {
    const size_t dash = line->find(" - ");
    if (dash == line->npos || !line->substr(dash + 3).starts_with("cgroup2 ")) continue;
    const auto words = Words(line->substr(0, dash));
    if (words.size() >= 5) return Mounted{Unescape(words[3]), Unescape(words[4])};
  }
  return std::nullopt;
}

std::vector<std::string> FoldersIn(const std::string& path) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path.c_str()), closedir);
  if (!folder) return names;
  while (const dirent* entry = readdir(folder.get()))
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  return names;
}

// "worker", "worker-1"
bool IsSeat(std::string_view name) {
  if (!name.starts_with(kSeat)) return false;
  name.remove_prefix(kSeat.size());
  return name.empty() || (name.starts_with('-') && ToNumber<unsigned>(name.substr(1)));
}

std::string Below(const std::string& folder, std::string_view name) {
  std::string path = folder;
  path.append("/").append(name);
  return path;
}

bool Has(const std::vector<pid_t>& processes, pid_t one) {
  return std::find(processes.begin(), processes.end(), one) != processes.end();
}

// systemd marks what it delegated. Root could write anywhere, so for root the mark decides, where it is to be
// expected.
bool IsMarkedAsDelegated(const std::string& path) {
  if (geteuid() != 0 || access("/run/systemd/system", F_OK) != 0) return true;
  char mark = 0;
  for (const char* name : {"trusted.delegate", "user.delegate"})
    if (getxattr(path.c_str(), name, &mark, 1) == 1 && mark == '1') return true;
  return false;
}

Status CheckIsOurs(const Cgroup& cgroup) {
  const std::string none = "no cgroup is delegated to Glasscase: ";
  const auto type = cgroup.Read("cgroup.type");
  if (!type) return Fail(Error::FailedPrecondition(none + "it runs in the root of all cgroups"));
  if (!type->starts_with("domain\n"))
    return Fail(Error::FailedPrecondition(none + cgroup.path() + " is for threads"));
  if (!IsMarkedAsDelegated(cgroup.path()))
    return Fail(Error::FailedPrecondition(none + cgroup.path() + " is systemd's own (Delegate=yes)"));
  for (const char* file : {".", "cgroup.procs", "cgroup.subtree_control"}) {
    if (faccessat(cgroup.fd(), file, W_OK, AT_EACCESS) == 0) continue;
    if (errno == EROFS)
      return Fail(Error::FailedPrecondition(none + cgroup.path() + " is mounted to be read only"));
    return Fail(Error::FailedPrecondition(none + cgroup.path() +
                                          " belongs to somebody else (systemd: " + "Delegate=yes)"));
  }
  return Ok();
}

// Those of them that are in it.
Result<std::vector<pid_t>> OnlyOurs(const Cgroup& cgroup, const std::vector<pid_t>& ours) {
  GC_TRY(auto processes, cgroup.Processes());
  for (const pid_t one : processes) {
    if (Has(ours, one)) continue;
    return Fail(Error::FailedPrecondition("the cgroup " + cgroup.path() +
                                          " has other processes than Glasscase's, such as process " +
                                          std::to_string(one) + ": start it in one of its own"));
  }
  return processes;
}

Status MoveInto(const Cgroup& cgroup, const std::vector<pid_t>& processes) {
  for (const pid_t one : processes) GC_TRY_VOID(cgroup.Write("cgroup.procs", std::to_string(one)));
  return Ok();
}

Status HandOver(const Cgroup& seat, uid_t user) {
  // cgroups(7), "Delegation": these and no others.
  for (const char* file : {".", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"})
    if (fchownat(seat.fd(), file, user, user, 0) != 0)
      return Fail(Error::FromErrno(errno, "cannot hand over " + seat.path() + "/" + file));
  return Ok();
}

}  // namespace

// ---- what the kernel writes ----

CgroupControllers CgroupControllers::Parse(std::string_view words) {
  CgroupControllers controllers;
  if (words.ends_with('\n')) words.remove_suffix(1);
  for (const std::string_view word : Words(words))
    for (const NamedController& one : kControllers)
      if (word == one.kernel) controllers.*one.is_there = true;
  return controllers;
}

std::string ControllersText(CgroupControllers controllers, bool has) {
  std::string text;
  for (const NamedController& one : kControllers)
    if (controllers.*one.is_there == has) text.append(text.empty() ? "" : ", ").append(one.plain);
  return text;
}

std::optional<uint64_t> CgroupNumber(std::string_view text, std::string_view word) {
  while (const auto line = Next(text, '\n')) {
    const auto words = Words(*line);
    if (words.size() == 2 && words[0] == word) return ToNumber<uint64_t>(words[1]);
  }
  return std::nullopt;
}

Result<std::string> CgroupFolderOf(std::string_view cgroup, std::string_view mountinfo) {
  const auto path = PathInHierarchy(cgroup);
  const auto mounted = Cgroup2Mount(mountinfo);
  if (!path || !mounted) return Fail(Error::Unimplemented("this system has no cgroups of version 2"));
  if (mounted->root == "/") return *path == "/" ? mounted->point : mounted->point + std::string(*path);
  std::string_view below = *path;
  const bool is_seen = below.starts_with(mounted->root) &&
                       (below.size() == mounted->root.size() || below[mounted->root.size()] == '/');
  if (!is_seen)
    return Fail(Error::FailedPrecondition("its own cgroup is not among those at " + mounted->point));
  below.remove_prefix(mounted->root.size());
  return mounted->point + std::string(below);
}

std::optional<std::string> FolderOfSomebodyElse(const std::string& path) {
  for (const std::string& name : FoldersIn(path))
    if (name != kLeaf && !IsSeat(name)) return name;
  return std::nullopt;
}

// ---- one cgroup ----

Result<Cgroup> Cgroup::Open(const std::string& path) {
  Fd folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder.valid()) return Fail(Error::FromErrno(errno, "cannot open the cgroup " + path));
  return Cgroup(path, std::move(folder));
}

Result<Cgroup> Cgroup::Make(const std::string& path) {
  if (mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
    return Fail(Error::FromErrno(errno, "cannot make the cgroup " + path));
  return Open(path);
}

Result<Cgroup> Cgroup::Own() {
  GC_TRY(const std::string cgroup, ReadText("/proc/self/cgroup"));
  GC_TRY(const std::string mountinfo, ReadText("/proc/self/mountinfo"));
  GC_TRY(const std::string path, CgroupFolderOf(cgroup, mountinfo));
  return Open(path);
}

Result<std::string> Cgroup::Read(const char* file) const {
  return ReadText(Fd(openat(fd(), file, O_RDONLY | O_CLOEXEC)), path_ + "/" + file);
}

Status Cgroup::Write(const char* file, std::string_view text) const {
  const Fd opened(openat(fd(), file, O_WRONLY | O_CLOEXEC));
  if (!opened.valid() || write(opened.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return Fail(Error::FromErrno(errno, "cannot write " + path_ + "/" + file));
  return Ok();
}

Result<std::vector<pid_t>> Cgroup::Processes() const {
  GC_TRY(const std::string text, Read("cgroup.procs"));
  std::vector<pid_t> processes;
  std::string_view rest = text;
  while (const auto line = Next(rest, '\n')) processes.push_back(ToNumber<pid_t>(*line).value_or(0));
  return processes;
}

bool Cgroup::IsEmpty() const {
  const auto events = Read("cgroup.events");
  return !events || CgroupNumber(*events, "populated") == 0;
}

void Cgroup::KillAll() const {
  if (Write("cgroup.kill", "1")) return;
  // Linux before 5.14: one by one. Whoever calls does so again while something is left.
  for (const std::string& name : FoldersIn(path_))
    if (const auto below = Open(Below(path_, name))) below->KillAll();
  for (const pid_t one : Processes().value_or(std::vector<pid_t>{}))
    if (one > 0) kill(one, SIGKILL);
}

Status Cgroup::Remove() {
  for (int attempt = 0; attempt < kRemoveTries; ++attempt) {
    if (!IsEmpty()) KillAll();
    for (const std::string& name : FoldersIn(path_)) rmdir(Below(path_, name).c_str());
    if (rmdir(path_.c_str()) == 0 || errno == ENOENT) return Ok();
    usleep(kRemoveEveryMicros);
  }
  return Fail(Error::FromErrno(errno, "cannot remove the cgroup " + path_));
}

// ---- seats ----

Result<CgroupSeat> TakeSeat(const std::string& folder) {
  GC_TRY(const Cgroup own, Cgroup::Own());
  if (own.path() != folder + "/" + kOwn)
    return Fail(Error::FailedPrecondition("its cgroup is " + own.path() + ", not below " + folder));
  GC_TRY(const Cgroup seat, Cgroup::Open(folder));
  GC_TRY(const std::string controllers, seat.Read("cgroup.subtree_control"));
  for (const std::string& name : FoldersIn(folder)) {
    if (name == kOwn) continue;
    GC_TRY(Cgroup left, Cgroup::Open(Below(folder, name)));
    GC_TRY_VOID(left.Remove());
  }
  return CgroupSeat{.folder = folder, .controllers = CgroupControllers::Parse(controllers), .missing = {}};
}

Result<DelegatedCgroup> DelegatedCgroup::Take(const std::vector<pid_t>& ours) {
  GC_TRY(Cgroup cgroup, Cgroup::Own());
  GC_TRY_VOID(CheckIsOurs(cgroup));
  if (const auto other = FolderOfSomebodyElse(cgroup.path()))
    return Fail(Error::FailedPrecondition("the cgroup " + cgroup.path() +
                                          " has one below it that is not Glasscase's, " + *other +
                                          ": start Glasscase in one of its own"));
  GC_TRY(const std::string offered, cgroup.Read("cgroup.controllers"));
  const CgroupControllers wanted = CgroupControllers::Parse(offered);
  if (!wanted.any())
    return Fail(Error::FailedPrecondition("the cgroup " + cgroup.path() +
                                          " controls neither memory nor processes nor processors"));
  GC_TRY(const std::vector<pid_t> inside, OnlyOurs(cgroup, ours));
  GC_TRY(Cgroup leaf, Cgroup::Make(cgroup.path() + "/" + kLeaf));
  DelegatedCgroup taken(std::move(cgroup), std::move(leaf));
  Status done = MoveInto(taken.leaf_, inside);
  if (done) done = taken.Enable(wanted);
  if (done) return taken;
  taken.GiveBack();
  return Fail(std::move(done.error()));
}

// One by one: each may be refused for a reason of its own.
Status DelegatedCgroup::Enable(CgroupControllers wanted) {
  Status last = Ok();
  for (const NamedController& one : kControllers) {
    if (!(wanted.*one.is_there)) continue;
    Status enabled = cgroup_.Write("cgroup.subtree_control", "+" + std::string(one.kernel));
    controllers_.*one.is_there = enabled.has_value();
    if (!enabled) last = std::move(enabled);
  }
  return controllers_.any() ? Ok() : last;
}

Result<Cgroup> DelegatedCgroup::MakeSeat(const std::string& name, std::optional<uid_t> user) const {
  GC_TRY(const Cgroup seat, Cgroup::Make(SeatFolder(name)));
  for (const NamedController& one : kControllers)
    if (controllers_.*one.is_there)
      GC_TRY_VOID(seat.Write("cgroup.subtree_control", "+" + std::string(one.kernel)));
  if (user) GC_TRY_VOID(HandOver(seat, *user));
  return Cgroup::Make(seat.path() + "/" + kOwn);
}

void DelegatedCgroup::GiveBack() {
  for (const std::string& name : FoldersIn(path())) {
    if (!IsSeat(name)) continue;
    if (auto seat = Cgroup::Open(Below(path(), name))) (void)seat->Remove();
  }
  for (const NamedController& one : kControllers)
    (void)cgroup_.Write("cgroup.subtree_control", "-" + std::string(one.kernel));
  (void)MoveInto(cgroup_, leaf_.Processes().value_or(std::vector<pid_t>{}));
  rmdir(leaf_.path().c_str());
}

}  // namespace glasscase::process
