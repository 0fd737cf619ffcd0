#include <glasscase/hosting/model_files.h>

#include <sys/mman.h>
#include <unistd.h>

#include <glasscase/crypto/sha256.h>
#include <glasscase/manifest/manifest.h>
#include <gtest/gtest.h>

namespace glasscase::hosting {
namespace {

Fd MemoryFile(std::string_view bytes) {
  Fd fd(::memfd_create("file", MFD_CLOEXEC));
  EXPECT_EQ(::write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return fd;
}

FileClaim Claim(std::string path, std::string_view bytes, bool is_graph = false) {
  return {
      .path = std::move(path), .bytes = bytes.size(), .sha256 = Sha256(AsBytes(bytes)), .is_graph = is_graph};
}

class ModelFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fds_.push_back(MemoryFile("weights"));
    fds_.push_back(MemoryFile("graph"));
    fds_.push_back(MemoryFile(""));
  }
  Result<ModelFiles> Copy(uint64_t limit = 1000) {
    return ModelFiles::Copy(claims_, fds_, manifest::DigestOf(claims_), limit);
  }

  std::vector<FileClaim> claims_ = {Claim("w.bin", "weights"), Claim("model.onnx", "graph", true),
                                    Claim("empty", "")};
  std::vector<Fd> fds_;
};

TEST_F(ModelFilesTest, CopiesWhatTheClaimsSay) {
  const auto files = Copy();
  ASSERT_TRUE(files) << files.error().message();
  EXPECT_EQ(AsText(files->graph()), "graph");
  const auto external = files->external();
  ASSERT_EQ(external.size(), 2U);
  EXPECT_EQ(external[0].path, "w.bin");
  EXPECT_EQ(AsText(external[0].bytes), "weights");
  EXPECT_TRUE(external[1].bytes.empty());
  ASSERT_EQ(::pwrite(fds_[1].get(), "EVIL!", 5, 0), 5);
  EXPECT_EQ(AsText(files->graph()), "graph");
}

TEST_F(ModelFilesTest, ADifferenceInOneBitOrOneByteIsDataLoss) {
  ASSERT_EQ(::pwrite(fds_[0].get(), "W", 1, 0), 1);
  EXPECT_EQ(Copy().error().code(), Code::kDataLoss);
  ASSERT_EQ(::pwrite(fds_[0].get(), "w", 1, 0), 1);
  EXPECT_TRUE(Copy());
  ASSERT_EQ(::ftruncate(fds_[0].get(), 6), 0);
  EXPECT_EQ(Copy().error().code(), Code::kDataLoss);
}

TEST_F(ModelFilesTest, OtherFilesThanTheManifestsAreRefusedBeforeAnyIsRead) {
  const Digest manifest = manifest::DigestOf(claims_);
  claims_[0].path = "v.bin";
  EXPECT_EQ(ModelFiles::Copy(claims_, fds_, manifest, 1000).error().code(), Code::kDataLoss);
  EXPECT_TRUE(ModelFiles::Copy(claims_, fds_, std::nullopt, 1000));
}

TEST_F(ModelFilesTest, LimitsAndCountsHold) {
  EXPECT_TRUE(Copy(12));
  EXPECT_EQ(Copy(11).error().code(), Code::kResourceExhausted);
  fds_.pop_back();
  EXPECT_EQ(Copy().error().code(), Code::kInvalidArgument);
}

TEST_F(ModelFilesTest, ClaimsNeedOneGraphAndWholeDigests) {
  rpc::ModelFiles message;
  EXPECT_FALSE(ReadClaims(message.files()));
  rpc::ModelFile& file = *message.add_files();
  file.set_path("model.onnx");
  file.set_is_graph(true);
  file.set_sha256(std::string(31, 'x'));
  EXPECT_FALSE(ReadClaims(message.files()));
  file.set_sha256(std::string(32, 'x'));
  EXPECT_TRUE(ReadClaims(message.files()));
  *message.add_files() = file;
  EXPECT_FALSE(ReadClaims(message.files()));
}

}  // namespace
}  // namespace glasscase::hosting
