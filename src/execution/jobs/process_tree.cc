#include <glasscase/jobs/process_tree.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <glasscase/process/file_io.h>

namespace glasscase::jobs {
namespace {

constexpr uint64_t kProcBytesMax = uint64_t{128} << 20;  // mappings of one process may be many

std::optional<std::string> ReadProc(pid_t pid, std::string_view name) {
  auto text = process::ReadText("/proc/" + std::to_string(pid) + "/" + std::string(name), kProcBytesMax);
  if (!text) return std::nullopt;
  return *std::move(text);
}

// False, with errno, when it cannot be opened.
template <typename Visit>
bool ForEachName(const std::string& path, const Visit& visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> names(::opendir(path.c_str()), ::closedir);
  if (!names) return false;
  while (const dirent* entry = ::readdir(names.get()))
    if (entry->d_name[0] != '.') visit(::dirfd(names.get()), entry->d_name);
  return true;
}

// The numbers of a line that are separated by white space; what is no number counts as 0.
std::vector<uint64_t> Numbers(std::string_view text) {
  std::vector<uint64_t> numbers;
  while (true) {
    const size_t begin = text.find_first_not_of(" \n");
    if (begin == std::string_view::npos) return numbers;
    text.remove_prefix(begin);
    const std::string_view word = text.substr(0, text.find_first_of(" \n"));
    uint64_t number = 0;
    std::from_chars(word.data(), word.data() + word.size(), number);
    numbers.push_back(number);
    text.remove_prefix(word.size());
  }
}

constexpr uint64_t kBlock = 512;

// Where /proc shows it. The first thread's own folder costs more to find.
std::string TaskFolder(const TreeMember& member) {
  const std::string folder = "/proc/" + std::to_string(member.pid);
  return member.thread == member.pid ? folder : folder + "/task/" + std::to_string(member.thread);
}

struct Pages {
  uint64_t mapped = 0;  // 0: it has ended
  uint64_t resident = 0;
};
Pages PagesOf(const std::string& folder) {
  const std::vector<uint64_t> pages = Numbers(process::ReadText(folder + "/statm").value_or(""));
  return pages.size() < 2 ? Pages{} : Pages{.mapped = pages[0], .resident = pages[1]};
}

// The first thread may end before the others: what it had is then shown for these alone.
void FindMemory(TreeMember& member) {
  static const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const auto take = [&member](pid_t thread) {
    member.thread = thread;
    const Pages pages = PagesOf(TaskFolder(member));
    member.memory_bytes = pages.resident * page;
    if (pages.mapped == 0) member.thread = 0;
  };
  take(member.pid);
  if (member.thread != 0) return;
  ForEachName("/proc/" + std::to_string(member.pid) + "/task", [&](int, const char* thread) {
    if (member.thread == 0) take(static_cast<pid_t>(std::atoi(thread)));
  });
}

// proc(5): utime and stime are the 14th and 15th field; those from the 3rd on follow the name's last bracket.
std::optional<TreeMember> Look(pid_t pid, unsigned depth) {
  static const uint64_t ticks = static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
  const auto stat = ReadProc(pid, "stat");
  if (!stat) return std::nullopt;
  const size_t bracket = stat->rfind(')');
  if (bracket == std::string::npos) return std::nullopt;
  const std::vector<uint64_t> fields = Numbers(std::string_view(*stat).substr(bracket + 1));
  if (fields.size() < 13) return std::nullopt;
  TreeMember member{
      .pid = pid, .depth = depth, .cpu_ms = static_cast<int64_t>((fields[11] + fields[12]) * 1000 / ticks)};
  FindMemory(member);
  return member;
}

std::optional<uint64_t> KibibytesOf(std::string_view rollup, std::string_view name) {
  const size_t at = rollup.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  const std::vector<uint64_t> numbers = Numbers(rollup.substr(at + name.size()));
  if (numbers.empty()) return std::nullopt;
  return numbers[0];
}

struct Mapped {
  uint64_t inode = 0;
  std::string_view name;
};

// proc(5): "ADDRESSES RIGHTS OFFSET DEVICE INODE NAME", where nothing before the name has a "/" in it. By the
// name, as a job sees it, since other files of the same device are none of its own: programs and libraries
// that were replaced meanwhile.
std::optional<Mapped> UnnamedFileOfOut(std::string_view line) {
  constexpr std::string_view kFolder = "/out/", kGone = " (deleted)";
  const size_t at = line.find('/');
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view name = line.substr(at);
  if (!name.starts_with(kFolder) || !name.ends_with(kGone)) return std::nullopt;
  const std::vector<uint64_t> fields = Numbers(line.substr(0, at));
  if (fields.size() < 5) return std::nullopt;
  return Mapped{.inode = fields[4], .name = name.substr(0, name.size() - kGone.size())};
}

// Each thread has the children that it made itself.
std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::vector<pid_t> children;
  ForEachName("/proc/" + std::to_string(pid) + "/task", [&](int, const char* thread) {
    const auto text = ReadProc(pid, "task/" + std::string(thread) + "/children");
    for (const uint64_t child : Numbers(text.value_or(""))) children.push_back(static_cast<pid_t>(child));
  });
  return children;
}

}  // namespace

std::vector<TreeMember> ProcessTree(pid_t root) {
  std::vector<TreeMember> members;
  const auto add = [&](pid_t pid, unsigned depth) {
    if (members.size() == kMembersMax) return;
    if (const auto member = Look(pid, depth)) members.push_back(*member);
  };
  add(root, 0);
  for (size_t at = 0; at < members.size(); ++at) {
    const TreeMember parent = members[at];
    for (const pid_t child : ChildrenOf(parent.pid)) add(child, parent.depth + 1);
  }
  return members;
}

// Those first that were not looked at for longest.
template <typename Seen, typename See>
void TreeWatch::Visit(const std::vector<TreeMember>& members, std::map<pid_t, Seen>& seen, const See& see) {
  const auto until = std::chrono::steady_clock::now() + look_max_;
  ++look_;
  std::map<pid_t, Seen> still_there;
  std::multimap<uint64_t, const TreeMember*> by_look;
  for (const TreeMember& member : members) {
    auto known = seen.extract(member.pid);
    by_look.emplace(known.empty() ? 0 : known.mapped().look, &member);
    if (!known.empty()) still_there.insert(std::move(known));
  }
  seen = std::move(still_there);
  for (const auto& [look, member] : by_look) {
    Seen& now = seen[member->pid] = see(*member);
    now.look = look_;
    if (std::chrono::steady_clock::now() >= until) return;
  }
}

TreeWatch::Files TreeWatch::FilesOf(const TreeMember& member, uint64_t device) {
  Files files;
  if (member.thread == 0) return files;
  const std::string folder = TaskFolder(member);
  bool is_refused = false;
  const auto count = [&](int at, const char* name) {
    struct stat facts {};
    if (::fstatat(at, name, &facts, 0) != 0) {
      is_refused |= errno == EACCES || errno == EPERM;
    } else if (S_ISREG(facts.st_mode) && facts.st_nlink == 0 && facts.st_dev == device) {
      files.open[facts.st_ino] = static_cast<uint64_t>(facts.st_blocks) * kBlock;
    }
  };
  // Before the mappings: what is mapped and then closed is seen at least once.
  if (!ForEachName(folder + "/fd", count)) is_refused |= errno == EACCES || errno == EPERM;
  count(AT_FDCWD, (folder + "/exe").c_str());
  const auto maps = process::ReadText(folder + "/maps", kProcBytesMax);
  if (!maps) is_refused |= maps.error().code() != Code::kNotFound;
  for (std::string_view rest = maps ? std::string_view(*maps) : ""; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (const auto one = UnnamedFileOfOut(line)) files.mapped.emplace(one->inode, one->name);
  }
  // One that has ended meanwhile is shown to nobody.
  files.is_hidden = is_refused && PagesOf(folder).mapped > 0;
  return files;
}

Unnamed TreeWatch::LookAtFiles(const std::vector<TreeMember>& members, uint64_t device) {
  Visit(members, files_, [device](const TreeMember& member) { return FilesOf(member, device); });
  Unnamed unnamed;
  std::map<uint64_t, uint64_t> open;
  for (const auto& [pid, files] : files_) {
    for (const auto& [inode, bytes] : files.open) open[inode] = std::max(open[inode], bytes);
    unnamed.unmeasured.insert(files.mapped.begin(), files.mapped.end());
    unnamed.is_hidden |= files.is_hidden;
  }
  for (const auto& [inode, bytes] : open) {
    unnamed.bytes += bytes;
    unnamed.unmeasured.erase(inode);
  }
  return unnamed;
}

TreeWatch::Memory TreeWatch::MemoryOf(const TreeMember& member) {
  const std::string rollup =
      process::ReadText(TaskFolder(member) + "/smaps_rollup", kProcBytesMax).value_or("");
  if (const auto share = KibibytesOf(rollup, "\nPss:"))
    return {.share = *share * 1024, .memory_bytes = member.memory_bytes};
  const auto now = Look(member.pid, member.depth);  // not told; one that has ended meanwhile has none
  return {.share = now ? now->memory_bytes : 0, .memory_bytes = member.memory_bytes};
}

SharedMemory TreeWatch::LookAtMemory(const std::vector<TreeMember>& members) {
  Visit(members, memory_, MemoryOf);
  SharedMemory shared;
  for (const TreeMember& member : members) {
    const auto seen = memory_.find(member.pid);
    if (seen == memory_.end()) {
      shared.bytes += member.memory_bytes;
    } else {
      const uint64_t then = seen->second.memory_bytes;
      shared.bytes += seen->second.share + member.memory_bytes - std::min(member.memory_bytes, then);
    }
    shared.is_certain &= seen != memory_.end() && seen->second.look == look_;
  }
  return shared;
}

}  // namespace glasscase::jobs
