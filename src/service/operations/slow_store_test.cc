// A blob store that waits for a network: what goes on meanwhile.
#include "bench_test.h"
#include "distant_store_test.h"

namespace glasscase::operations::testing {
namespace {

class SlowStoreTest : public OperationsTest {
 protected:
  SlowStoreTest() {
    make_blobs = [this] {
      return std::make_unique<DistantStore>(blobs::OpenFilesystemBlobStore(Folder("")).value(), network);
    };
    Restart();
    EXPECT_EQ(Publish(root, "iris", "weights").code(), 0u);
    Enrol(root, "ada");
  }
  ~SlowStoreTest() override {
    network.GoOn();
    public_edge.reset();
    control.reset();
    operations.reset();  // which uses the network
  }

  void ExpectThatARevocationDoesNotWait() {
    const std::string grant = Do(root, CreateGrant("ada", "iris")).grant().id();
    const int64_t begun = clock.MonotonicNanos();
    Do(root, RevokeGrant(grant));
    EXPECT_LT(clock.MonotonicNanos() - begun, 250'000'000);
  }
  uint64_t SubmitPublish(std::string_view name, std::string_view bytes) {
    return Submit(*control, root, PublishRequest(Upload(root, {{"m.onnx", std::string(bytes)}}), name));
  }
  bool IsAnswered(uint64_t id) {
    return RunUntil([&] { return control->responses.contains(id); });
  }

  Network network;
};

TEST_F(SlowStoreTest, ARevocationDoesNotWaitForAnUpload) {
  network.Stall();
  const uint64_t id = SubmitPublish("slow", "other weights");
  ASSERT_TRUE(RunUntil([&] { return network.waiting() == 1; }));
  ExpectThatARevocationDoesNotWait();
  EXPECT_FALSE(control->responses.contains(id));
  EXPECT_EQ(CodeOf(Ask(root, ShowModel("slow"))), Code::kNotFound) << "not there before its bytes are";
  network.GoOn();
  ASSERT_TRUE(IsAnswered(id));
  EXPECT_EQ(control->responses[id].code(), 0u) << control->responses[id].message();
  EXPECT_EQ(Do(root, ShowModel("slow")).model().versions_size(), 1);
}

TEST_F(SlowStoreTest, ARevocationDoesNotWaitForARemoval) {
  network.Stall();
  const uint64_t id = Submit(*control, root, OnVersion(&rpc::Request::mutable_erase, "iris", "1"));
  ASSERT_TRUE(RunUntil([&] { return network.waiting() == 1; }));
  Do(root, AddSubject("bob"));
  EXPECT_FALSE(control->responses.contains(id)) << "erased is what is gone from the bucket";
  network.GoOn();
  ASSERT_TRUE(IsAnswered(id));
  EXPECT_EQ(control->responses[id].code(), 0u);
}

TEST_F(SlowStoreTest, ARevocationDoesNotWaitForAHostsFiles) {
  const auto version = Do(root, ShowModel("iris")).model().versions(0).id();
  host = Join({ProcessKind::kHost, 0});
  network.Stall();
  rpc::ToCustodian message;
  message.mutable_need_model()->set_version(std::string(Uuid::Parse(version).value().AsBytes()));
  host->Send(message);
  ASSERT_TRUE(RunUntil([&] { return network.waiting() == 1; }));
  ExpectThatARevocationDoesNotWait();
  EXPECT_TRUE(host->model_files.empty());
  network.GoOn();
  ASSERT_TRUE(RunUntil([&] { return !host->model_files.empty(); }));
  EXPECT_EQ(host->fds.size(), 1u);
}

TEST_F(SlowStoreTest, BytesThatAreRemovedAndPublishedAgainAreThere) {
  network.Stall();
  const uint64_t erased = Submit(*control, root, OnVersion(&rpc::Request::mutable_erase, "iris", "1"));
  ASSERT_TRUE(RunUntil([&] { return network.waiting() == 1; }));
  const uint64_t published = SubmitPublish("again", "weights");
  RunFor(50);
  network.GoOn();
  ASSERT_TRUE(IsAnswered(erased));
  ASSERT_TRUE(IsAnswered(published));
  EXPECT_EQ(control->responses[published].code(), 0u) << control->responses[published].message();
  EXPECT_EQ(blobs->List().value().size(), 1u);
}

TEST_F(SlowStoreTest, ASecondPublishOfTheSameNameIsDecidedAfterTheFirst) {
  network.Stall();
  const uint64_t first = SubmitPublish("twice", "the same");
  ASSERT_TRUE(RunUntil([&] { return network.waiting() == 1; }));
  const uint64_t second = SubmitPublish("twice", "the same");
  RunFor(50);
  network.GoOn();
  ASSERT_TRUE(IsAnswered(first));
  ASSERT_TRUE(IsAnswered(second));
  EXPECT_TRUE(control->responses[second].published().already_published());
  EXPECT_EQ(Do(root, ShowModel("twice")).model().versions_size(), 1);
}

TEST_F(SlowStoreTest, AStartDoesNotWaitForTheSweepWhichTakesWhatIsUnusedWhenItCan) {
  auto unused = blobs->Stage().value();
  ASSERT_TRUE(unused->Append(AsBytes("unused")));
  ASSERT_TRUE(unused->Finish());
  ASSERT_TRUE(unused->Commit());
  unused.reset();
  network.Stall();
  Restart();
  ASSERT_TRUE(RunUntil([&] { return network.waiting() == 1; }));
  ExpectThatARevocationDoesNotWait();
  network.GoOn();
  EXPECT_TRUE(RunUntil([&] { return FilesBelow("blobs") == 1; }));
}

// ---- the seat ----

class SeatTest : public OperationsTest {
 protected:
  SeatTest() {
    EXPECT_EQ(Publish(root, "iris", "weights").code(), 0u);
    Enrol(root, "ada");
  }
};

TEST_F(SeatTest, WithoutItNobodyGetsALease) {
  holds_seat = false;
  const int64_t last = public_edge->lease_until_ns;
  RunFor(1'500);
  EXPECT_EQ(public_edge->lease_until_ns, last);
  const auto late = Connect({ProcessKind::kPublicEdge, 1});
  RunFor(100);
  EXPECT_EQ(late->lease_until_ns, 0);
  EXPECT_TRUE(supervisor.kills.empty());
  holds_seat = true;
  EXPECT_TRUE(RunUntil([&] { return late->lease_until_ns != 0 && public_edge->lease_until_ns > last; }));
}

TEST_F(SeatTest, WithoutItNoChangeIsAnswered) {
  holds_seat = false;
  const auto refused = Ask(root, CreateGrant("ada", "iris"));
  EXPECT_EQ(CodeOf(refused), Code::kUnavailable);
  holds_seat = true;
  EXPECT_EQ(Ask(root, CreateGrant("ada", "iris")).code(), 0u);
}

}  // namespace
}  // namespace glasscase::operations::testing
