// From files to a version that can be called, and every way in which that ends early.
#include "publishing.h"

#include <gmock/gmock.h>

#include <glasscase/crypto/sha256.h>

#include "bench_test.h"
#include "uploads.h"

namespace glasscase::operations::testing {
namespace {

using ::testing::HasSubstr;

class PublishingTest : public OperationsTest {
 protected:
  std::string Hex(std::string_view bytes) { return ToHex(Sha256(AsBytes(bytes))); }
  void ExpectNothingLeft() {
    EXPECT_EQ(FilesBelow("staging"), 0u);
    EXPECT_EQ(FilesBelow("blobs"), 0u);
    EXPECT_EQ(catalog->Count(0).value().models, 0u);
  }
};

TEST_F(PublishingTest, APublishedModelIsCallableWhenTheAnswerComes) {
  const auto answer = Publish(root, "iris", "weights");
  ASSERT_EQ(answer.code(), 0u) << answer.message();
  const rpc::PublishAnswer& published = answer.published();
  EXPECT_FALSE(published.already_published());
  EXPECT_EQ(published.infer_path(), "/v2/models/teacher%2Firis/infer");
  EXPECT_EQ(published.sample_input(),
            R"({"inputs":[{"name":"x","shape":[1,4],"datatype":"FP32","data":[0,0,0,0]}]})");
  ASSERT_EQ(published.model().versions_size(), 1);
  const rpc::Version& version = published.model().versions(0);
  EXPECT_EQ(version.version(), "1");
  EXPECT_EQ(version.sha256(), Hex("weights"));
  EXPECT_EQ(version.state(), "published");
  EXPECT_TRUE(version.batched());
  EXPECT_EQ(version.inputs(0).shape(0), -1);
  EXPECT_TRUE(Decide(*public_edge, root, "teacher/iris").allowed);
  EXPECT_EQ(FilesBelow("staging"), 0u);
  EXPECT_EQ(FilesBelow("blobs"), 1u);
  const auto shown = Do(root, ShowModel("iris")).model();
  EXPECT_EQ(shown.card(), "# Iris");
  EXPECT_EQ(shown.default_version(), "1");
}

TEST_F(PublishingTest, TheInspectorGetsReadOnlyDescriptorsOfTheFiles) {
  const Files files = {{"m.onnx", "graph"}, {"weights/0.bin", "numbers"}};
  const auto answer = Ask(root, PublishRequest(Upload(root, files), "iris"));
  ASSERT_EQ(answer.code(), 0u) << answer.message();
  ASSERT_EQ(inspector->jobs.size(), 1u);
  const rpc::InspectJob& job = inspector->jobs[0];
  ASSERT_EQ(job.files_size(), 2);
  EXPECT_TRUE(job.files(0).is_graph());
  EXPECT_EQ(job.files(1).path(), "weights/0.bin");
  ASSERT_EQ(inspector->fds.size(), 2u);
  char bytes[8] = {};
  EXPECT_EQ(::pread(inspector->fds[1].get(), bytes, 7, 0), 7);
  EXPECT_STREQ(bytes, "numbers");
  EXPECT_LT(::write(inspector->fds[1].get(), "x", 1), 0);
  // api/formats/manifest.md
  const std::string manifest = Hex("graph") + "  m.onnx\n" + Hex("numbers") + "  weights/0.bin\n";
  EXPECT_EQ(answer.published().model().versions(0).sha256(), Hex(manifest));
}

TEST_F(PublishingTest, TheSameBytesAgainChangeNothing) {
  const auto first = Publish(root, "iris", "weights", "v1").published();
  for (const char* label : {"v1", ""}) {
    const auto again = Publish(root, "teacher/iris", "weights", label);
    ASSERT_EQ(again.code(), 0u) << again.message();
    EXPECT_TRUE(again.published().already_published());
    EXPECT_EQ(again.published().model().versions(0).id(), first.model().versions(0).id());
  }
  EXPECT_EQ(supervisor.inspections.size(), 1u);
  EXPECT_EQ(FilesBelow("staging"), 0u);
}

TEST_F(PublishingTest, OtherBytesUnderATakenLabelAreRefused) {
  Publish(root, "iris", "weights", "v1");
  const auto other = Publish(root, "iris", "others", "v1");
  EXPECT_EQ(CodeOf(other), Code::kAlreadyExists);
  EXPECT_THAT(other.message(), HasSubstr("--version"));
  EXPECT_EQ(FilesBelow("staging"), 0u);
  EXPECT_EQ(FilesBelow("blobs"), 1u);
  // Without a label the next whole number is taken, and the newest is the default.
  EXPECT_EQ(Publish(root, "iris", "others").published().model().versions(0).version(), "1");
  EXPECT_EQ(Do(root, ShowModel("iris")).model().default_version(), "1");
}

TEST_F(PublishingTest, RefusedFilesLeaveNothing) {
  report = rpc::InspectReport();
  report->set_code(static_cast<uint32_t>(Code::kInvalidArgument));
  report->set_message("node \"Conv_3\": input \"w\" is produced by nothing");
  const auto refused = Publish(root, "iris", "weights");
  EXPECT_EQ(CodeOf(refused), Code::kInvalidArgument);
  EXPECT_EQ(refused.message(), "node \"Conv_3\": input \"w\" is produced by nothing");
  ExpectNothingLeft();
}

TEST_F(PublishingTest, AnInspectorThatDiesRefusesTheFile) {
  report.reset();
  supervisor.on_inspect = [this](uint32_t number) {
    loop.After(20, [this, number] { operations->PeerGone({ProcessKind::kInspector, number}); });
    loop.Post([this, number] { RunInspector(number); });
  };
  const auto refused = Publish(root, "iris", "weights");
  EXPECT_EQ(CodeOf(refused), Code::kInvalidArgument);
  EXPECT_THAT(refused.message(), HasSubstr("memory or time"));
  ExpectNothingLeft();
}

// The inspector has read a foreign file and may be taken over by it.
TEST_F(PublishingTest, ReportsThatCannotBeTrueAreRefused) {
  report->mutable_inputs(0)->set_datatype(99);
  EXPECT_NE(Publish(root, "iris", "weights").code(), 0u);
  ExpectNothingLeft();
  report = GoodReport();
  for (int i = 0; i < 300; ++i) *report->add_inputs() = report->inputs(0);
  EXPECT_NE(Publish(root, "iris", "weights").code(), 0u);
  ExpectNothingLeft();
}

TEST_F(PublishingTest, ACallerWhoLostItsTokenMeanwhileDoesNotPublish) {
  const std::string prof = Enrol(root, "prof", "owner");
  report.reset();
  const uint64_t id = Submit(*control, prof, PublishRequest(Upload(prof, {{"m.onnx", "weights"}}), "iris"));
  ASSERT_TRUE(RunUntil([&] { return inspector && !inspector->jobs.empty(); }));
  rpc::Request revoke;
  revoke.mutable_revoke_subject()->set_subject("prof");
  Do(root, revoke);
  rpc::ToCustodian message;
  *message.mutable_inspect_report() = GoodReport();
  inspector->Send(message);
  ASSERT_TRUE(RunUntil([&] { return control->responses.contains(id); }));
  EXPECT_EQ(CodeOf(control->responses[id]), Code::kUnauthenticated);
  ExpectNothingLeft();
}

TEST_F(PublishingTest, AnEdgeThatDiesEndsItsPublishesAndUploadsStay) {
  report.reset();
  Submit(*control, root, PublishRequest(Upload(root, {{"m.onnx", "weights"}}), "iris"));
  Upload(root, {{"m.onnx", "more"}});
  ASSERT_TRUE(RunUntil([&] { return inspector && !inspector->jobs.empty(); }));
  operations->PeerGone(kControl);
  ExpectNothingLeft();
  EXPECT_EQ(supervisor.kills.back().kind, ProcessKind::kInspector);
  control = Join(kControl);
  rpc::Request list;
  list.mutable_list_uploads();
  const auto uploads = Do(root, list).uploads();
  ASSERT_EQ(uploads.uploads_size(), 2);
  EXPECT_FALSE(uploads.uploads(0).in_use());
}

// What a custodian that was killed leaves behind at each step goes at the next start.
TEST_F(PublishingTest, StagedBytesAndUnusedBlobsAreSweptAtStart) {
  Publish(root, "iris", "weights");
  auto unused = blobs->Stage().value();  // killed between the commit of the bytes and that of the version
  ASSERT_TRUE(unused->Append(AsBytes("unused")));
  ASSERT_TRUE(unused->Finish());
  ASSERT_TRUE(unused->Commit());
  unused.reset();
  std::ofstream(folder / "staging" / "left-over") << "x";
  EXPECT_EQ(FilesBelow("blobs"), 2u);
  Restart();
  EXPECT_EQ(FilesBelow("staging"), 0u);
  EXPECT_EQ(FilesBelow("blobs"), 1u);
  EXPECT_TRUE(Decide(*public_edge, root, "teacher/iris").allowed);
}

TEST_F(PublishingTest, NamedFilesMustMakeAModel) {
  std::string uploads[3];
  for (std::string& upload : uploads) upload = Upload(root, {{"any", "x"}})[0].second;
  const std::vector<Uploaded> refused = {
      {},
      {{"../m.onnx", uploads[0]}},
      {{"/m.onnx", uploads[0]}},
      {{"m.onnx", "none"}},
      {{"m.onnx", uploads[0]}, {"w.bin", uploads[0]}},
      {{"m.onnx", uploads[0]}, {"M.onnx", uploads[1]}},
      {{"m.onnx", uploads[0]}, {"r\xc3\xa9s", uploads[1]}, {"re\xcc\x81s", uploads[2]}},
      {{"m.onnx", uploads[0]}, {"n.onnx", uploads[1]}},
      {{"m.bin", uploads[0]}, {"n.bin", uploads[1]}},
      {{"m.onnx", uploads[0]}, {"a", uploads[1]}, {"A/b", uploads[2]}},
  };
  for (const auto& files : refused) {
    const auto answer = Ask(root, PublishRequest(files, "iris"));
    EXPECT_NE(answer.code(), 0u) << (files.empty() ? "" : files.back().first);
  }
  EXPECT_EQ(Ask(root, PublishRequest({{"model.bin", uploads[0]}}, "iris")).code(), 0u)
      << "a single file may have any name";
  Uploaded many;
  for (size_t i = 0; i <= kPublishedFilesMax; ++i) many.emplace_back(std::to_string(i), uploads[1]);
  EXPECT_THAT(Ask(root, PublishRequest(many, "iris")).message(), HasSubstr("all_tensors_to_one_file"));
}

TEST_F(PublishingTest, WhatIsNotPublishedStaysAndCanBePublishedThen) {
  report = rpc::InspectReport();
  report->set_code(static_cast<uint32_t>(Code::kInvalidArgument));
  const Uploaded uploaded = Upload(root, {{"m.onnx", "weights"}});
  EXPECT_NE(Ask(root, PublishRequest(uploaded, "iris")).code(), 0u);
  report = GoodReport();
  EXPECT_EQ(Ask(root, PublishRequest(uploaded, "iris")).code(), 0u);
  EXPECT_EQ(CodeOf(Ask(root, PublishRequest(uploaded, "again"))), Code::kNotFound);
  EXPECT_EQ(FilesBelow("uploads"), 0u);
}

TEST_F(PublishingTest, AnnouncedDigestsAreChecked) {
  rpc::Request request = PublishRequest(Upload(root, {{"m.onnx", "abd"}}), "iris");
  request.mutable_publish()->mutable_files(0)->set_sha256(Hex("abc"));
  EXPECT_THAT(Ask(root, request).message(), HasSubstr("changed on its way"));
  request.mutable_publish()->mutable_files(0)->set_sha256(Hex("abd"));
  EXPECT_EQ(Ask(root, request).code(), 0u);
}

TEST_F(PublishingTest, NamesAndLabelsAreChecked) {
  for (const auto& [name, label] : {std::pair("infer", ""), {"Iris", ""}, {"", ""}, {"iris", "a b"}}) {
    const Uploaded upload = Upload(root, {{"m.onnx", "weights"}});
    EXPECT_EQ(CodeOf(Ask(root, PublishRequest(upload, name, label))), Code::kInvalidArgument) << name;
  }
  ExpectNothingLeft();
}

TEST_F(PublishingTest, RetiredVersionsAreNotCalledAndTheDefaultMoves) {
  Publish(root, "iris", "one");
  Publish(root, "iris", "two");
  Do(root, OnVersion(&rpc::Request::mutable_set_default, "iris", "1"));
  EXPECT_EQ(Do(root, ShowModel("iris")).model().default_version(), "1");
  const auto after = Do(root, OnVersion(&rpc::Request::mutable_retire, "iris", "1")).model();
  EXPECT_EQ(after.default_version(), "2");
  EXPECT_EQ(Decide(*public_edge, root, "teacher/iris", "1").reason, access::Reason::kRetired);
  EXPECT_TRUE(Decide(*public_edge, root, "teacher/iris").allowed);
  EXPECT_EQ(CodeOf(Ask(root, OnVersion(&rpc::Request::mutable_set_default, "iris", "1"))),
            Code::kFailedPrecondition);
  EXPECT_EQ(CodeOf(Publish(root, "iris", "one", "1")), Code::kAlreadyExists);
  Do(root, OnVersion(&rpc::Request::mutable_retire, "iris", "1"));
  Do(root, OnVersion(&rpc::Request::mutable_retire, "iris", "2"));
  EXPECT_EQ(Do(root, ShowModel("iris")).model().default_version(), "");
}

TEST_F(PublishingTest, ErasedBytesAreGoneUnlessAnotherVersionHasThem) {
  Publish(root, "iris", "one");
  Publish(root, "iris", "two");
  Publish(root, "copy", "two");
  Do(root, OnVersion(&rpc::Request::mutable_erase, "iris", "1"));
  EXPECT_FALSE(blobs->Open(Sha256(AsBytes("one"))));
  Do(root, OnVersion(&rpc::Request::mutable_erase, "iris", "2"));
  EXPECT_TRUE(blobs->Open(Sha256(AsBytes("two"))));
  const auto model = Do(root, ShowModel("iris")).model();
  ASSERT_EQ(model.versions_size(), 2);
  EXPECT_EQ(model.versions(0).state(), "erased");
  EXPECT_THAT(model.versions(0).note(), HasSubstr("erased at 20"));
  EXPECT_EQ(public_edge->table.FindModel("teacher/iris")->versions.size(), 0u);
}

TEST_F(PublishingTest, LearnersSeeTheVersionsTheyMayCall) {
  Publish(root, "iris", "one");
  Publish(root, "iris", "two");
  const std::string ada = Enrol(root, "ada");
  Do(root, CreateGrant("ada", "iris@1"));
  auto model = Do(ada, ShowModel("teacher/iris")).model();
  ASSERT_EQ(model.versions_size(), 1);
  EXPECT_EQ(model.versions(0).version(), "1");
  EXPECT_EQ(model.default_version(), "");
  EXPECT_EQ(CodeOf(Ask(ada, ShowModel("iris@2"))), Code::kNotFound);
  Do(root, CreateGrant("ada", "iris"));
  EXPECT_EQ(Do(ada, ShowModel("iris")).model().default_version(), "2");
}

TEST_F(PublishingTest, ManyPublishesAtOnceAllEnd) {
  std::vector<uint64_t> ids;
  report.reset();
  std::vector<std::unique_ptr<FakePeer>> inspectors;
  supervisor.on_inspect = [&](uint32_t number) {
    loop.Post([&, number] { inspectors.push_back(Connect({ProcessKind::kInspector, number})); });
  };
  for (int i = 0; i < 5; ++i)
    ids.push_back(
        Submit(*control, root,
               PublishRequest(Upload(root, {{"m.onnx", std::string(1, static_cast<char>('a' + i))}}),
                              "m" + std::to_string(i))));
  RunFor(50);
  EXPECT_EQ(supervisor.inspections.size(), Inspections::kAtOnce);
  for (size_t i = 0; i < ids.size(); ++i) {
    ASSERT_TRUE(RunUntil([&] { return inspectors.size() > i && !inspectors[i]->jobs.empty(); }));
    rpc::ToCustodian message;
    *message.mutable_inspect_report() = GoodReport();
    inspectors[i]->Send(message);
    ASSERT_TRUE(RunUntil([&] { return control->responses.contains(ids[i]); }));
    EXPECT_EQ(control->responses[ids[i]].code(), 0u);
  }
}

TEST_F(PublishingTest, AnInspectorOfTheLastCustodianIsNotOurs) {
  ASSERT_EQ(Publish(root, "first", "weights").code(), 0u);
  const uint32_t last = supervisor.inspections.back();
  Restart();
  ASSERT_EQ(Publish(root, "second", "more").code(), 0u);
  EXPECT_NE(supervisor.inspections.back(), last);
}

}  // namespace
}  // namespace glasscase::operations::testing
