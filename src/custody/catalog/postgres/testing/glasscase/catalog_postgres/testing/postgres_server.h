// A PostgreSQL server of its own below the temporary directory, on a Unix socket and on no port; stopped and
// removed with the object.
#pragma once

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glasscase/core/error.h>
#include <glasscase/core/ids.h>

namespace glasscase::catalog::testing {

class PostgresServer {
 public:
  enum class Disk { kFast, kDurable };  // without or with fsync

  explicit PostgresServer(Disk disk = Disk::kFast) : fsync_(disk == Disk::kDurable ? "on" : "off") {
    std::string pattern = std::filesystem::temp_directory_path() / "gc-pg-XXXXXX";
    GC_CHECK(mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    GC_CHECK(chmod(folder_.c_str(), 0755) == 0);  // PostgreSQL refuses to be root, the tests may be
    if (const passwd* user = OtherUser()) GC_CHECK(chown(folder_.c_str(), user->pw_uid, user->pw_gid) == 0);
    GC_CHECK(Run({"initdb", "-D", data(), "-U", "glasscase", "-A", "trust", "-E", "UTF8", "--locale=C", "-N",
                  "-k", "--wal-segsize=1"}));
    Start();
  }
  ~PostgresServer() {
    if (process_ > 0) Stop(SIGQUIT);
    std::filesystem::remove_all(folder_);
  }
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  void Start() {
    process_ =
        Spawn({"postgres", "-D", data(), "-k", folder_, "-c", "listen_addresses=", "-c", "fsync=" + fsync_,
               "-c", "shared_buffers=16MB", "-c", "max_connections=60", "-c", "autovacuum=off"});
    for (int tries = 0; !Run({"pg_isready", "-q", "-h", folder_}); ++tries) {
      if (tries == 600 || waitpid(process_, nullptr, WNOHANG) != 0)
        GC_CHECK(!"the PostgreSQL server did not start");
      usleep(20'000);
    }
  }
  // SIGINT: orderly, sessions are ended. SIGQUIT: at once, as after a crash.
  void Stop(int signal) {
    kill(process_, signal);
    waitpid(process_, nullptr, 0);
    process_ = 0;
  }

  // A new empty database; gives its connection string.
  std::string NewDatabase(const std::string& with = "") {
    const std::string name = "t" + Uuid::Random().ToString().substr(0, 13);
    GC_CHECK(Sql(Url("postgres"), "CREATE DATABASE \"" + name + "\" " + with));
    return Url(name);
  }
  std::string Url(const std::string& database) const {
    return "host=" + folder_ + " user=glasscase dbname=" + database;
  }
  // With the highest rights; what is printed is in answer().
  bool Sql(const std::string& url, const std::string& sql) {
    return Run({"psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, url}, "answer");
  }
  std::string answer() const {
    std::ifstream file(folder_ + "/answer");
    std::stringstream text;
    text << file.rdbuf();
    std::string said = text.str();
    while (said.ends_with('\n')) said.pop_back();
    return said;
  }
  std::string data() const { return folder_ + "/data"; }

 private:
  static const passwd* OtherUser() { return geteuid() == 0 ? getpwnam("nobody") : nullptr; }

  // Debian keeps the programs out of the path. The newest of several.
  static std::string Program(const std::string& name) {
    std::string found;
    std::error_code none;
    for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql", none)) {
      const std::string path = version.path() / "bin" / name;
      if (std::filesystem::exists(path) && path > found) found = path;
    }
    if (found.empty()) GC_CHECK(!"no PostgreSQL server in /usr/lib/postgresql: run tools/bootstrap");
    return found;
  }

  pid_t Spawn(std::vector<std::string> arguments, const std::string& output = "log") const {
    const std::string program = Program(arguments[0]);
    const std::string log = folder_ + "/" + output;
    const int flags = O_WRONLY | O_CREAT | (output == "log" ? O_APPEND : O_TRUNC);
    const int out = open(log.c_str(), flags | O_CLOEXEC, 0644);
    GC_CHECK(out >= 0);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const passwd* user = OtherUser();
    const pid_t child = fork();
    GC_CHECK(child >= 0);
    if (child != 0) {
      close(out);
      return child;
    }
    if (user != nullptr &&
        (setgroups(0, nullptr) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
      _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGQUIT);  // after the change of user, which would clear it
    if (chdir(folder_.c_str()) != 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0) _exit(126);
    execv(program.c_str(), argv.data());
    _exit(127);
  }
  bool Run(std::vector<std::string> arguments, const std::string& output = "log") const {
    int status = 0;
    const pid_t child = Spawn(std::move(arguments), output);
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  const std::string fsync_;
  std::string folder_;
  pid_t process_ = 0;
};

}  // namespace glasscase::catalog::testing
