// A real supervisor over real processes; those are fake_child.cc under the names of ours.

// GCC 12 sees uninitialised members in <regex> when it sanitizes.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#include <glasscase/supervision/supervisor.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/process/fd.h>

namespace glasscase::supervision {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class SupervisorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char directory[] = "/tmp/supervisor_test_XXXXXX";
    ASSERT_NE(mkdtemp(directory), nullptr);
    folder_ = directory;
    fs::create_directories(folder_ / "data");
    fs::create_directories(folder_ / "bin");
    for (const char* const name : {"custodian", "edge", "gate", "host", "inspector", "relay"}) {
      fs::create_symlink(FAKE_CHILD, folder_ / "bin" / (std::string("glasscase-") + name));
    }
    options_.data_directory = folder_ / "data";
    options_.program_directory = folder_ / "bin";
    options_.http = "127.0.0.1:0";
    options_.control = "[::1]:0";
    const std::string log = "--log=" + (folder_ / "log").string();
    options_.custodian_arguments = {log, "--orders=" + (folder_ / "orders").string()};
    options_.edge_arguments = {log};
    options_.host_arguments = {log};
  }

  void TearDown() override {
    if (supervisor_ > 0) {
      kill(supervisor_, SIGKILL);
      waitpid(supervisor_, nullptr, 0);
    }
    if (HasFailure()) std::fputs(Log().c_str(), stderr);
    fs::remove_all(folder_);
  }

  // Runs the supervisor in a process of its own.
  void StartSupervisor() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    ready_ = Fd(ends[0]);
    const Fd ready_end(ends[1]);
    options_.ready_fd = ready_end.get();
    supervisor_ = fork();
    if (supervisor_ == 0) {
      setenv("LD_LIBRARY_PATH", "/attacker", 1);
      setenv("TZ", "UTC", 1);
      auto supervisor = Supervisor::Start(options_);
      if (!supervisor) {
        std::fprintf(stderr, "%s\n", supervisor.error().message().c_str());
        _exit(1);
      }
      _exit((*supervisor)->Run() ? 0 : 1);
    }
  }
  std::string WaitUntilReady() {
    std::string text;
    char byte = 0;
    while (read(ready_.get(), &byte, 1) == 1) text += byte;
    return text;
  }
  void StartAndWait() {
    StartSupervisor();
    ASSERT_EQ(WaitUntilReady(), "ready\n");
  }

  std::string Log() const {
    std::ifstream file(folder_ / "log");
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  // All lines that match, in order; waits until there are at least `count`.
  std::vector<std::smatch> Lines(const std::string& expression, size_t count = 1) {
    const std::regex pattern(expression);
    for (int tries = 0; tries < 500; ++tries) {
      text_ = Log();
      std::vector<std::smatch> matches;
      for (std::sregex_iterator match(text_.begin(), text_.end(), pattern), end; match != end; ++match) {
        matches.push_back(*match);
      }
      if (matches.size() >= count) return matches;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << "no " << count << " lines match " << expression;
    return {};
  }
  // The process that was started as `name` last, when it was started at least `count` times.
  pid_t PidOf(const std::string& name, size_t count = 1) {
    const auto starts = Lines(name + " (\\d+) start", count);
    return starts.empty() ? 0 : std::stoi(starts.back()[1]);
  }
  void Order(const std::string& order) const {
    const Fd fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", (folder_ / "orders").c_str());
    ASSERT_EQ(sendto(fd.get(), order.data(), order.size(), 0, reinterpret_cast<sockaddr*>(&address),
                     sizeof address),
              static_cast<ssize_t>(order.size()));
  }
  // Asks a process through the custodian's link; what it answers after its name.
  std::string Ask(const std::string& peer, const std::string& question) {
    for (int tries = 0; tries < 50; ++tries) {  // a link may be on its way
      const std::string unique = question + " #" + std::to_string(++questions_);
      Order("ask " + peer + " " + unique);
      for (int wait = 0; wait < 20; ++wait) {
        const std::string log = Log();
        std::smatch match;
        if (std::regex_search(log, match, std::regex("answer (\\S+ \\d+) " + unique + "(.*)"))) {
          return match[1].str() + match[2].str();
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
      }
    }
    return "no answer";
  }
  int WaitForSupervisor() {
    int status = -1;
    waitpid(supervisor_, &status, 0);
    supervisor_ = 0;
    return status;
  }
  // True when there is no such process, or only its exit status, which init has not fetched yet.
  static bool Gone(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string number;
    std::string name;
    std::string state;
    return !(file >> number >> name >> state) || state == "Z" || state == "X";
  }
  // Also waits: a killed supervisor's children die right after it.
  void ExpectNothingLeft() {
    for (const std::smatch& start : Lines("\\S+ (\\d+) start")) {
      const pid_t pid = std::stoi(start[1]);
      for (int tries = 0; tries < 200 && !Gone(pid); ++tries) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
      EXPECT_TRUE(Gone(pid)) << "process " << pid << " is left";
    }
  }

  fs::path folder_;
  SupervisorOptions options_;
  pid_t supervisor_ = 0;
  Fd ready_;
  std::string text_;
  int questions_ = 0;
};

TEST_F(SupervisorTest, WithoutServersThereIsNoRelay) {
  StartAndWait();
  EXPECT_EQ(Log().find("glasscase-relay"), std::string::npos);
}

TEST_F(SupervisorTest, RelayGetsTheOutletsOfTheCustodianAndAfterItsDeathAgain) {
  options_.servers = {"db.example:5432", "s3.example:443"};
  StartAndWait();
  Lines("glasscase-relay \\d+ start --server db.example:5432 --server s3.example:443\n");
  Lines("glasscase-custodian \\d+ start .*--server db.example:5432 --server s3.example:443\n");
  Order("outlet 1");
  Lines("glasscase-relay \\d+ outlet 1 1\n");
  kill(PidOf("glasscase-relay"), SIGKILL);
  const pid_t second = PidOf("glasscase-relay", 2);
  Lines("glasscase-relay " + std::to_string(second) + " outlet 1 1\n");
}

TEST_F(SupervisorTest, WithoutAnAddressForWorkersThereIsNoGate) {
  StartAndWait();
  EXPECT_EQ(Log().find("glasscase-gate"), std::string::npos);
}

TEST_F(SupervisorTest, TheGateGetsItsSocketAndAfterItsDeathAgain) {
  options_.worker_listen = "127.0.0.1:0";
  options_.gate_arguments = {"--log=" + (folder_ / "log").string()};
  StartAndWait();
  Lines("glasscase-gate \\d+ listen\n");
  kill(PidOf("glasscase-gate"), SIGKILL);
  const pid_t second = PidOf("glasscase-gate", 2);
  Lines("glasscase-gate " + std::to_string(second) + " listen\n");
}

TEST_F(SupervisorTest, AnOutletThatLeadsNowhereCostsTheCustodianItsLife) {
  options_.servers = {"db.example:5432"};
  StartAndWait();
  Order("outlet 1");
  PidOf("glasscase-custodian", 2);
  EXPECT_EQ(Log().find(" outlet 1 "), std::string::npos);
}

TEST_F(SupervisorTest, StartsAllAndSaysReady) {
  StartAndWait();
  EXPECT_EQ(Lines("glasscase-custodian \\d+ data 0").size(), 1u);
  EXPECT_EQ(Lines("glasscase-edge-public \\d+ listen").size(), 1u);
  EXPECT_EQ(Lines("glasscase-edge-control \\d+ listen").size(), 1u);
  EXPECT_EQ(Ask("public 0", "hello"),
            "glasscase-edge-public " + std::to_string(PidOf("glasscase-edge-public")));
  EXPECT_EQ(Ask("control 0", "hello"),
            "glasscase-edge-control " + std::to_string(PidOf("glasscase-edge-control")));
}

TEST_F(SupervisorTest, ChildrenInheritNothing) {
  StartAndWait();
  Order("need 0");
  PidOf("glasscase-host");
  Lines("host \\d+ environment TZ=UTC");
  for (const std::smatch& line : Lines("\\S+ \\d+ fds.*", 4))
    EXPECT_THAT(line.str(), HasSubstr("fds 0 1 2 3"));
  EXPECT_EQ(Log().find("fds 0 1 2 3 "), std::string::npos);
  EXPECT_EQ(Log().find("LD_LIBRARY_PATH"), std::string::npos);
  EXPECT_EQ(Log().find("PATH="), std::string::npos);
}

TEST_F(SupervisorTest, HostsRunWhenTheCustodianNeedsThem) {
  options_.host_memory_bytes = 1 << 30;
  StartAndWait();
  Order("need 3");
  const pid_t host = PidOf("glasscase-host");
  EXPECT_THAT(Lines("glasscase-host \\d+ start.*").back().str(),
              HasSubstr("start --slot 3 --memory 1073741824"));
  Order("need 3");
  EXPECT_EQ(Ask("host 3", "hello"), "glasscase-host " + std::to_string(host));
  EXPECT_EQ(Ask("public 0", "call 3"), "glasscase-edge-public " +
                                           std::to_string(PidOf("glasscase-edge-public")) + " answered by " +
                                           std::to_string(host));
  EXPECT_EQ(Lines("glasscase-host \\d+ start").size(), 1u) << "asking again starts no second one";
}

TEST_F(SupervisorTest, KilledHostComesBackWithLinksChannelAndQuota) {
  StartAndWait();
  Order("need 3");
  const pid_t host = PidOf("glasscase-host");
  EXPECT_THAT(Ask("host 3", "count"), HasSubstr(" 1"));
  for (size_t round = 1; round <= 5; ++round) {
    kill(PidOf("glasscase-host", round), SIGKILL);
    Lines("custodian \\d+ gone host 3 1", round);
    Lines("edge-public \\d+ gone host 3 1", round);
    const pid_t next = PidOf("glasscase-host", round + 1);
    EXPECT_NE(next, host);
    EXPECT_EQ(Ask("host 3", "count"),
              "glasscase-host " + std::to_string(next) + " " + std::to_string(round + 1));
    EXPECT_THAT(Ask("public 0", "call 3"), HasSubstr("answered by " + std::to_string(next)));
  }
}

TEST_F(SupervisorTest, HostThatCrashesCountsAgainstItself) {
  StartAndWait();
  Order("need 3");
  kill(PidOf("glasscase-host"), SIGSEGV);
  Lines("custodian \\d+ gone host 3 0");
  PidOf("glasscase-host", 2);
  Order("kill host 3");
  Lines("custodian \\d+ gone host 3 0", 2);
  PidOf("glasscase-host", 3);
}

TEST_F(SupervisorTest, KilledEdgeComesBackAndServesTheSameSocket) {
  StartAndWait();
  Order("need 0");
  const pid_t host = PidOf("glasscase-host");
  kill(PidOf("glasscase-edge-public"), SIGKILL);
  Lines("custodian \\d+ gone public edge 0 1");
  const pid_t edge = PidOf("glasscase-edge-public", 2);
  Lines("edge-public \\d+ listen", 2);
  EXPECT_EQ(Ask("public 0", "call 0"),
            "glasscase-edge-public " + std::to_string(edge) + " answered by " + std::to_string(host));
  EXPECT_EQ(PidOf("glasscase-host"), host) << "the host lives on";
}

TEST_F(SupervisorTest, KilledCustodianComesBackLinkedWithAll) {
  StartAndWait();
  Order("need 0");
  const pid_t host = PidOf("glasscase-host");
  const pid_t custodian = PidOf("glasscase-custodian");
  Ask("host 0", "hello");
  kill(custodian, SIGKILL);
  EXPECT_NE(PidOf("glasscase-custodian", 2), custodian);
  Lines("glasscase-custodian \\d+ data 0", 2);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // until it takes orders
  EXPECT_EQ(Ask("host 0", "hello"), "glasscase-host " + std::to_string(host));
  EXPECT_THAT(Ask("public 0", "hello"), HasSubstr("glasscase-edge-public"));
  EXPECT_THAT(Ask("control 0", "hello"), HasSubstr("glasscase-edge-control"));
}

TEST_F(SupervisorTest, InspectorServesOnceAndItsEndIsTold) {
  StartAndWait();
  Order("inspect 7");
  EXPECT_THAT(Ask("inspector 7", "finish"), HasSubstr("glasscase-inspector"));
  Lines("custodian \\d+ gone inspector 7 0");
  Order("inspect 8");
  EXPECT_THAT(Ask("inspector 8", "hello"), HasSubstr("glasscase-inspector"));
  Order("kill inspector 8");
  Lines("custodian \\d+ gone inspector 8 0");
}

TEST_F(SupervisorTest, OnlyTheCustodianMayAskForProcesses) {
  options_.edge_arguments.push_back("--orders=" + (folder_ / "edge_orders").string());
  StartAndWait();
  fs::remove(folder_ / "orders");
  fs::create_symlink(folder_ / "edge_orders", folder_ / "orders");  // the edge that bound last takes them
  Order("need 5");
  Lines("start", 4);
  EXPECT_EQ(Log().find("glasscase-host"), std::string::npos);
}

TEST_F(SupervisorTest, ShutsDownEdgesThenHostsThenCustodian) {
  StartAndWait();
  Order("need 0");
  Ask("host 0", "hello");
  kill(supervisor_, SIGTERM);
  EXPECT_EQ(WaitForSupervisor(), 0);
  ExpectNothingLeft();
  const std::string log = Log();
  EXPECT_LT(log.find("glasscase-edge-public " + std::to_string(PidOf("glasscase-edge-public")) + " end"),
            log.find("glasscase-host " + std::to_string(PidOf("glasscase-host")) + " shutdown"));
  EXPECT_LT(log.find("glasscase-host " + std::to_string(PidOf("glasscase-host")) + " end"),
            log.find("glasscase-custodian " + std::to_string(PidOf("glasscase-custodian")) + " shutdown"));
}

TEST_F(SupervisorTest, CustodianCanEndEverything) {
  StartAndWait();
  Order("stop");
  EXPECT_EQ(WaitForSupervisor(), 0);
  ExpectNothingLeft();
}

TEST_F(SupervisorTest, ProcessesThatDoNotEndAreKilled) {
  options_.edge_arguments.emplace_back("--stubborn");
  options_.host_arguments.emplace_back("--stubborn");
  StartAndWait();
  Order("need 0");
  Ask("host 0", "hello");
  const auto begin = std::chrono::steady_clock::now();
  kill(supervisor_, SIGINT);
  EXPECT_EQ(WaitForSupervisor(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(6));
  ExpectNothingLeft();
}

TEST_F(SupervisorTest, NothingSurvivesAKilledSupervisor) {
  StartAndWait();
  Order("need 0");
  Ask("host 0", "hello");
  kill(supervisor_, SIGKILL);
  WaitForSupervisor();
  ExpectNothingLeft();
}

TEST_F(SupervisorTest, SecondSupervisorOfADirectoryIsRefused) {
  StartAndWait();
  std::ifstream lock(folder_ / "data" / "serve.lock");
  pid_t holder = 0;
  lock >> holder;
  EXPECT_EQ(holder, supervisor_);
  const auto second = Supervisor::Start(options_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::kFailedPrecondition);
  EXPECT_THAT(second.error().message(),
              HasSubstr("already served by process " + std::to_string(supervisor_)));
}

TEST_F(SupervisorTest, CertificateComesBeforeTheSocketAndAgainWhenItChanges) {
  const auto write = [&](const char* name, const char* text) {
    std::ofstream(folder_ / (std::string(name) + ".new")) << text;
    fs::rename(folder_ / (std::string(name) + ".new"), folder_ / name);
  };
  write("cert.pem", "cert1");
  write("key.pem", "key1");
  options_.tls_certificate = folder_ / "cert.pem";
  options_.tls_key = folder_ / "key.pem";
  StartAndWait();
  Lines("edge-control \\d+ tls cert1 key1\n");
  Lines("edge-public \\d+ listen");
  EXPECT_LT(Log().find("tls cert1 key1"), Log().find("listen"));
  write("key.pem", "key2");
  write("cert.pem", "cert2");
  Lines("edge-public \\d+ tls cert2 key2\n");
  Lines("edge-control \\d+ tls cert2 key2\n");
  fs::remove(folder_ / "key.pem");  // a restarted edge still gets the last good pair
  kill(PidOf("glasscase-edge-public"), SIGKILL);
  Lines("edge-public \\d+ listen", 2);
  Lines("edge-public \\d+ tls cert2 key2\n", 2);
}

TEST_F(SupervisorTest, ProcessThatCannotStartEndsTheStart) {
  options_.edge_arguments.emplace_back("--broken");
  StartSupervisor();
  EXPECT_EQ(WaitUntilReady(), "");
  EXPECT_EQ(WEXITSTATUS(WaitForSupervisor()), 1);
  ExpectNothingLeft();
}

TEST_F(SupervisorTest, BrokenHostIsRestartedForEverAndHoldsUpNobody) {
  options_.host_arguments.emplace_back("--broken");
  StartAndWait();
  Order("need 0");
  Lines("glasscase-host \\d+ start", 8);
  Lines("custodian \\d+ gone host 0 0", 8);
  EXPECT_THAT(Ask("public 0", "hello"), HasSubstr("glasscase-edge-public"));
}

TEST_F(SupervisorTest, AddressesOfOthersNeedTlsOrAProxy) {
  options_.http = "0.0.0.0:0";
  EXPECT_EQ(Supervisor::Start(options_).error().code(), Code::kInvalidArgument);
}

}  // namespace
}  // namespace glasscase::supervision
