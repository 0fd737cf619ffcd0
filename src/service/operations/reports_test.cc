// What hosts and edges tell: models needed, models at fault, decisions made.
#include "reports.h"

#include <gmock/gmock.h>

#include <glasscase/access/audit.h>

#include "bench_test.h"

namespace glasscase::operations::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ReportsTest : public OperationsTest {
 protected:
  ReportsTest() {
    version = Uuid::Parse(Publish(root, "iris", "weights").published().model().versions(0).id()).value();
    host = Join({ProcessKind::kHost, 0});
  }
  rpc::ModelFiles Need(FakePeer& from, const Uuid& id) {
    rpc::ToCustodian message;
    message.mutable_need_model()->set_version(std::string(id.AsBytes()));
    from.Send(message);
    const size_t before = from.model_files.size();
    EXPECT_TRUE(RunUntil([&] { return from.model_files.size() > before; }));
    return from.model_files.back();
  }
  // One life of the host that ends by the fault of the version.
  void Fault(const Uuid& id) {
    rpc::ToCustodian message;
    message.mutable_model_fault()->set_version(std::string(id.AsBytes()));
    message.mutable_model_fault()->set_reason("the call passed its deadline of 30 s");
    host->Send(message);
    RunFor(20);
    operations->PeerGone({ProcessKind::kHost, 0});
    host = Join({ProcessKind::kHost, 0});
  }
  void SendRecords(FakePeer& from, const std::vector<access::AuditRecord>& records) {
    rpc::ToCustodian message;
    message.mutable_audit()->set_records(
        std::string(reinterpret_cast<const char*>(records.data()), records.size() * sizeof records[0]));
    from.Send(message);
    RunFor(20);
    operations->Flush();
  }
  access::AuditRecord Record(access::Stage stage) {
    access::AuditRecord record;
    record.time_micros = clock.WallMicros();
    record.subject = catalog->FindSubjectCalled("teacher").value()->id;
    record.token =
        catalog->FindTokenByDigest(access::CredentialDigest(access::CustodianCredential(root))).value()->id;
    record.stage = stage;
    record.reason = access::Reason::kAllowedToOwner;
    record.allowed = 1;
    record.route = 1000;
    record.SetObject("teacher/iris");
    return record;
  }

  Uuid version;
};

TEST_F(ReportsTest, HostsGetTheFilesOfTheirOwnersVersions) {
  const auto files = Need(*host, version);
  ASSERT_EQ(files.code(), 0u) << files.message();
  ASSERT_EQ(files.files_size(), 1);
  EXPECT_EQ(files.files(0).bytes(), 7u);
  ASSERT_EQ(host->fds.size(), 1u);
  char bytes[8] = {};
  EXPECT_EQ(::pread(host->fds[0].get(), bytes, 7, 0), 7);
  EXPECT_STREQ(bytes, "weights");
}

TEST_F(ReportsTest, HostsGetNothingOfOtherOwners) {
  const std::string prof = Enrol(root, "prof", "owner");
  const auto others = Join({ProcessKind::kHost, 1});
  EXPECT_EQ(Need(*others, version).code(), static_cast<uint32_t>(Code::kNotFound));
  EXPECT_EQ(Need(*host, Uuid::Random()).code(), static_cast<uint32_t>(Code::kNotFound));
  EXPECT_TRUE(others->fds.empty());
}

TEST_F(ReportsTest, ThreeFaultsDisableAVersionUntilItsOwnerSaysOtherwise) {
  Fault(version);
  Fault(version);
  EXPECT_TRUE(Decide(*public_edge, root, "teacher/iris").allowed);
  Fault(version);
  ASSERT_TRUE(RunUntil([&] { return !Decide(*public_edge, root, "teacher/iris").allowed; }));
  EXPECT_EQ(Decide(*public_edge, root, "teacher/iris").reason, access::Reason::kDisabled);
  EXPECT_EQ(Decide(*host, root, "teacher/iris").reason, access::Reason::kDisabled);
  const auto shown = Do(root, ShowModel("iris")).model().versions(0);
  EXPECT_EQ(shown.state(), "disabled");
  EXPECT_THAT(shown.note(), HasSubstr("deadline of 30 s"));

  Restart();
  EXPECT_EQ(Decide(*public_edge, root, "teacher/iris").reason, access::Reason::kDisabled);
  Do(root, OnVersion(&rpc::Request::mutable_set_default, "iris", "1"));
  EXPECT_TRUE(Decide(*public_edge, root, "teacher/iris").allowed);
}

TEST_F(ReportsTest, OneLifeOfAHostCountsOnce) {
  rpc::ToCustodian message;
  message.mutable_model_fault()->set_version(std::string(version.AsBytes()));
  for (int i = 0; i < 5; ++i) host->Send(message);
  RunFor(50);
  EXPECT_EQ(catalog->FindVersion(version).value()->faults, 1u);
}

TEST_F(ReportsTest, HostsCannotDisableOtherOwnersVersions) {
  Enrol(root, "prof", "owner");
  const auto others = Join({ProcessKind::kHost, 1});
  rpc::ToCustodian message;
  message.mutable_model_fault()->set_version(std::string(version.AsBytes()));
  others->Send(message);
  RunFor(50);
  EXPECT_EQ(catalog->FindVersion(version).value()->faults, 0u);
}

TEST_F(ReportsTest, DecisionsOfEdgesAndHostsAreInTheLog) {
  SendRecords(*public_edge, {Record(access::Stage::kPublicEdge)});
  access::AuditRecord permits = Record(access::Stage::kHost);
  permits.count = 812;
  SendRecords(*host, {permits});
  EXPECT_THAT(AuditText(), HasSubstr("\"stage\":\"public_edge\",\"route\":\"infer\""));
  EXPECT_THAT(AuditText(), HasSubstr("\"subject_name\":\"teacher\""));
  EXPECT_THAT(AuditText(), HasSubstr("\"reason\":\"allowed_to_owner\",\"count\":812"));
}

// Whoever sends them may be taken over.
TEST_F(ReportsTest, RecordsThatCannotBeTrueAreDropped) {
  const std::string before = AuditText();
  std::vector<access::AuditRecord> records(6, Record(access::Stage::kPublicEdge));
  records[0].stage = access::Stage::kHost;
  records[1].object_bytes = 71;
  records[2].reason = static_cast<access::Reason>(99);
  records[3].allowed = 2;
  records[4].time_micros += int64_t{3600} * 1'000'000;
  records[5].count = 0;
  SendRecords(*public_edge, records);
  rpc::ToCustodian cut;
  cut.mutable_audit()->set_records("short");
  public_edge->Send(cut);
  RunFor(20);
  operations->Flush();
  EXPECT_EQ(AuditText(), before);
}

TEST_F(ReportsTest, UsesReportedByEdgesReachTheCatalog) {
  const auto record = Record(access::Stage::kPublicEdge);
  SendRecords(*public_edge, {record});
  EXPECT_GE(catalog->FindToken(record.token).value()->last_used_micros, record.time_micros);
}

}  // namespace
}  // namespace glasscase::operations::testing
