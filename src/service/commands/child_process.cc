#include "child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include <glasscase/process/fd.h>

namespace glasscase::commands {
namespace {

std::vector<char*> ArgumentPointers(const std::string& path, const std::vector<std::string>& arguments) {
  std::vector<char*> pointers = {const_cast<char*>(path.c_str())};
  for (const auto& argument : arguments) pointers.push_back(const_cast<char*>(argument.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// Between fork and exec: async-signal-safe calls only.
[[noreturn]] void Execute(const std::string& path, const std::vector<char*>& arguments) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  execv(path.c_str(), arguments.data());
  _exit(127);
}

// Up to the end of what comes out of a pipe.
void ReadAll(int fd, const std::function<void(std::string_view)>& on_piece) {
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t n = read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    on_piece({buffer.data(), static_cast<size_t>(n)});
  }
}

void ReadLines(int fd, const std::function<void(std::string_view)>& on_line) {
  std::string line;
  ReadAll(fd, [&](std::string_view piece) {
    for (const char c : piece) {
      if (c == '\n') {
        on_line(line);
        line.clear();
      } else if (line.size() < kLineBytesMax) {
        line += c;
      }
    }
  });
}

int WaitFor(pid_t child) {
  int wait_status = 0;
  while (waitpid(child, &wait_status, 0) < 0 && errno == EINTR) {
  }
  return ExitCodeOf(wait_status);
}

}  // namespace

Result<std::string> FindProgram(const std::string& directory, const std::string& name) {
  std::string path = directory + "/" + name;
  if (access(path.c_str(), X_OK) == 0) return path;
  return Fail(
      Error::NotFound(name + " is not in " + directory + ": this installation of Glasscase is incomplete"));
}

int ExitCodeOf(int wait_status) {
  return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

Result<ProgramResult> RunProgram(const std::string& path, const std::vector<std::string>& arguments) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return Fail(Error::FromErrno(errno, "could not make a pipe"));
  const Fd read_end(ends[0]);
  Fd write_end(ends[1]);
  const std::vector<char*> pointers = ArgumentPointers(path, arguments);
  const pid_t child = fork();
  if (child < 0) return Fail(Error::FromErrno(errno, "could not start " + path));
  if (child == 0) {
    dup2(write_end.get(), STDOUT_FILENO);
    Execute(path, pointers);
  }
  write_end = Fd();
  ProgramResult result;
  ReadAll(read_end.get(), [&result](std::string_view piece) { result.output.append(piece); });
  result.exit_code = WaitFor(child);
  return result;
}

Result<int> RunProgramWith(const std::string& path, const std::vector<std::string>& arguments,
                           const std::vector<HandedOver>& descriptors,
                           const std::function<void(std::string_view)>& on_line) {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return Fail(Error::FromErrno(errno, "could not make a pipe"));
  const Fd read_end(ends[0]);
  Fd write_end(ends[1]);
  const std::vector<char*> pointers = ArgumentPointers(path, arguments);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) return Fail(Error::FromErrno(errno, "could not start " + path));
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);  // it died before the line above
    dup2(write_end.get(), STDOUT_FILENO);
    for (const HandedOver& descriptor : descriptors) dup2(descriptor.fd, descriptor.as);
    Execute(path, pointers);
  }
  write_end = Fd();
  ReadLines(read_end.get(), on_line);
  return WaitFor(child);
}

Result<pid_t> StartProgram(const std::string& path, const std::vector<std::string>& arguments,
                           int inherited_fd) {
  const std::vector<char*> pointers = ArgumentPointers(path, arguments);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child < 0) return Fail(Error::FromErrno(errno, "could not start " + path));
  if (child == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(1);  // it died before the line above
    fcntl(inherited_fd, F_SETFD, 0);
    Execute(path, pointers);
  }
  return child;
}

}  // namespace glasscase::commands
