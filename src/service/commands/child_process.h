// The programs that lie beside this one.
#pragma once

#include <sys/types.h>

#include <string>
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

// Starts the program in a process group of its own, so that ^C reaches this process alone; it gets SIGTERM
// when this process dies, whatever way. `inherited_fd` stays open in it, under its number. Signals that this
// process blocks are not blocked there.
Result<pid_t> StartProgram(const std::string& path, const std::vector<std::string>& arguments,
                           int inherited_fd);

// As RunProgram's exit_code, from waitpid's status.
int ExitCodeOf(int wait_status);

}  // namespace glasscase::commands
