#include "signature.h"

#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <vector>

#include <glasscase/crypto/ecdsa.h>
#include <glasscase/crypto/random.h>
#include <glasscase/crypto/sha256.h>
#include <glasscase/provenance/model_signature.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace glasscase::inspector {
namespace {

using ::testing::HasSubstr;

class SignatureTest : public ::testing::Test {
 protected:
  void Add(const std::string& path, std::string_view bytes, uint64_t shard_bytes = 0) {
    rpc::ModelFile& file = *job_.add_files();
    file.set_path(path);
    file.set_sha256(std::string(AsText(Sha256(AsBytes(bytes)))));
    fds_.emplace_back(::memfd_create("file", MFD_CLOEXEC));
    ASSERT_EQ(::write(fds_.back().get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    provenance::ResourceHasher hasher(shard_bytes);
    hasher.Begin(path);
    hasher.Update(AsBytes(bytes));
    hasher.End();
    for (provenance::Resource& resource : hasher.Take()) resources_.push_back(std::move(resource));
  }
  void Sign(uint64_t shard_bytes = 0) {
    job_.set_signature(
        provenance::SignModel("digits", resources_, {.shard_bytes = shard_bytes}, key_).value());
    job_.set_signer(key_.public_key().Pem());
  }
  std::string Refusal() {
    const Status checked = CheckSignature(job_, fds_);
    return checked ? std::string() : checked.error().message();
  }

  SystemRandom random_;
  EcdsaPrivateKey key_ = EcdsaPrivateKey::Generate(Curve::kP256, random_);
  rpc::InspectJob job_;
  std::vector<Fd> fds_;
  std::vector<provenance::Resource> resources_;
};

TEST_F(SignatureTest, HoldsForTheFilesItIsOf) {
  Add("model.onnx", "graph");
  Add("weights/w.bin", "weights");
  Sign();
  EXPECT_EQ(Refusal(), "");
}

TEST_F(SignatureTest, OfAFileIsOfTheOneFileWhateverItIsCalled) {
  Add("model.onnx", "graph");
  resources_[0].name = provenance::kTheFileItself;
  Sign();
  EXPECT_EQ(Refusal(), "");
  Add("more.bin", "x");
  EXPECT_THAT(Refusal(), HasSubstr("other files"));
}

TEST_F(SignatureTest, OfPartsIsComparedWithTheBytes) {
  Add("model.onnx", std::string(2'500, 'a'), 1'000);
  Sign(1'000);
  EXPECT_EQ(Refusal(), "");
  ASSERT_EQ(::pwrite(fds_[0].get(), "b", 1, 2'400), 1);
  EXPECT_THAT(Refusal(), HasSubstr("other files"));
}

TEST_F(SignatureTest, OtherBytesAnotherKeyAndNoSignatureAreRefusedWithTheReason) {
  Add("model.onnx", "graph");
  Sign();
  job_.mutable_files(0)->set_sha256(std::string(32, 'x'));
  EXPECT_THAT(Refusal(), HasSubstr("model.onnx"));
  job_.set_signer(EcdsaPrivateKey::Generate(Curve::kP256, random_).public_key().Pem());
  EXPECT_THAT(Refusal(), HasSubstr("does not hold"));
  job_.set_signer("nothing");
  EXPECT_THAT(Refusal(), HasSubstr("the signer's key"));
  job_.set_signer(key_.public_key().Pem());
  job_.set_signature("{}");
  EXPECT_THAT(Refusal(), HasSubstr("does not hold"));
}

}  // namespace
}  // namespace glasscase::inspector
