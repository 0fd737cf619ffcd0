// Datasets, models in other formats, and folders: the same bytes again, other bytes, retiring and erasing.
#include <gmock/gmock.h>

#include "bench_test.h"

namespace glasscase::operations::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// What is kept, with the adjustment that makes it.
struct KeptCase {
  const char* name;
  bool model;
  std::vector<std::pair<std::string, std::string>> files;
};

class KeptAssetsTest : public OperationsTest, public ::testing::WithParamInterface<KeptCase> {
 protected:
  rpc::Response Put(const Files& files, std::string_view label = "", std::string_view name = "asset") {
    return Keep(root, name, files, [&](rpc::PublishRequest& request) {
      if (GetParam().model) request.set_kind("model");
      request.set_version(std::string(label));
    });
  }
  // The same files with one byte changed.
  Files Changed() const {
    Files files = GetParam().files;
    files.back().second.back() ^= 1;
    return files;
  }
  rpc::Response Erase(std::string_view version) {
    return Do(root, OnVersion(&rpc::Request::mutable_erase, "asset", version));
  }
  rpc::Response Retire(std::string_view version) {
    return Do(root, OnVersion(&rpc::Request::mutable_retire, "asset", version));
  }
  std::string ListNames(std::string_view token) {
    rpc::Request request;
    request.mutable_list_models();
    std::string names;
    const rpc::Response answer = Do(token, request);
    for (const rpc::Model& model : answer.models().models()) names += model.name() + " ";
    return names;
  }
};

INSTANTIATE_TEST_SUITE_P(
    Kept, KeptAssetsTest,
    ::testing::Values(KeptCase{"Dataset", false, {{"d.csv", "rows"}}},
                      KeptCase{"Model", true, {{"m.pt", "weights"}}},
                      KeptCase{"Folder", false, {{"a/1.png", "one"}, {"a/2.png", "two"}, {"labels", "12"}}}),
    [](const auto& row) { return row.param.name; });

TEST_P(KeptAssetsTest, TheSameBytesGiveTheSameVersionBack) {
  const rpc::Response first = Put(GetParam().files, "1");
  ASSERT_EQ(first.code(), 0u) << first.message();
  for (const char* label : {"1", ""}) {
    const rpc::Response again = Put(GetParam().files, label);
    ASSERT_EQ(again.code(), 0u) << again.message();
    EXPECT_TRUE(again.published().already_published());
    EXPECT_EQ(again.published().model().versions(0).id(), first.published().model().versions(0).id());
  }
  EXPECT_THAT(EntryTypes("asset"), ElementsAre("registered", "version"));
  EXPECT_EQ(FilesBelow("blobs"), GetParam().files.size());
}

TEST_P(KeptAssetsTest, OtherBytesUnderATakenLabelAreRefused) {
  Put(GetParam().files, "1");
  const rpc::Response other = Put(Changed(), "1");
  EXPECT_EQ(CodeOf(other), Code::kAlreadyExists);
  EXPECT_THAT(other.message(), HasSubstr("has other bytes"));
  EXPECT_EQ(FilesBelow("blobs"), GetParam().files.size());
  EXPECT_EQ(Put(Changed()).published().model().versions(0).version(), "2");
}

TEST_P(KeptAssetsTest, RetiringHidesFromOthersAndTheOwnerSeesIt) {
  Put(GetParam().files);
  const std::string ada = Enrol(root, "ada");
  Do(root, GrantTake("ada", "asset"));
  Do(root, GrantTake("ada", "asset@1"));
  EXPECT_EQ(Do(ada, Take("asset@1")).files().files_size(), static_cast<int>(GetParam().files.size()));
  Retire("1");
  EXPECT_EQ(ListNames(ada), "");
  EXPECT_EQ(CodeOf(Ask(ada, ShowModel("teacher/asset@1"))), Code::kNotFound);
  EXPECT_EQ(CodeOf(Ask(ada, Take("teacher/asset@1"))), Code::kNotFound);
  EXPECT_EQ(ListNames(root), "teacher/asset ");
  EXPECT_EQ(Do(root, ShowModel("asset")).model().versions(0).state(), "retired");
  EXPECT_EQ(Do(root, Take("asset@1")).files().files_size(), static_cast<int>(GetParam().files.size()));
  EXPECT_THAT(Put(GetParam().files, "1").message(), HasSubstr("retired at"));
}

TEST_P(KeptAssetsTest, ErasingRemovesBytesAndSaltsAndLeavesTheCommitment) {
  const std::string id = Put(GetParam().files).published().model().id();
  const std::string ada = Enrol(root, "ada");
  Do(root, GrantTake("ada", "asset"));
  Erase("1");
  EXPECT_EQ(FilesBelow("blobs"), 0u);
  EXPECT_EQ(catalog->FindModel(Uuid::Parse(id).value()).value()->secret, std::nullopt);
  EXPECT_EQ(CodeOf(Ask(root, Take("asset@1"))), Code::kNotFound);
  EXPECT_EQ(CodeOf(Ask(ada, Take(id))), Code::kNotFound);
  EXPECT_EQ(ListNames(ada), "");
  EXPECT_EQ(Do(root, ShowModel("asset")).model().versions(0).state(), "erased");
  EXPECT_THAT(EntryTypes("asset"), ElementsAre("registered", "version", "grant", "erased"));
  EXPECT_THAT(Put(GetParam().files, "1").message(), HasSubstr("erased at"));
}

TEST_P(KeptAssetsTest, BytesThatAnotherVersionHasStay) {
  Put(GetParam().files, "", "other");
  Files more = GetParam().files;
  more.emplace_back("more", "of it");
  Put(GetParam().files);
  Put(more);
  EXPECT_EQ(FilesBelow("blobs"), more.size());
  const Uuid id = Uuid::Parse(Do(root, ShowModel("asset")).model().id()).value();
  Erase("2");
  EXPECT_EQ(FilesBelow("blobs"), GetParam().files.size()) << "what version 2 alone had is gone";
  EXPECT_NE(catalog->FindModel(id).value()->secret, std::nullopt) << "version 1 is still there";
  Erase("1");
  EXPECT_EQ(FilesBelow("blobs"), GetParam().files.size()) << "the other asset has them";
  EXPECT_EQ(catalog->FindModel(id).value()->secret, std::nullopt);
  EXPECT_EQ(Do(root, Take("other")).files().files_size(), static_cast<int>(GetParam().files.size()));
}

}  // namespace
}  // namespace glasscase::operations::testing
