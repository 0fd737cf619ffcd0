// The programs that lie beside this one.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/error.h>

namespace glasscase::commands {

// The path of `name` in `directory`; NotFound when it is not there, saying that the installation is
// incomplete.
Result<std::string> FindProgram(const std::string& directory, const std::string& name);

struct ProgramResult {
  int exit_code = 0;   // 128 + signal when one ended it
  std::string output;  // its stdout; stderr goes where this program's goes
};
// Runs the program to its end.
Result<ProgramResult> RunProgram(const std::string& path, const std::vector<std::string>& arguments);

// An open descriptor that a program gets under another number.
struct HandedOver {
  int fd;
  int as;
};
// Runs the program to its end with these descriptors (`as` is none of the `fd`s); `on_line` gets each line of
// its stdout as it comes, without the line feed and cut where it is longer than `kLineBytesMax`. It gets
// SIGTERM when this process dies. Gives its exit code.
inline constexpr size_t kLineBytesMax = 65'536;
Result<int> RunProgramWith(const std::string& path, const std::vector<std::string>& arguments,
                           const std::vector<HandedOver>& descriptors,
                           const std::function<void(std::string_view)>& on_line);

// Starts the program in a process group of its own, so that ^C reaches this process alone; it gets SIGTERM
// when this process dies, whatever way. `inherited_fd` stays open in it, under its number. Signals that this
// process blocks are not blocked there.
Result<pid_t> StartProgram(const std::string& path, const std::vector<std::string>& arguments,
                           int inherited_fd);

// As RunProgram's exit_code, from waitpid's status.
int ExitCodeOf(int wait_status);

}  // namespace glasscase::commands
