#include "translation_job.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <glasscase/crypto/sha256.h>
#include <glasscase/jobs_bubblewrap/bubblewrap.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::working {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// The program and the converter are small scripts here: what they say and leave is what is tested. The real
// ones: tests/system/test_translating.py and test_converting.py.
class TranslationJobTest : public ::testing::Test, public jobs::JobWatcher {
 protected:
  TranslationJobTest() : cancel_(::eventfd(0, EFD_CLOEXEC)), executor_(jobs::MakeBubblewrap({})) {
    fs::create_directories(folder_ / "in" / "source");
    fs::create_directories(folder_ / "out");
    fs::create_directories(folder_ / "runners" / "plain" / "bin");
    fs::create_symlink("/usr/bin/python3", folder_ / "runners" / "plain" / "bin" / "python");
    Write("runners/plain/requirements.txt", "none\n");
    Write("in/source/model.json", "the source\n");
    options_.runners = folder_ / "runners";
    options_.translator = folder_ / "translator";
    options_.most.grace_ms = 200;
    recipe_.translator.version = "1";
  }
  ~TranslationJobTest() override { fs::remove_all(folder_); }

  void OnLog(std::string_view bytes) override { log_ += bytes; }
  int cancel_fd() const override { return cancel_.get(); }

  void Write(const std::string& path, const std::string& text) {
    std::ofstream(folder_ / path, std::ios::binary) << text;
  }
  static std::string Evidence(const std::string& about, const std::string& holds = "true") {
    return R"({"format":"glasscase translation evidence","holds":)" + holds + R"(,"result":{"sha256":")" +
           ToHex(Sha256(AsBytes(about))) + R"("}})";
  }
  jobs::JobEnd RunNative(const std::string& script) {
    Write("translator", "#!/bin/bash\n" + script);
    fs::permissions(folder_ / "translator", fs::perms::owner_all);
    return Run();
  }
  // `script` is glasscase_convert.
  jobs::JobEnd RunConverter(const std::string& script) {
    recipe_.translator = {.version = {}, .runner = "plain", .lock = Sha256(AsBytes("none\n"))};
    Write("translator", "#!/bin/bash\n" + names_);
    fs::permissions(folder_ / "translator", fs::perms::owner_all);
    fs::remove(folder_ / "in/imports.json");  // of an earlier one
    // The system's Python finds it in the working directory, /out.
    Write("out/glasscase_convert.py",
          "import os, sys, time\nos.remove('/out/glasscase_convert.py')\n" + script);
    return Run();
  }
  jobs::JobEnd Run() {
    TranslationJob job(recipe_, folder_, options_, *executor_);
    const Status possible = job.Check();
    if (!possible) return {.ending = jobs::Ending::kNotStarted, .reason = possible.error().message()};
    jobs::JobEnd end = job.Run(*this);
    evidence_ = job.evidence();
    files_ = job.TakeFiles();
    return end;
  }

  const fs::path folder_ = fs::temp_directory_path() / ("gc-translation-" + Uuid::Random().ToString());
  const Fd cancel_;
  const std::unique_ptr<jobs::Executor> executor_;
  WorkerOptions options_{.name = "one", .folder = {}, .runners = {}};
  training::TranslationRecipe recipe_;
  std::string names_ = R"(echo '{"result":{"imports":"","pickles":0}}')";  // the translator, asked for names
  std::string log_;
  std::string evidence_;
  std::vector<training::ResultFile> files_;
};

TEST_F(TranslationJobTest, TheProgramReadsTheSourceAndLeavesResultAndEvidence) {
  const jobs::JobEnd end = RunNative(R"(
read -r source <&3
[ "$source" = "the source" ] || exit 9
echo '{"step":"reading","done":0,"total":1}'
echo '{"step":"comparing","done":50,"total":100}'
printf onnx >&4
printf ')" + Evidence("onnx") + R"(' >&5
echo '{"result":{"opset":17}}'
)");
  EXPECT_EQ(end.ending, jobs::Ending::kSucceeded) << end.reason << log_;
  EXPECT_EQ(log_, "progress 0.00 reading\nprogress 0.52 comparing\n");
  ASSERT_EQ(files_.size(), 1u);
  EXPECT_EQ(files_[0].path, "model.onnx");
  EXPECT_EQ(files_[0].bytes, 4u);
  EXPECT_EQ(evidence_, Evidence("onnx") + "\n");
}

TEST_F(TranslationJobTest, TheProgramGetsTheDataAndItsTime) {
  for (const char* folder : {"rain", "air"}) fs::create_directories(folder_ / "in" / "data" / folder);
  Write("in/data/rain/b.csv", "of b\n");
  Write("in/data/air/a.csv", "of a\n");
  recipe_.wall_s = 77;
  const jobs::JobEnd end = RunNative(R"(
read -r first <&6
read -r second <&7
echo "$*: $first, $second" > "${0%/*}/said"
printf onnx >&4
printf ')" + Evidence("onnx") + R"(' >&5
echo '{"result":{"opset":17}}'
)");
  EXPECT_EQ(end.ending, jobs::Ending::kSucceeded) << end.reason << log_;
  std::string said;
  std::getline(std::ifstream(folder_ / "said"), said);
  EXPECT_EQ(said, "--seconds 77 --data air/a.csv --data rain/b.csv: of a, of b");
}

TEST_F(TranslationJobTest, ItsTimeIsItsRecipes) {
  recipe_.wall_s = 1;
  const jobs::JobEnd end = RunNative("exec sleep 60");
  EXPECT_EQ(end.ending, jobs::Ending::kTimedOut);
  options_.most.wall_ms = 500;
  recipe_.wall_s = 2;
  EXPECT_THAT(RunNative("true").reason, HasSubstr("asks for 2 seconds, this worker gives at most 0"));
}

TEST_F(TranslationJobTest, ARefusalKeepsItsEvidence) {
  const jobs::JobEnd end =
      RunNative("printf '" + Evidence("onnx", "false") +
                R"(' >&5; echo '{"error":{"code":"x","message":"it is refused: row 7"}}'; exit 1)");
  EXPECT_EQ(end.ending, jobs::Ending::kFailed);
  EXPECT_EQ(end.reason, "it is refused: row 7");
  EXPECT_EQ(evidence_, Evidence("onnx", "false") + "\n");
  EXPECT_TRUE(files_.empty());
}

TEST_F(TranslationJobTest, WithoutEvidenceThatHoldsThereIsNoResult) {
  const auto leave = [&](const std::string& evidence) {
    fs::remove_all(folder_ / "out");
    fs::create_directories(folder_ / "out");
    return RunNative("printf onnx >&4; printf '" + evidence + R"(' >&5; echo '{"result":{"opset":17}}')")
        .reason;
  };
  EXPECT_THAT(leave(""), HasSubstr("left no evidence"));
  EXPECT_THAT(leave(Evidence("other")), HasSubstr("about another file"));
  EXPECT_THAT(leave(Evidence("onnx", "false")), HasSubstr("does not hold"));
  EXPECT_THAT(leave("[1]"), HasSubstr("cannot be read"));
  EXPECT_THAT(leave(R"({"format":"another"})"), HasSubstr("its format is another"));
  EXPECT_EQ(leave(Evidence("onnx")), "");
}

TEST_F(TranslationJobTest, AProgramThatIsKilledOrTakesTooMuchFails) {
  EXPECT_THAT(RunNative("kill -9 $$").reason, HasSubstr("signal 9"));
  options_.most.wall_ms = 300;
  fs::remove_all(folder_ / "out");
  fs::create_directories(folder_ / "out");
  EXPECT_EQ(RunNative("exec sleep 60").ending, jobs::Ending::kTimedOut);
  options_.most.wall_ms = 60'000;
  options_.most.memory_bytes = uint64_t{40} << 20;
  fs::remove_all(folder_ / "out");
  fs::create_directories(folder_ / "out");
  const jobs::JobEnd end = RunNative("x=$(head -c 100000000 /dev/zero | tr '\\0' x); sleep 60");
  EXPECT_EQ(end.ending, jobs::Ending::kOverMemory) << end.reason;
}

TEST_F(TranslationJobTest, ItIsCancelled) {
  const uint64_t one = 1;
  ASSERT_EQ(::write(cancel_.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
  EXPECT_EQ(RunNative("exec sleep 60").ending, jobs::Ending::kCancelled);
}

TEST_F(TranslationJobTest, TheNativeTranslatorReadsOneFile) {
  Write("in/source/weights.bin", "more");
  EXPECT_THAT(RunNative("true").reason, HasSubstr("name a runner"));
}

TEST_F(TranslationJobTest, AConverterRunsInASandbox) {
  recipe_.opset = 15;
  const jobs::JobEnd end = RunConverter(R"(
print('progress 0.5', ' '.join(sys.argv[1:]), flush=True)
assert open('/in/source/model.json').read() == 'the source\n'
assert not os.path.exists('/etc/passwd')
open('/out/model.onnx', 'w').write('onnx')
open('/out/evidence.json', 'w').write(')" +
                                        Evidence("onnx") + R"('))");
  EXPECT_EQ(end.ending, jobs::Ending::kSucceeded) << end.reason << log_;
  EXPECT_EQ(log_,
            "progress 0.5 --source /in/source --output /out/model.onnx --evidence /out/evidence.json "
            "--opset 15 --imports /in/imports.json\n");
  EXPECT_THAT(evidence_, HasSubstr(R"("evaluated_in":"sandbox")"));
  EXPECT_EQ(files_.size(), 1u);
}

TEST_F(TranslationJobTest, AConverterIsToldWhatAPickleWouldImport) {
  Write("in/source/broken.pkl", "of another file\n");
  names_ = R"(
[ "$*" = "--only names" ] || exit 9
read -r source <&3
[ "$source" = "the source" ] || { echo '{"error":{"code":"invalid_argument","message":"it is broken"}}'; exit 1; }
echo '{"result":{"imports":"os.system","pickles":1}}'
)";
  EXPECT_THAT(RunConverter("sys.exit(open('/in/imports.json').read())").reason,
              HasSubstr(R"("broken.pkl":"what cannot be told: it is broken")"));
  EXPECT_THAT(log_, HasSubstr(R"("model.json":"os.system")"));
  fs::remove_all(folder_ / "out");
  fs::create_directories(folder_ / "out");
  recipe_.allow_pickle = true;
  EXPECT_THAT(RunConverter("sys.exit(str(os.path.exists('/in/imports.json')) + sys.argv[-1])").reason,
              HasSubstr("False--allow-pickle"));
}

TEST_F(TranslationJobTest, AConvertersRefusalKeepsItsEvidenceAndALinkIsNone) {
  jobs::JobEnd end = RunConverter("open('/out/evidence.json', 'w').write('" + Evidence("onnx", "false") +
                                  "'); sys.exit('it differs in row 7')");
  EXPECT_EQ(end.ending, jobs::Ending::kFailed);
  EXPECT_THAT(end.reason, HasSubstr("it differs in row 7"));
  EXPECT_THAT(evidence_, HasSubstr("\"holds\":false"));

  fs::remove_all(folder_ / "out");
  fs::create_directories(folder_ / "out");
  end = RunConverter(
      "open('/out/model.onnx', 'w').write('onnx'); os.symlink('/etc/hostname', '/out/evidence.json')");
  EXPECT_THAT(end.reason, HasSubstr("left no evidence"));
  EXPECT_EQ(evidence_, "");
}

TEST_F(TranslationJobTest, ARunnerWithAnotherLockFileIsNotTaken) {
  recipe_.translator = {.version = {}, .runner = "plain", .lock = {}};
  EXPECT_THAT(Run().reason, HasSubstr("the recipe names another"));
  recipe_.translator.runner = "torch";
  EXPECT_THAT(Run().reason, HasSubstr("no runner torch"));
}

}  // namespace
}  // namespace glasscase::working
