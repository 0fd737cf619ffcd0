#include <glasscase/catalog_postgres/postgres_catalog.h>

#include <fstream>
#include <sstream>

#include <glasscase/catalog/testing/search_contract.h>

#include "postgres_fixture_test.h"

namespace glasscase::catalog::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ContractFixture final : public CatalogFixture {
 public:
  std::unique_ptr<Catalog> Open() override { return fixture_.Open(); }
  void SpoilSearch() override {
    fixture_.Alter(
        "DELETE FROM search_terms; INSERT INTO search_terms SELECT 'tag:spoilt', ordinal FROM models");
  }

 private:
  PostgresFixture fixture_;
};

INSTANTIATE_TEST_SUITE_P(Postgres, CatalogContract,
                         ::testing::Values(MakeFixture([] { return std::make_unique<ContractFixture>(); })));

INSTANTIATE_TEST_SUITE_P(Postgres, SearchContract,
                         ::testing::Values(MakeFixture([] { return std::make_unique<ContractFixture>(); })));

TEST(PostgresCatalogTest, MissingTablesAreNotMadeUnasked) {
  PostgresFixture fixture;
  EXPECT_EQ(fixture.TryOpen({}).error().code(), Code::kNotFound);
}

TEST(PostgresCatalogTest, CatalogsOfNewerProgramsAreRefused) {
  PostgresFixture fixture;
  auto catalog = fixture.Open();
  fixture.Alter("INSERT INTO schema_versions VALUES (" + std::to_string(PostgresSchemaVersion() + 1) +
                ", 0)");
  const auto opened = fixture.TryOpen();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Code::kFailedPrecondition);
  EXPECT_THAT(opened.error().message(), HasSubstr("newer Glasscase"));
  // Nor does an open one go on after it had to connect again.
  fixture.Alter(
      "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'glasscase'");
  EXPECT_EQ(catalog->Begin().error().code(), Code::kFailedPrecondition);
}

TEST(PostgresCatalogTest, SchemasOfOthersAreRefused) {
  PostgresFixture fixture;
  fixture.Alter("CREATE SCHEMA glasscase; CREATE TABLE glasscase.notes (text TEXT)");
  EXPECT_EQ(fixture.TryOpen().error().code(), Code::kFailedPrecondition);
}

TEST(PostgresCatalogTest, AnEmptySchemaAndOtherTablesNearbyAreFine) {
  PostgresFixture fixture;
  fixture.Alter("CREATE SCHEMA glasscase; CREATE TABLE public.subjects (text TEXT)");
  EXPECT_TRUE(fixture.TryOpen());
}

TEST(PostgresCatalogTest, DatabasesThatCannotKeepEveryTextAreRefused) {
  const std::string url =
      SharedServer().NewDatabase("ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
  const glasscase::testing::FakeClock clock;
  EXPECT_EQ(OpenPostgresCatalog(url, clock, {.create = true}).error().code(), Code::kFailedPrecondition);
}

TEST(PostgresCatalogTest, WrongConnectionStringsAreRefusedWithoutRepeatingThem) {
  const glasscase::testing::FakeClock clock;
  const auto misspelt = OpenPostgresCatalog("host=/nowhere password=sesame open", clock);
  EXPECT_EQ(misspelt.error().code(), Code::kInvalidArgument);
  EXPECT_THAT(misspelt.error().message(), Not(HasSubstr("sesame")));
  const auto nobody = OpenPostgresCatalog("host=/nowhere password=sesame", clock);
  EXPECT_EQ(nobody.error().code(), Code::kUnavailable);
  EXPECT_THAT(nobody.error().message(), Not(HasSubstr("sesame")));
}

TEST(PostgresCatalogTest, DamagedRowsStopTheStart) {
  const char* const damages[] = {
      "ALTER TABLE subjects DROP CONSTRAINT subjects_roles_check; UPDATE subjects SET roles = 64",
      "ALTER TABLE tokens DROP CONSTRAINT tokens_edge_digest_check;"
      "UPDATE tokens SET edge_digest = '\\x00'",
      "ALTER TABLE subjects ALTER name DROP NOT NULL; UPDATE subjects SET name = NULL",
      "ALTER TABLE subjects ALTER created TYPE TEXT",
      "SET session_replication_role TO replica; DELETE FROM subjects",
      "DROP TABLE lineage",
      "DELETE FROM catalog_state",
  };
  for (const char* damage : damages) {
    PostgresFixture fixture;
    {
      auto catalog = fixture.Open();
      const Subject ada = SomeSubject("ada");
      ASSERT_TRUE(Insert(*catalog, ada));
      auto transaction = catalog->Begin().value();
      ASSERT_TRUE(transaction->InsertToken(SomeToken(ada.id, 1)));
      ASSERT_TRUE(transaction->Commit());
    }
    fixture.Alter(damage);
    const auto opened = fixture.TryOpen();
    ASSERT_FALSE(opened) << damage;
    EXPECT_EQ(opened.error().code(), Code::kDataLoss) << damage << ": " << opened.error().message();
  }
}

// A trigger says what the server would say of its disk, its files or its end.
TEST(PostgresCatalogTest, FailuresOfTheServerAreTold) {
  const std::pair<const char*, Code> failures[] = {
      {"53100", Code::kResourceExhausted}, {"53200", Code::kResourceExhausted},
      {"53300", Code::kUnavailable},       {"XX001", Code::kDataLoss},
      {"XX002", Code::kDataLoss},          {"58030", Code::kInternal},
      {"57P01", Code::kUnavailable},       {"40001", Code::kUnavailable},
      {"23505", Code::kAlreadyExists},     {"42501", Code::kPermissionDenied},
      {"25006", Code::kPermissionDenied},  {"08006", Code::kUnavailable},
  };
  PostgresFixture fixture;
  auto catalog = fixture.Open();
  for (const auto& [state, code] : failures) {
    fixture.Alter(
        std::string("CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                    "RAISE EXCEPTION 'no' USING ERRCODE = '") +
        state +
        "'; END $$;"
        "CREATE OR REPLACE TRIGGER fail BEFORE INSERT ON subjects EXECUTE FUNCTION fail()");
    auto transaction = catalog->Begin().value();
    EXPECT_EQ(transaction->InsertSubject(SomeSubject("ada")).error().code(), code) << state;
    // The server takes nothing more in this transaction; that must not look like a commit.
    EXPECT_EQ(transaction->SetSetting("key", "value").error().code(), code) << state;
    EXPECT_EQ(catalog->Setting("key").error().code(), code) << state;
    EXPECT_EQ(transaction->Commit().error().code(), code) << state;
    transaction.reset();
    EXPECT_FALSE(catalog->Setting("key").value().has_value());
  }
}

TEST(PostgresCatalogTest, TextThatPostgresCannotKeepIsRefusedAndNeverFound) {
  PostgresFixture fixture;
  auto catalog = fixture.Open();
  for (const std::string& text : {std::string("a\0b", 3), std::string("a\xff")}) {
    auto transaction = catalog->Begin().value();
    EXPECT_EQ(transaction->InsertSubject(SomeSubject(text)).error().code(), Code::kInvalidArgument);
    EXPECT_TRUE(transaction->InsertSubject(SomeSubject("ada")));  // the transaction goes on
    EXPECT_FALSE(catalog->FindSubjectCalled(text).value().has_value());
    EXPECT_FALSE(catalog->FindModelCalled(Uuid::Random(), text).value().has_value());
    EXPECT_FALSE(catalog->Setting(text).value().has_value());
  }
}

TEST(PostgresCatalogTest, CommitsWaitForTheDiskWhateverTheDatabaseSays) {
  PostgresFixture fixture;
  fixture.Alter(
      "DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || quote_ident(current_database()) || "
      "' SET synchronous_commit TO off'; END $$");
  auto catalog = fixture.Open();
  fixture.Alter(
      "CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
      "NEW.value = current_setting('synchronous_commit'); RETURN NEW; END $$;"
      "CREATE TRIGGER tell BEFORE INSERT ON settings FOR EACH ROW EXECUTE FUNCTION tell()");
  auto transaction = catalog->Begin().value();
  ASSERT_TRUE(transaction->SetSetting("key", ""));
  EXPECT_EQ(catalog->Setting("key").value(), "on");
}

// testdata/schema1.sql is what the first release wrote; every later schema must open it.
TEST(PostgresCatalogTest, EveryOlderSchemaIsOpenedWithAllItHolds) {
  PostgresFixture fixture;
  std::ifstream file(GLASSCASE_SOURCE_DIR "/src/custody/catalog/postgres/testdata/schema1.sql");
  std::stringstream sql;
  sql << file.rdbuf();
  ASSERT_FALSE(sql.str().empty());
  fixture.Alter(sql.str());
  auto catalog = fixture.Open();
  const Counts counts = catalog->Count(0).value();
  EXPECT_EQ(counts.subjects, 2u);
  EXPECT_EQ(counts.tokens, 1u);
  EXPECT_EQ(counts.grants, 1u);
  EXPECT_EQ(counts.models, 1u);
  const Subject owner = catalog->FindSubjectCalled("teacher").value().value();
  const Model model = catalog->FindModelCalled(owner.id, "iris").value().value();
  const auto versions = catalog->VersionsOf(model.id).value();
  ASSERT_EQ(versions.size(), 1u);
  EXPECT_EQ(versions[0].inputs, (std::vector<TensorSpec>{{"x", DataType::kFp32, {-1, 4}}}));
  EXPECT_EQ(catalog->FilesOf(versions[0].id).value().size(), 1u);
  EXPECT_EQ(catalog->Journal().Waiting(10, 1000)->size(), 1u);
  EXPECT_EQ(catalog->Search({.name_part = "iri", .tags = {"flowers"}, .digest = versions[0].sha256})
                .value()
                .assets.size(),
            1u);
}

}  // namespace
}  // namespace glasscase::catalog::testing
