#include "uploads.h"

#include <gmock/gmock.h>

#include <glasscase/crypto/sha256.h>

#include "bench_test.h"

namespace glasscase::operations::testing {
namespace {

using ::testing::HasSubstr;

class UploadsTest : public OperationsTest {
 protected:
  static std::string Hex(std::string_view bytes) { return ToHex(Sha256(AsBytes(bytes))); }
  rpc::Response Show(std::string_view token, std::string_view upload) {
    rpc::Request request;
    request.mutable_show_upload()->set_upload(std::string(upload));
    return Ask(token, request);
  }
  rpc::Response Drop(std::string_view token, std::string_view upload) {
    rpc::Request request;
    request.mutable_drop_upload()->set_upload(std::string(upload));
    return Ask(token, request);
  }
  static rpc::Request WithChecksum(rpc::Request request, std::string_view algorithm, std::string_view bytes) {
    ChecksumStream stream(*ChecksumKindFromName(algorithm));
    stream.Update(AsBytes(bytes));
    request.mutable_receive_upload()->set_checksum_algorithm(std::string(algorithm));
    request.mutable_receive_upload()->set_checksum(std::string(AsText(stream.Finish())));
    return request;
  }
  std::string PublishedDigest(const std::string& upload) {
    const auto answer = Ask(root, PublishRequest({{"m.onnx", upload}}, "iris"));
    EXPECT_EQ(answer.code(), 0u) << answer.message();
    return answer.code() == 0 ? answer.published().model().versions(0).sha256() : "";
  }
};

TEST_F(UploadsTest, BytesComeInSeveralGoesAndAreOneFile) {
  const std::string upload = CreateUpload(root, 6);
  auto receipt = Send(root, ReceiveUpload(upload, 0, 3), "abc").upload_receipt();
  EXPECT_EQ(receipt.upload().offset(), 3);
  EXPECT_FALSE(receipt.checksum_mismatch());
  receipt = Send(root, ReceiveUpload(upload, 3, 3), "def").upload_receipt();
  EXPECT_EQ(receipt.upload().offset(), 6);
  EXPECT_EQ(PublishedDigest(upload), Hex("abcdef"));
}

TEST_F(UploadsTest, AConnectionThatBreaksKeepsWhatCame) {
  const std::string upload = CreateUpload(root, 6);
  EXPECT_EQ(Send(root, ReceiveUpload(upload, 0, 6), "ab").upload_receipt().upload().offset(), 2);
  EXPECT_EQ(Show(root, upload).upload().offset(), 2);
  EXPECT_EQ(Send(root, ReceiveUpload(upload, 2, 4), "cdef").upload_receipt().upload().offset(), 6);
  EXPECT_EQ(PublishedDigest(upload), Hex("abcdef"));
}

TEST_F(UploadsTest, WhatWasAcknowledgedIsThereAfterARestart) {
  const std::string half = CreateUpload(root, 6);
  Send(root, ReceiveUpload(half, 0, 3), "abc");
  const std::string whole = Upload(root, {{"m.onnx", "weights"}})[0].second;
  Restart();
  EXPECT_EQ(Show(root, half).upload().offset(), 3);
  EXPECT_EQ(Show(root, half).upload().bytes(), 6);
  EXPECT_EQ(Send(root, ReceiveUpload(half, 3, 3), "def").upload_receipt().upload().offset(), 6);
  EXPECT_EQ(PublishedDigest(half), Hex("abcdef"));
  EXPECT_EQ(PublishedDigest(whole), Hex("weights"));
  EXPECT_EQ(FilesBelow("uploads"), 0u);
}

TEST_F(UploadsTest, ARestartInTheMiddleCutsOffWhatWasNotAcknowledged) {
  const std::string upload = CreateUpload(root, 6);
  Send(root, ReceiveUpload(upload, 0, 3), "abc");
  std::ofstream(folder / "uploads" / upload, std::ios::app) << "xyz";
  Restart();
  EXPECT_EQ(Show(root, upload).upload().offset(), 3);
  Send(root, ReceiveUpload(upload, 3, 3), "def");
  EXPECT_EQ(PublishedDigest(upload), Hex("abcdef"));
}

TEST_F(UploadsTest, TheOffsetMustBeWhereTheUploadStands) {
  const std::string upload = CreateUpload(root, 6);
  Send(root, ReceiveUpload(upload, 0, 3), "abc");
  for (const int64_t offset : {0, 2, 4}) {
    const auto refused = Ask(root, ReceiveUpload(upload, offset, 1));
    EXPECT_EQ(CodeOf(refused), Code::kAborted);
    EXPECT_THAT(refused.message(), HasSubstr("offset=3"));
  }
  EXPECT_EQ(CodeOf(Ask(root, ReceiveUpload(upload, -1, 1))), Code::kInvalidArgument);
}

TEST_F(UploadsTest, NothingBeyondTheLengthIsTaken) {
  const std::string upload = CreateUpload(root, 6);
  Send(root, ReceiveUpload(upload, 0, 3), "abc");
  EXPECT_EQ(CodeOf(Ask(root, ReceiveUpload(upload, 3, 4))), Code::kOutOfRange);
  // An edge that sends more than it said is not read any further.
  Send(root, ReceiveUpload(upload, 3, 3), "defghi");
  EXPECT_EQ(PublishedDigest(upload), Hex("abcdef"));
}

TEST_F(UploadsTest, TwoWritersAreOne) {
  const std::string upload = CreateUpload(root, 6);
  const Fd entrance = BeginReceive(root, ReceiveUpload(upload, 0, 6));
  const auto second = Ask(root, ReceiveUpload(upload, 0, 6));
  EXPECT_EQ(CodeOf(second), Code::kFailedPrecondition);
  EXPECT_THAT(second.message(), HasSubstr("another connection is writing"));
  EXPECT_TRUE(Show(root, upload).upload().in_use());
  EXPECT_EQ(CodeOf(Ask(root, PublishRequest({{"m.onnx", upload}}, "iris"))), Code::kFailedPrecondition);
  WriteAll(entrance, "abcdef");
  EXPECT_EQ(Ask(root, AwaitUpload(upload)).upload_receipt().upload().offset(), 6);
}

TEST_F(UploadsTest, AnUploadOfNothingIsWholeAtOnce) {
  const std::string upload = CreateUpload(root, 0);
  EXPECT_EQ(PublishedDigest(upload), Hex(""));
}

TEST_F(UploadsTest, AWrongChecksumTakesNothing) {
  for (const char* algorithm : {"sha1", "sha256"}) {
    const std::string upload = CreateUpload(root, 6);
    auto receipt =
        Send(root, WithChecksum(ReceiveUpload(upload, 0, 3), algorithm, "abc"), "abc").upload_receipt();
    EXPECT_FALSE(receipt.checksum_mismatch());
    receipt = Send(root, WithChecksum(ReceiveUpload(upload, 3, 3), algorithm, "def"), "deg").upload_receipt();
    EXPECT_TRUE(receipt.checksum_mismatch());
    EXPECT_EQ(receipt.upload().offset(), 3);
    receipt = Send(root, WithChecksum(ReceiveUpload(upload, 3, 3), algorithm, "def"), "def").upload_receipt();
    EXPECT_EQ(receipt.upload().offset(), 6);
    EXPECT_EQ(PublishedDigest(upload), Hex("abcdef"));
  }
}

// Here the file's own digest is the checksum's.
TEST_F(UploadsTest, AChecksumOfTheWholeFileIsCheckedToo) {
  const std::string upload = CreateUpload(root, 3);
  const auto wanted = WithChecksum(ReceiveUpload(upload, 0, 3), "sha256", "abc");
  auto receipt = Send(root, wanted, "abd").upload_receipt();
  EXPECT_TRUE(receipt.checksum_mismatch());
  EXPECT_EQ(receipt.upload().offset(), 0);
  receipt = Send(root, wanted, "abc").upload_receipt();
  EXPECT_FALSE(receipt.checksum_mismatch());
  EXPECT_EQ(PublishedDigest(upload), Hex("abc"));
}

// Half a piece cannot be compared with its checksum.
TEST_F(UploadsTest, ABrokenConnectionKeepsNothingThatAChecksumWasToVouchFor) {
  const std::string upload = CreateUpload(root, 6);
  Send(root, ReceiveUpload(upload, 0, 1), "a");
  const auto receipt =
      Send(root, WithChecksum(ReceiveUpload(upload, 1, 5), "sha256", "bcdef"), "bc").upload_receipt();
  EXPECT_EQ(receipt.upload().offset(), 1);
}

TEST_F(UploadsTest, ChecksumsOfOtherKindsAreRefused) {
  rpc::Request request = ReceiveUpload(CreateUpload(root, 3), 0, 3);
  request.mutable_receive_upload()->set_checksum_algorithm("md5");
  EXPECT_EQ(CodeOf(Ask(root, request)), Code::kInvalidArgument);
  request.mutable_receive_upload()->set_checksum_algorithm("sha256");
  request.mutable_receive_upload()->set_checksum("short");
  EXPECT_EQ(CodeOf(Ask(root, request)), Code::kInvalidArgument);
}

TEST_F(UploadsTest, AFileThatIsNotTheAnnouncedOneIsRefusedAndBeginsAnew) {
  const std::string upload = CreateUpload(root, 3, Hex("abc"));
  auto receipt = Send(root, ReceiveUpload(upload, 0, 3), "abd").upload_receipt();
  EXPECT_TRUE(receipt.checksum_mismatch());
  EXPECT_EQ(receipt.upload().offset(), 0);
  receipt = Send(root, ReceiveUpload(upload, 0, 3), "abc").upload_receipt();
  EXPECT_FALSE(receipt.checksum_mismatch());
  EXPECT_EQ(PublishedDigest(upload), Hex("abc"));
}

TEST_F(UploadsTest, UploadsBelongToTheirSubject) {
  const std::string prof = Enrol(root, "prof", "owner");
  const std::string upload = CreateUpload(root, 3);
  EXPECT_EQ(CodeOf(Show(prof, upload)), Code::kNotFound);
  EXPECT_EQ(CodeOf(Drop(prof, upload)), Code::kNotFound);
  EXPECT_EQ(CodeOf(Ask(prof, ReceiveUpload(upload, 0, 3))), Code::kNotFound);
  EXPECT_EQ(CodeOf(Ask(prof, AwaitUpload(upload))), Code::kNotFound);
  EXPECT_EQ(CodeOf(Ask(prof, PublishRequest({{"m.onnx", upload}}, "iris"))), Code::kNotFound);
  rpc::Request list;
  list.mutable_list_uploads();
  EXPECT_EQ(Do(prof, list).uploads().uploads_size(), 0);
  EXPECT_EQ(Do(root, list).uploads().uploads_size(), 1);
}

TEST_F(UploadsTest, ADroppedUploadLeavesNothing) {
  const std::string upload = CreateUpload(root, 6);
  Send(root, ReceiveUpload(upload, 0, 3), "abc");
  EXPECT_EQ(Drop(root, upload).code(), 0u);
  EXPECT_EQ(CodeOf(Show(root, upload)), Code::kNotFound);
  EXPECT_EQ(FilesBelow("uploads"), 0u);
  // Also one that is being written, by a connection that may never end.
  const std::string other = CreateUpload(root, 6);
  const Fd entrance = BeginReceive(root, ReceiveUpload(other, 0, 6));
  EXPECT_EQ(Drop(root, other).code(), 0u);
  EXPECT_EQ(CodeOf(Show(root, other)), Code::kNotFound);
  EXPECT_TRUE(RunUntil([&] { return FilesBelow("uploads") == 0; }));
}

TEST_F(UploadsTest, AnUploadToWhichNothingComesExpires) {
  const std::string old = CreateUpload(root, 6);
  const std::string fresh = CreateUpload(root, 6);
  clock.shift_micros += int64_t{23} * 3'600'000'000;
  Send(root, ReceiveUpload(fresh, 0, 3), "abc");
  clock.shift_micros += int64_t{2} * 3'600'000'000;
  EXPECT_EQ(CodeOf(Show(root, old)), Code::kNotFound);
  EXPECT_EQ(Show(root, fresh).upload().offset(), 3);
  EXPECT_TRUE(RunUntil([&] { return FilesBelow("uploads") == 2; }));
}

TEST_F(UploadsTest, NumberAndBytesOfASubjectAreLimited) {
  rpc::Request request;
  request.mutable_create_upload()->set_bytes(int64_t{17} << 30);
  EXPECT_EQ(CodeOf(Ask(root, request)), Code::kOutOfRange);
  request.mutable_create_upload()->set_bytes(-1);
  EXPECT_EQ(CodeOf(Ask(root, request)), Code::kOutOfRange);
  request.mutable_create_upload()->set_bytes(1);
  request.mutable_create_upload()->set_metadata(std::string(Uploads::kMetadataBytesMax + 1, 'a'));
  EXPECT_EQ(CodeOf(Ask(root, request)), Code::kInvalidArgument);
  request.mutable_create_upload()->clear_metadata();
  for (size_t i = 0; i < Uploads::kPerSubjectMax; ++i) ASSERT_EQ(Ask(root, request).code(), 0u);
  const auto refused = Ask(root, request);
  EXPECT_EQ(CodeOf(refused), Code::kResourceExhausted);
  EXPECT_THAT(refused.message(), HasSubstr("at most=256"));
  EXPECT_EQ(CodeOf(Ask(Enrol(root, "prof", "owner"), request)), Code(0)) << "others are not concerned";
}

TEST_F(UploadsTest, LargeFilesAreDigestedWhileTheyCome) {
  std::string bytes(5'000'000, '\0');
  random.Fill({reinterpret_cast<uint8_t*>(bytes.data()), bytes.size()});
  const std::string upload = CreateUpload(root, static_cast<int64_t>(bytes.size()), Hex(bytes));
  const std::string_view all = bytes;
  Send(root, ReceiveUpload(upload, 0, bytes.size()), all.substr(0, 3'000'001));
  EXPECT_EQ(Show(root, upload).upload().offset(), 3'000'001);
  EXPECT_FALSE(Send(root, ReceiveUpload(upload, 3'000'001, 1'999'999), all.substr(3'000'001))
                   .upload_receipt()
                   .checksum_mismatch());
  EXPECT_EQ(PublishedDigest(upload), Hex(bytes));
}

TEST_F(UploadsTest, ADamagedNoteCostsThatUploadAlone) {
  const std::string good = CreateUpload(root, 6);
  const std::string bad = CreateUpload(root, 6);
  std::ofstream(folder / "uploads" / (bad + ".state")) << "00000000000000000000\n{}";
  Restart();
  EXPECT_EQ(Show(root, good).upload().bytes(), 6);
  EXPECT_EQ(CodeOf(Show(root, bad)), Code::kNotFound);
  EXPECT_EQ(FilesBelow("uploads"), 2u);
}

}  // namespace
}  // namespace glasscase::operations::testing
