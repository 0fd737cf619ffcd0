// What every blob store keeps, as tests. An adapter instantiates them:
//
//   INSTANTIATE_TEST_SUITE_P(Filesystem, BlobStoreContract, ::testing::Values(MakeFilesystemFixture));
#pragma once

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include <glasscase/blobs/testing/store_fixture.h>
#include <glasscase/crypto/sha256.h>

namespace glasscase::blobs::testing {

class BlobStoreContract : public ::testing::TestWithParam<MakeFixture> {
 protected:
  Digest Put(std::string_view bytes) {
    auto staged = store->Stage().value();
    EXPECT_TRUE(staged->Append(AsBytes(bytes)));
    const Digest digest = staged->Finish().value();
    EXPECT_TRUE(staged->Commit());
    return digest;
  }
  void Reopen() {
    store.reset();
    store = fixture->Open();
  }

  std::unique_ptr<StoreFixture> fixture = GetParam()();
  std::unique_ptr<BlobStore> store = fixture->Open();
};

TEST_P(BlobStoreContract, CommittedBytesAreFoundByTheirDigestAndSurviveReopening) {
  const Digest digest = Put("weights");
  EXPECT_EQ(digest, Sha256(AsBytes("weights")));
  Reopen();
  EXPECT_EQ(store->Size(digest).value(), 7u);
  EXPECT_EQ(ReadAll(store->Open(digest).value().get()), "weights");
}

TEST_P(BlobStoreContract, PiecesAreHashedAsOneStream) {
  auto staged = store->Stage().value();
  const std::string piece(100'000, 'x');
  std::string all;
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(staged->Append(AsBytes(piece)));
    all += piece;
  }
  EXPECT_EQ(staged->bytes(), all.size());
  EXPECT_EQ(staged->Finish().value(), Sha256(AsBytes(all)));
  EXPECT_EQ(staged->Finish().value(), Sha256(AsBytes(all)));
}

TEST_P(BlobStoreContract, StagedBytesCanBeReadAndAreNotInTheStore) {
  auto staged = store->Stage().value();
  ASSERT_TRUE(staged->Append(AsBytes("draft")));
  const Digest digest = staged->Finish().value();
  EXPECT_EQ(ReadAll(staged->Open().value().get()), "draft");
  EXPECT_EQ(store->Open(digest).error().code(), Code::kNotFound);
  EXPECT_TRUE(store->List().value().empty());
}

TEST_P(BlobStoreContract, DroppedBytesLeaveNothing) {
  { ASSERT_TRUE(store->Stage().value()->Append(AsBytes("draft"))); }
  Reopen();
  EXPECT_TRUE(store->List().value().empty());
}

// ---- bytes that arrive in several goes ----

TEST_P(BlobStoreContract, WhatWasKeptIsThereAfterReopeningAndTheRestIsCutOff) {
  const Uuid id = Uuid::Random();
  {
    auto partial = store->StagePartial(id, "whose it is").value();
    ASSERT_TRUE(partial->Append(AsBytes("kept")));
    ASSERT_TRUE(partial->Keep());
    ASSERT_TRUE(partial->Append(AsBytes(" and lost")));
    EXPECT_EQ(partial->bytes(), 13u);
    EXPECT_EQ(partial->kept(), 4u);
  }
  Reopen();
  const auto partials = store->Partials().value();
  ASSERT_EQ(partials.size(), 1u);
  EXPECT_EQ(partials[0].id, id);
  EXPECT_EQ(partials[0].note, "whose it is");
  EXPECT_EQ(partials[0].kept, 4u);
  auto partial = store->ResumePartial(id).value();
  EXPECT_EQ(partial->bytes(), 4u);
  ASSERT_TRUE(partial->Append(AsBytes(" again")));
  EXPECT_EQ(partial->Finish().value(), Sha256(AsBytes("kept again")));
  ASSERT_TRUE(partial->Commit());
  partial.reset();
  EXPECT_TRUE(store->Partials().value().empty());
  EXPECT_EQ(ReadAll(store->Open(Sha256(AsBytes("kept again"))).value().get()), "kept again");
}

TEST_P(BlobStoreContract, AFinishedPartialIsFinishedAgainAfterReopening) {
  const Uuid id = Uuid::Random();
  auto partial = store->StagePartial(id, "").value();
  ASSERT_TRUE(partial->Append(AsBytes("weights")));
  ASSERT_TRUE(partial->Finish());
  partial.reset();
  Reopen();
  partial = store->ResumePartial(id).value();
  EXPECT_EQ(partial->Finish().value(), Sha256(AsBytes("weights")));
  EXPECT_EQ(ReadAll(partial->Open().value().get()), "weights");
  ASSERT_TRUE(partial->Commit());
  EXPECT_EQ(store->Size(Sha256(AsBytes("weights"))).value(), 7u);
}

TEST_P(BlobStoreContract, CuttingAlsoForgetsWhatWasDigested) {
  auto partial = store->StagePartial(Uuid::Random(), "").value();
  ASSERT_TRUE(partial->Append(AsBytes("right")));
  ASSERT_TRUE(partial->Keep());
  ASSERT_TRUE(partial->Append(AsBytes("wrong")));
  EXPECT_EQ(partial->DigestSome().value(), 10u);
  EXPECT_EQ(partial->DigestSome().value(), 0u);
  ASSERT_TRUE(partial->CutToKept());
  EXPECT_EQ(partial->bytes(), 5u);
  ASSERT_TRUE(partial->Append(AsBytes(" again")));
  EXPECT_EQ(partial->Finish().value(), Sha256(AsBytes("right again")));
}

TEST_P(BlobStoreContract, ADiscardedPartialLeavesNothing) {
  const Uuid id = Uuid::Random();
  auto partial = store->StagePartial(id, "").value();
  EXPECT_FALSE(store->StagePartial(id, ""));
  ASSERT_TRUE(partial->Append(AsBytes("weights")));
  ASSERT_TRUE(partial->Keep());
  ASSERT_TRUE(partial->Discard());
  partial.reset();
  Reopen();
  EXPECT_TRUE(store->Partials().value().empty());
  EXPECT_EQ(store->ResumePartial(id).error().code(), Code::kNotFound);
}

TEST_P(BlobStoreContract, DigestingGoesOnBesideAppending) {
  auto partial = store->StagePartial(Uuid::Random(), "").value();
  const std::string piece(300'000, 'x');
  std::atomic<bool> ended = false;
  std::thread digesting([&] {
    for (bool last = false; !last;) {
      last = ended;
      while (partial->DigestSome().value() != 0) {
      }
    }
  });
  std::string all;
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(partial->Append(AsBytes(piece)));
    all += piece;
  }
  ended = true;
  digesting.join();
  EXPECT_EQ(partial->DigestSome().value(), 0u);
  EXPECT_EQ(partial->Finish().value(), Sha256(AsBytes(all)));
}

TEST_P(BlobStoreContract, TheSameBytesTwiceAreOneBlob) {
  EXPECT_EQ(Put("same"), Put("same"));
  EXPECT_EQ(store->List().value(), (std::vector<BlobInfo>{{Sha256(AsBytes("same")), 4}}));
}

TEST_P(BlobStoreContract, DescriptorsAreReadOnlyAndOutliveRemoval) {
  const Digest digest = Put("weights");
  const Fd fd = store->Open(digest).value();
  ASSERT_TRUE(store->Remove(digest));
  EXPECT_EQ(store->Open(digest).error().code(), Code::kNotFound);
  EXPECT_EQ(store->Size(digest).error().code(), Code::kNotFound);
  EXPECT_EQ(ReadAll(fd.get()), "weights");
  EXPECT_LT(::write(fd.get(), "x", 1), 0);
}

TEST_P(BlobStoreContract, RemovingTwiceIsFine) {
  const Digest digest = Put("weights");
  EXPECT_TRUE(store->Remove(digest));
  EXPECT_TRUE(store->Remove(digest));
}

TEST_P(BlobStoreContract, ListGivesEveryBlobWithItsSize) {
  Put("a");
  Put("bb");
  Put("");
  auto found = store->List().value();
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.bytes < b.bytes; });
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[2], (BlobInfo{Sha256(AsBytes("bb")), 2}));
  EXPECT_GT(store->BytesFree().value(), 0u);
}

}  // namespace glasscase::blobs::testing
