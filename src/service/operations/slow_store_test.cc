// A blob store that waits for a network: what goes on meanwhile.
#include <atomic>
#include <condition_variable>
#include <mutex>

#include "bench_test.h"

namespace glasscase::operations::testing {
namespace {

// Stands for the network: what needs it waits while it stalls.
class Network {
 public:
  void Stall() { Set(true); }
  void GoOn() { Set(false); }
  void Use() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.wait(lock, [this] { return !stalls_; });
    --waiting_;
  }
  int waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

 private:
  void Set(bool stalls) {
    const std::lock_guard lock(mutex_);
    stalls_ = stalls;
    changed_.notify_all();
  }
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  bool stalls_ = false;
  int waiting_ = 0;
};

class DistantBlob final : public blobs::PartialBlob {
 public:
  DistantBlob(std::unique_ptr<blobs::PartialBlob> near, Network& network)
      : near_(std::move(near)), network_(network) {}
  Status Append(ByteSpan bytes) override { return near_->Append(bytes); }
  uint64_t bytes() const override { return near_->bytes(); }
  Result<Digest> Finish() override { return near_->Finish(); }
  Result<Fd> Open() const override { return near_->Open(); }
  Status Commit() override {
    network_.Use();
    return near_->Commit();
  }
  Status Keep() override { return near_->Keep(); }
  uint64_t kept() const override { return near_->kept(); }
  Status CutToKept() override { return near_->CutToKept(); }
  Result<uint64_t> DigestSome() override { return near_->DigestSome(); }
  Status Discard() override { return near_->Discard(); }

 private:
  std::unique_ptr<blobs::PartialBlob> near_;
  Network& network_;
};

class DistantStore final : public blobs::BlobStore {
 public:
  DistantStore(std::unique_ptr<blobs::BlobStore> near, Network& network)
      : near_(std::move(near)), network_(network) {}
  bool MayWait() const override { return true; }
  Result<std::unique_ptr<blobs::StagedBlob>> Stage() override { return near_->Stage(); }
  Result<std::unique_ptr<blobs::PartialBlob>> StagePartial(const Uuid& id, std::string_view note) override {
    GC_TRY(auto near, near_->StagePartial(id, note));
    return std::make_unique<DistantBlob>(std::move(near), network_);
  }
  Result<std::unique_ptr<blobs::PartialBlob>> ResumePartial(const Uuid& id) override {
    GC_TRY(auto near, near_->ResumePartial(id));
    return std::make_unique<DistantBlob>(std::move(near), network_);
  }
  Result<std::vector<blobs::PartialInfo>> Partials() const override { return near_->Partials(); }
  Result<Fd> Open(const Digest& sha256) const override {
    network_.Use();
    return near_->Open(sha256);
  }
  Result<uint64_t> Size(const Digest& sha256) const override { return near_->Size(sha256); }
  Status Remove(const Digest& sha256) override {
    network_.Use();
    return near_->Remove(sha256);
  }
  Result<std::vector<blobs::BlobInfo>> List() const override {
    network_.Use();
    return near_->List();
  }
  Result<uint64_t> BytesFree() const override { return near_->BytesFree(); }

 private:
  std::unique_ptr<blobs::BlobStore> near_;
  Network& network_;
};

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
