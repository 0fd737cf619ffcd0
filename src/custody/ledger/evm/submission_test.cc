#include "submission.h"

#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

namespace glasscase::ledger::evm {
namespace {

Submission SomeSubmission() {
  Submission submission{
      .chain_id = 1337, .sender = {1}, .nonce = 9, .to = Address{2}, .gas = 61'234, .data = {1, 2}};
  submission.attempts = {{.fees = {.priority = 1, .max = 2}, .raw = {2, 3}},
                         {.fees = {.priority = 2, .max = 3}, .raw = {4}}};
  return submission;
}

TEST(SubmissionTest, WhatIsKeptComesBack) {
  Submission submission = SomeSubmission();
  EXPECT_EQ(FromKeptForm(KeptForm(submission)).value(), submission);
  submission.to.reset();
  submission.data.clear();
  submission.attempts.resize(1);
  EXPECT_EQ(FromKeptForm(KeptForm(submission)).value(), submission);
}

TEST(SubmissionTest, CutAndAlteredFormsAreRefused) {
  const Bytes kept = KeptForm(SomeSubmission());
  for (size_t size = 0; size < kept.size(); ++size)
    EXPECT_FALSE(FromKeptForm(ByteSpan(kept).first(size))) << size;
  Bytes longer = kept;
  longer.push_back(0);
  EXPECT_FALSE(FromKeptForm(longer));
  Submission empty = SomeSubmission();
  empty.attempts.clear();
  EXPECT_FALSE(FromKeptForm(KeptForm(empty)));
}

TEST(SubmissionTest, FormsOfLaterProgramsAreRefused) {
  Bytes kept = KeptForm(SomeSubmission());
  ASSERT_EQ(kept[2], 1) << "the version is the first member";
  kept[2] = 2;
  const auto read = FromKeptForm(kept);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().message(), "not a kept chain submission: of format version 2");
}

// Rows of outboxes written by earlier programs.
TEST(SubmissionTest, OldRowsAreRead) {
  const Bytes old =
      FromHex(
          "f84001820539940100000000000000000000000000000000000000099402000000000000000000000000000000"
          "0000000082ef32820102cac50102820203c3020304")
          .value();
  EXPECT_EQ(FromKeptForm(old).value(), SomeSubmission());
}

}  // namespace
}  // namespace glasscase::ledger::evm
