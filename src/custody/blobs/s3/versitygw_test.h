// A real S3 server for tests: versitygw over a folder of its own, on a port of loopback, stopped with the
// test program.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include <glasscase/core/ids.h>
#include <glasscase/fetch/fetch.h>

namespace glasscase::blobs::testing {

class Versitygw {
 public:
  // The one of this test program; started when it is first asked for.
  static Versitygw& Instance() {
    static Versitygw server;
    return server;
  }
  Versitygw(const Versitygw&) = delete;
  Versitygw& operator=(const Versitygw&) = delete;

  static constexpr char kAccessKey[] = "glasscase-test";
  static constexpr char kSecretKey[] = "only-for-this-test";

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  // A bucket is a folder, an object a file in it.
  std::filesystem::path FolderOf(const std::string& bucket) const { return folder_ / bucket; }
  std::string MakeBucket() {
    std::string name = "bucket-" + Uuid::Random().ToString();
    std::filesystem::create_directory(FolderOf(name));
    return name;
  }

 private:
  Versitygw()
      : folder_(std::filesystem::temp_directory_path() / ("gc-s3-" + Uuid::Random().ToString())),
        port_(FreePort()) {
    std::filesystem::create_directory(folder_);
    const std::string program = std::string(GLASSCASE_SOURCE_DIR) + "/.deps/go/bin/versitygw";
    if (::access(program.c_str(), X_OK) != 0) Stop("there is no " + program + ": run tools/bootstrap");
    const std::string listen_at = "127.0.0.1:" + std::to_string(port_);
    process_ = ::fork();
    if (process_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::setenv("ROOT_ACCESS_KEY", kAccessKey, 1);
      ::setenv("ROOT_SECRET_KEY", kSecretKey, 1);
      const int silence = ::open("/dev/null", O_RDWR | O_CLOEXEC);
      ::dup2(silence, STDOUT_FILENO);
      ::dup2(silence, STDERR_FILENO);
      ::execl(program.c_str(), "versitygw", "--port", listen_at.c_str(), "posix", folder_.c_str(), nullptr);
      ::_exit(127);
    }
    AwaitAnswer();
  }
  ~Versitygw() {
    ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
    std::filesystem::remove_all(folder_);
  }

  [[noreturn]] static void Stop(const std::string& why) {
    fprintf(stderr, "%s\n", why.c_str());
    std::exit(1);
  }

  static int FreePort() {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    GC_CHECK(::bind(listener, reinterpret_cast<const sockaddr*>(&address), size) == 0);
    GC_CHECK(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    ::close(listener);
    return ntohs(address.sin_port);
  }

  void AwaitAnswer() {
    const auto fetcher = fetch::Fetcher::Create().value();
    for (int i = 0; i < 600; ++i) {
      if (fetcher->Fetch({.url = url() + "/"})) return;
      if (::waitpid(process_, nullptr, WNOHANG) != 0) Stop("versitygw ended at once");
      ::usleep(50'000);
    }
    Stop("versitygw does not answer");
  }

  std::filesystem::path folder_;
  int port_;
  pid_t process_ = -1;
};

}  // namespace glasscase::blobs::testing
