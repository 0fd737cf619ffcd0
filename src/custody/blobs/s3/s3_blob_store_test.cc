// Against a real S3 server.
#include <glasscase/blobs_s3/s3_blob_store.h>

#include <fstream>

#include <gmock/gmock.h>

#include <glasscase/blobs/testing/blob_store_contract.h>

#include "s3_fixture_test.h"

namespace glasscase::blobs::testing {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<StoreFixture> MakeOnVersitygw() {
  auto fixture = std::make_unique<S3Fixture>();
  fixture->OnVersitygw();
  return fixture;
}
// Nothing stays cached, so every Open is a download.
std::unique_ptr<StoreFixture> MakeWithoutCache() {
  auto fixture = std::make_unique<S3Fixture>();
  fixture->OnVersitygw().options.cache_bytes_max = 0;
  return fixture;
}

INSTANTIATE_TEST_SUITE_P(S3, BlobStoreContract, ::testing::Values(MakeFixture(MakeOnVersitygw)));
INSTANTIATE_TEST_SUITE_P(S3WithoutCache, BlobStoreContract, ::testing::Values(MakeFixture(MakeWithoutCache)));

class S3BlobStoreTest : public ::testing::Test {
 protected:
  S3BlobStoreTest() { fixture.OnVersitygw(); }
  S3Fixture fixture;
};

TEST_F(S3BlobStoreTest, ObjectsAreNamedAsTheReadmeSays) {
  const Digest digest = TryPut(*fixture.Open(), "weights").value();
  EXPECT_EQ(std::filesystem::file_size(fixture.ObjectOf(digest)), 7u);
}

TEST_F(S3BlobStoreTest, WhatIsNotCachedIsDownloadedAndThenCached) {
  const Digest digest = TryPut(*fixture.Open(), "weights").value();
  std::filesystem::remove(fixture.CachedFileOf(digest));
  const auto store = fixture.Open();
  EXPECT_EQ(ReadAll(store->Open(digest).value().get()), "weights");
  EXPECT_TRUE(fixture.IsCached(digest));
}

TEST_F(S3BlobStoreTest, LargeBlobsGoInPartsAndComeBackWhole) {
  fixture.options.multipart_above_bytes = 6 << 20;
  fixture.options.part_bytes_min = 5 << 20;
  fixture.options.cache_bytes_max = 0;
  const auto store = fixture.Open();
  std::string bytes(11 << 20, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>((i * 2654435761u) >> 13);
  const auto digest = TryPut(*store, bytes);
  ASSERT_TRUE(digest) << digest.error().message();
  EXPECT_EQ(store->Size(*digest).value(), bytes.size());
  const auto fd = store->Open(*digest);
  ASSERT_TRUE(fd) << fd.error().message();
  EXPECT_TRUE(ReadAll(fd->get()) == bytes);
  EXPECT_TRUE(TryPut(*store, bytes)) << "a second time";
}

TEST_F(S3BlobStoreTest, AnObjectOfAnotherSizeIsReplaced) {
  const auto store = fixture.Open();
  const Digest digest = TryPut(*store, "weights").value();
  std::ofstream(fixture.ObjectOf(digest)) << "wei";
  ASSERT_TRUE(TryPut(*store, "weights"));
  EXPECT_EQ(std::filesystem::file_size(fixture.ObjectOf(digest)), 7u);
}

TEST_F(S3BlobStoreTest, BytesWithAnotherDigestAreRefusedAndNotCached) {
  fixture.options.cache_bytes_max = 0;
  const Digest digest = TryPut(*fixture.Open(), "weights").value();
  std::ofstream(fixture.ObjectOf(digest)) << "WEIGHTS";
  fixture.options.cache_bytes_max = 1000;
  EXPECT_EQ(fixture.Open()->Open(digest).error().code(), Code::kDataLoss);
  EXPECT_FALSE(fixture.IsCached(digest));
}

TEST_F(S3BlobStoreTest, TheLeastRecentlyUsedLeavesTheCacheAndOpenDescriptorsStayGood) {
  fixture.options.cache_bytes_max = 20;
  const auto store = fixture.Open();
  const Digest a = TryPut(*store, "aaaaaaaa").value();
  const Digest b = TryPut(*store, "bbbbbbbb").value();
  const Fd descriptor_of_b = store->Open(b).value();
  ASSERT_TRUE(store->Open(a));
  const Digest c = TryPut(*store, "cccccccc").value();
  EXPECT_TRUE(fixture.IsCached(a));
  EXPECT_FALSE(fixture.IsCached(b));
  EXPECT_TRUE(fixture.IsCached(c));
  EXPECT_EQ(ReadAll(descriptor_of_b.get()), "bbbbbbbb");
  EXPECT_EQ(ReadAll(store->Open(b).value().get()), "bbbbbbbb");
}

TEST_F(S3BlobStoreTest, ASmallerBudgetHoldsFromTheStart) {
  const Digest digest = TryPut(*fixture.Open(), "weights").value();
  fixture.options.cache_bytes_max = 6;
  fixture.Open();
  EXPECT_FALSE(fixture.IsCached(digest));
}

TEST_F(S3BlobStoreTest, CommittedBytesCanBeReadFromTheStagedBlobWhateverTheCacheKept) {
  fixture.options.cache_bytes_max = 0;
  const auto store = fixture.Open();
  const auto staged = store->Stage().value();
  ASSERT_TRUE(staged->Append(AsBytes("weights")));
  ASSERT_TRUE(staged->Finish());
  ASSERT_TRUE(staged->Commit());
  ASSERT_TRUE(staged->Commit());
  EXPECT_EQ(ReadAll(staged->Open().value().get()), "weights");
}

TEST_F(S3BlobStoreTest, ListingsGoOverManyPagesAndPassOverWhatIsNoBlob) {
  fixture.options.cache_bytes_max = 0;
  const auto store = fixture.Open();
  const Digest digest = TryPut(*store, "weights").value();
  const auto sha256 = Versitygw::Instance().FolderOf(fixture.options.bucket) / "glasscase" / "sha256";
  std::ofstream(sha256 / "README") << "no blob";
  std::filesystem::create_directory(sha256 / "00");
  for (int i = 0; i < 1500; ++i) {  // a page has 1,000
    std::string hex = std::to_string(i);
    hex.insert(0, 64 - hex.size(), '0');
    std::ofstream(sha256 / "00" / hex) << "x";
  }
  const auto found = store->List();
  ASSERT_TRUE(found) << found.error().message();
  EXPECT_EQ(found->size(), 1501u);
  EXPECT_THAT(*found, ::testing::Contains(BlobInfo{digest, 7}));
}

TEST_F(S3BlobStoreTest, WrongCredentialsAreDeniedAndTheSettingIsNamed) {
  const Digest digest = TryPut(*fixture.Open(), "weights").value();
  fixture.options.secret_key = Secret("wrong");
  const auto with_wrong_secret = fixture.Open();
  for (const Error& error :
       {TryPut(*with_wrong_secret, "more").error(), with_wrong_secret->Size(digest).error(),
        with_wrong_secret->List().error(), with_wrong_secret->Remove(digest).error()}) {
    EXPECT_EQ(error.code(), Code::kPermissionDenied) << error.message();
    EXPECT_THAT(error.message(), HasSubstr("the secret key"));
  }
  fixture.options.access_key = "nobody";
  const Error error = fixture.Open()->List().error();
  EXPECT_EQ(error.code(), Code::kPermissionDenied) << error.message();
  EXPECT_THAT(error.message(), HasSubstr("the access key"));
}

TEST_F(S3BlobStoreTest, AMissingBucketIsNamed) {
  fixture.options.bucket = "no-such-bucket";
  const auto store = fixture.Open();
  const Digest digest = Sha256(AsBytes("weights"));
  for (const Error& error :
       {TryPut(*store, "weights").error(), store->Size(digest).error(), store->Open(digest).error(),
        store->List().error(), store->Remove(digest).error()}) {
    EXPECT_EQ(error.code(), Code::kFailedPrecondition) << error.message();
    EXPECT_THAT(error.message(), HasSubstr("no-such-bucket"));
  }
}

}  // namespace
}  // namespace glasscase::blobs::testing
