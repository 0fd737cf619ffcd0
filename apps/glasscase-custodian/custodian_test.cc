// Making an installation, and copying it: what the modes of the program do.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <glasscase/blobs_filesystem/filesystem_blob_store.h>
#include <glasscase/catalog/testing/rows.h>
#include <glasscase/catalog_sqlite/sqlite_catalog.h>
#include <glasscase/core/ids.h>
#include <glasscase/crypto/sha256.h>

#include "backup.h"
#include "data_directory.h"
#include "initialise.h"

namespace glasscase::custodian {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class CustodianTest : public ::testing::Test {
 protected:
  CustodianTest() { fs::create_directory(folder); }
  ~CustodianTest() override { fs::remove_all(folder); }

  Result<boost::json::object> Init(InitialiseOptions options) {
    options.directory = data;
    GC_TRY(const std::string said, Initialise(options, clock, random));
    return boost::json::parse(said).as_object();
  }
  std::unique_ptr<catalog::Catalog> OpenCatalog(const std::string& directory) {
    return catalog::OpenSqliteCatalog(directory + "/catalog.db", clock).value();
  }
  // One model with one file, as a publish leaves it.
  void PutModel(std::string_view name, std::string_view bytes) {
    auto store = blobs::OpenFilesystemBlobStore(OpenFolder(data).value(), {.sweep_staging = false}).value();
    auto staged = store->Stage().value();
    ASSERT_TRUE(staged->Append(AsBytes(bytes)));
    const Digest digest = staged->Finish().value();
    ASSERT_TRUE(staged->Commit());
    auto catalog = OpenCatalog(data);
    const auto owner = catalog->FindSubjectCalled("owner").value().value();
    const auto model = catalog::testing::SomeModel(owner.id, std::string(name));
    const auto version = catalog::testing::SomeVersion(model, "1");
    auto transaction = catalog->Begin().value();
    ASSERT_TRUE(transaction->InsertModel(model));
    ASSERT_TRUE(transaction->InsertVersion(
        version, {{.path = "m.onnx", .bytes = bytes.size(), .sha256 = digest, .is_graph = true}}));
    ASSERT_TRUE(transaction->Commit());
  }
  // Every file's path and bytes, but for what belongs to a running process.
  std::map<std::string, std::string> Contents(const fs::path& directory) {
    std::map<std::string, std::string> contents;
    for (const auto& entry : fs::recursive_directory_iterator(directory)) {
      const std::string name = fs::relative(entry.path(), directory);
      if (!entry.is_regular_file() || name.starts_with("catalog.db") || name == "backup.json") continue;
      std::ifstream file(entry.path());
      std::stringstream text;
      text << file.rdbuf();
      contents[name] = text.str();
    }
    return contents;
  }

  const fs::path folder = fs::temp_directory_path() / ("gc-custodian-" + Uuid::Random().ToString());
  const std::string data = folder / "parent" / "data";
  const std::string out = folder / "backup";
  const std::string restored = folder / "restored";
  SystemClock clock;
  SystemRandom random;
};

TEST_F(CustodianTest, InitialisingMakesAnInstallationOnce) {
  const auto made = Init({}).value();
  EXPECT_TRUE(made.at("created").as_bool());
  EXPECT_EQ(made.at("subject").as_string(), "owner");
  EXPECT_THAT(std::string(made.at("token").as_string()), ::testing::StartsWith("gct_"));
  const auto again = Init({.owner = "other"}).value();
  EXPECT_FALSE(again.at("created").as_bool());
  EXPECT_EQ(again.at("subject").as_string(), "owner");
  EXPECT_EQ(again.at("installation"), made.at("installation"));
  EXPECT_FALSE(again.contains("token"));
  const auto token = Init({.new_token = true}).value();
  EXPECT_NE(token.at("token"), made.at("token"));
}

TEST_F(CustodianTest, TheDataDirectoryIsItsUsersAlone) {
  ASSERT_TRUE(Init({}));
  EXPECT_EQ(fs::status(data).permissions(), fs::perms::owner_all);
  struct stat facts {};
  ASSERT_EQ(::stat(data.c_str(), &facts), 0);
  const uid_t expected = ::geteuid() == 0 ? 60601 : ::geteuid();
  EXPECT_EQ(facts.st_uid, expected);
  for (const auto& entry : fs::recursive_directory_iterator(data)) {
    ASSERT_EQ(::stat(entry.path().c_str(), &facts), 0);
    EXPECT_EQ(facts.st_uid, expected) << entry.path();
  }
}

// They are the supervisor's: the confined custodian cannot read the key of the edges' certificate.
TEST_F(CustodianTest, CertificateAndSettingsStayWithWhoeverMadeThem) {
  ASSERT_TRUE(Init({}));
  fs::create_directory(fs::path(data) / "tls");
  std::ofstream(fs::path(data) / "tls" / "key.pem") << "key";
  ASSERT_TRUE(Init({}));
  struct stat facts {};
  ASSERT_EQ(::stat((fs::path(data) / "tls" / "key.pem").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_uid, ::geteuid());
}

TEST_F(CustodianTest, DirectoriesWithOtherThingsAreRefused) {
  fs::create_directories(data);
  std::ofstream(fs::path(data) / "thesis.tex") << "x";
  EXPECT_FALSE(Init({}));
  EXPECT_FALSE(fs::exists(fs::path(data) / "catalog.db"));
}

TEST_F(CustodianTest, BadOwnersNamesAreRefused) { EXPECT_FALSE(Init({.owner = "Ada Lovelace"})); }

TEST_F(CustodianTest, ARestoredBackupEqualsTheOriginal) {
  ASSERT_TRUE(Init({}));
  PutModel("iris", "weights");
  PutModel("copy", "weights");
  PutModel("mnist", "digits");
  std::ofstream(fs::path(data) / "glasscase.conf") << "tls-cert = tls/cert.pem\n";
  const auto catalog = OpenCatalog(data);  // as while it is served
  ASSERT_TRUE(BackUp(data, out, {}, clock));
  const Status done = Restore(out, restored, clock);
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(Contents(restored), Contents(data));
  EXPECT_EQ(Contents(restored).size(),
            7u);  // two blobs, the settings, the ledger's key and policy, the other key
  const auto copy = OpenCatalog(restored);
  const auto owner = copy->FindSubjectCalled("owner").value().value();
  for (const char* name : {"iris", "copy", "mnist"}) {
    const auto model = copy->FindModelCalled(owner.id, name).value().value();
    const auto original = catalog->FindModelCalled(owner.id, name).value().value();
    EXPECT_EQ(model.id, original.id);
    EXPECT_EQ(copy->FilesOf(copy->VersionsOf(model.id).value()[0].id).value(),
              catalog->FilesOf(catalog->VersionsOf(original.id).value()[0].id).value());
  }
  EXPECT_EQ(copy->Setting("installation").value(), catalog->Setting("installation").value());
}

TEST_F(CustodianTest, NothingIsOverwritten) {
  ASSERT_TRUE(Init({}));
  ASSERT_TRUE(BackUp(data, out, {}, clock));
  EXPECT_EQ(BackUp(data, out, {}, clock).error().code(), Code::kAlreadyExists);
  EXPECT_EQ(Restore(out, data, clock).error().code(), Code::kAlreadyExists);
  EXPECT_FALSE(fs::exists(out + ".unfinished"));
}

TEST_F(CustodianTest, DamagedBlobsStopTheBackup) {
  ASSERT_TRUE(Init({}));
  PutModel("iris", "weights");
  const std::string hex = ToHex(Sha256(AsBytes("weights")));
  const fs::path blob = fs::path(data) / "blobs" / "sha256" / hex.substr(0, 2) / hex;
  fs::permissions(blob, fs::perms::owner_all);
  std::ofstream(blob) << "weightz";
  EXPECT_EQ(BackUp(data, out, {}, clock).error().code(), Code::kDataLoss);
  EXPECT_FALSE(fs::exists(out));
  EXPECT_FALSE(fs::exists(out + ".unfinished"));
}

TEST_F(CustodianTest, DamagedOrForgedBackupsAreRefusedBeforeAnythingIsWritten) {
  ASSERT_TRUE(Init({}));
  PutModel("iris", "weights");
  ASSERT_TRUE(BackUp(data, out, {}, clock));
  std::ifstream index_file(fs::path(out) / "backup.json");
  std::stringstream text;
  text << index_file.rdbuf();
  const std::string good = text.str();
  const auto with_index = [&](const std::string& index) {
    std::ofstream(fs::path(out) / "backup.json") << index;
    const Status status = Restore(out, restored, clock);
    EXPECT_FALSE(fs::exists(restored));
    return status ? std::string() : status.error().message();
  };
  EXPECT_THAT(with_index("{"), HasSubstr("damaged"));
  EXPECT_THAT(with_index(R"({"format":2,"files":{}})"), HasSubstr("another version"));
  EXPECT_THAT(with_index(R"({"format":1,"files":{"catalog.db":"00","../../etc/cron.d/x":"00"}})"),
              HasSubstr("none of ours"));
  EXPECT_THAT(with_index(R"({"format":1,"files":{}})"), HasSubstr("no catalog"));
  std::ofstream(fs::path(out) / "backup.json") << good;
  std::ofstream(fs::path(out) / "catalog.db", std::ios::app) << "x";
  EXPECT_THAT(with_index(good), HasSubstr("damaged"));
}

}  // namespace
}  // namespace glasscase::custodian
