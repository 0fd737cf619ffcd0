#include <glasscase/jobs/process_tree.h>

#include <dirent.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <glasscase/process/fd.h>
#include <glasscase/process/file_io.h>

namespace glasscase::jobs {
namespace {

constexpr uint64_t kProcBytesMax = uint64_t{256} << 20;  // mappings of one process may be many

std::optional<std::string> ReadProc(pid_t pid, std::string_view name) {
  auto text = process::ReadText("/proc/" + std::to_string(pid) + "/" + std::string(name), kProcBytesMax);
  if (!text) return std::nullopt;
  return *std::move(text);
}

template <typename Visit>
void ForEachName(const std::string& path, const Visit& visit) {
  const std::unique_ptr<DIR, int (*)(DIR*)> names(::opendir(path.c_str()), ::closedir);
  if (!names) return;
  while (const dirent* entry = ::readdir(names.get()))
    if (entry->d_name[0] != '.') visit(::dirfd(names.get()), entry->d_name);
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

// proc(5): utime and stime are the 14th and 15th field; those from the 3rd on follow the name's last bracket.
std::optional<TreeMember> Look(pid_t pid, unsigned depth) {
  static const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  static const uint64_t ticks = static_cast<uint64_t>(::sysconf(_SC_CLK_TCK));
  const auto stat = ReadProc(pid, "stat");
  const auto statm = ReadProc(pid, "statm");
  if (!stat || !statm) return std::nullopt;
  const size_t bracket = stat->rfind(')');
  if (bracket == std::string::npos) return std::nullopt;
  const std::vector<uint64_t> fields = Numbers(std::string_view(*stat).substr(bracket + 1));
  const std::vector<uint64_t> pages = Numbers(*statm);
  if (fields.size() < 13 || pages.size() < 2) return std::nullopt;
  return TreeMember{.pid = pid,
                    .depth = depth,
                    .memory_bytes = pages[1] * page,
                    .cpu_ms = static_cast<int64_t>((fields[11] + fields[12]) * 1000 / ticks)};
}

// Where all files of memfd_create lie.
std::optional<dev_t> DeviceOfMemory() {
  const Fd file(::memfd_create("device", MFD_CLOEXEC));
  struct stat facts {};
  if (!file.valid() || ::fstat(file.get(), &facts) != 0) return std::nullopt;
  return facts.st_dev;
}

std::optional<uint64_t> KibibytesOf(std::string_view rollup, std::string_view name) {
  const size_t at = rollup.find(name);
  if (at == std::string_view::npos) return std::nullopt;
  const std::vector<uint64_t> numbers = Numbers(rollup.substr(at + name.size()));
  if (numbers.empty()) return std::nullopt;
  return numbers[0];
}

// Its share of what it has mapped of them. A mapping of /proc/PID/smaps begins with a line of addresses,
// which ends with the name; the lines "Name: N kB" of what is in it follow.
uint64_t MappedFilesInMemory(pid_t pid) {
  const std::string text = ReadProc(pid, "smaps").value_or("");
  uint64_t bytes = 0;
  bool is_file_in_memory = false;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (!line.empty() && (line[0] < 'A' || line[0] > 'Z'))
      is_file_in_memory = line.find(" /memfd:") != std::string_view::npos;
    else if (is_file_in_memory && line.starts_with("Pss:"))
      bytes += KibibytesOf(line, "Pss:").value_or(0) * 1024;
  }
  return bytes;
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

Unlinked UnlinkedBytes(const std::vector<TreeMember>& members, uint64_t device) {
  constexpr uint64_t kBlock = 512;
  static const std::optional<dev_t> memory = DeviceOfMemory();
  std::map<std::pair<dev_t, ino_t>, uint64_t> files;
  for (const TreeMember& member : members) {
    ForEachName("/proc/" + std::to_string(member.pid) + "/fd", [&](int folder, const char* name) {
      struct stat facts {};
      if (::fstatat(folder, name, &facts, 0) != 0 || !S_ISREG(facts.st_mode)) return;
      if (facts.st_nlink == 0 && (facts.st_dev == device || facts.st_dev == memory))
        files[{facts.st_dev, facts.st_ino}] = static_cast<uint64_t>(facts.st_blocks) * kBlock;
    });
  }
  Unlinked unlinked;
  for (const auto& [file, size] : files)
    (file.first == memory ? unlinked.in_memory : unlinked.on_disk) += size;
  return unlinked;
}

uint64_t SharedOnce(const std::vector<TreeMember>& members, uint64_t in_memory) {
  uint64_t bytes = 0, mapped = 0;
  for (const TreeMember& member : members) {
    const std::string rollup = ReadProc(member.pid, "smaps_rollup").value_or("");
    if (const auto share = KibibytesOf(rollup, "\nPss:")) {
      bytes += *share * 1024;
      if (in_memory > 0) mapped += MappedFilesInMemory(member.pid);
    } else if (const auto now = Look(member.pid, member.depth)) {
      bytes += now->memory_bytes;  // not told; one that has ended meanwhile has none
    }
  }
  return bytes + in_memory - std::min(in_memory, mapped);  // what is mapped was in the first
}

}  // namespace glasscase::jobs
