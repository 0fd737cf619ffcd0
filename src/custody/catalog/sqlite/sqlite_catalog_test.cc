#include <glasscase/catalog_sqlite/sqlite_catalog.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <sqlite3.h>

#include <glasscase/catalog/testing/search_contract.h>
#include <glasscase/core/testing/fake_clock.h>

namespace glasscase::catalog::testing {
namespace {

class SqliteFixture final : public CatalogFixture {
 public:
  SqliteFixture()
      : folder(std::filesystem::temp_directory_path() / ("gc-catalog-" + Uuid::Random().ToString())) {
    std::filesystem::create_directory(folder);
  }
  ~SqliteFixture() override { std::filesystem::remove_all(folder); }

  std::unique_ptr<Catalog> Open() override { return TryOpen().value(); }
  void SpoilSearch() override {
    Alter("DELETE FROM search_terms; INSERT INTO search_terms SELECT 'tag:spoilt', ordinal FROM models");
  }
  Result<std::unique_ptr<Catalog>> TryOpen() { return OpenSqliteCatalog(path(), clock, {.create = true}); }
  std::string path() const { return folder / "catalog.db"; }

  // As a program of another version, or a disk that went bad, would leave the file.
  void Alter(const std::string& sql) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &database), SQLITE_OK);
    char* error = nullptr;
    EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK)
        << (error ? error : "");
    sqlite3_free(error);
    sqlite3_close(database);
  }

  const std::filesystem::path folder;
  glasscase::testing::FakeClock clock;
};

INSTANTIATE_TEST_SUITE_P(Sqlite, CatalogContract,
                         ::testing::Values(MakeFixture([] { return std::make_unique<SqliteFixture>(); })));

INSTANTIATE_TEST_SUITE_P(Sqlite, SearchContract,
                         ::testing::Values(MakeFixture([] { return std::make_unique<SqliteFixture>(); })));

TEST(SqliteCatalogTest, MissingFilesAreNotMadeUnasked) {
  SqliteFixture fixture;
  EXPECT_EQ(OpenSqliteCatalog(fixture.path(), fixture.clock).error().code(), Code::kNotFound);
}

TEST(SqliteCatalogTest, CatalogsOfNewerProgramsAreRefused) {
  SqliteFixture fixture;
  fixture.Open();
  fixture.Alter("INSERT INTO schema_versions VALUES (" + std::to_string(SqliteSchemaVersion() + 1) + ", 0)");
  const auto opened = fixture.TryOpen();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), Code::kFailedPrecondition);
  EXPECT_THAT(opened.error().message(), ::testing::HasSubstr("newer Glasscase"));
}

TEST(SqliteCatalogTest, OtherSqliteFilesAreRefused) {
  SqliteFixture fixture;
  fixture.Alter("CREATE TABLE notes (text TEXT)");
  EXPECT_EQ(fixture.TryOpen().error().code(), Code::kFailedPrecondition);
}

TEST(SqliteCatalogTest, DamagedRowsStopTheStart) {
  const char* const damages[] = {
      "PRAGMA ignore_check_constraints=ON; UPDATE subjects SET roles = 64",
      "PRAGMA ignore_check_constraints=ON; UPDATE subjects SET id = x'00'",
      "INSERT INTO tokens VALUES (zeroblob(16), zeroblob(16), zeroblob(32), zeroblob(32), zeroblob(32), '', "
      "0, 0, 0, 0)",
  };
  for (const char* damage : damages) {
    SqliteFixture fixture;
    {
      auto catalog = fixture.Open();
      auto transaction = catalog->Begin().value();
      ASSERT_TRUE(transaction->InsertSubject(SomeSubject("ada")));
      ASSERT_TRUE(transaction->Commit());
    }
    fixture.Alter(damage);
    const auto opened = fixture.TryOpen();
    ASSERT_FALSE(opened) << damage;
    EXPECT_EQ(opened.error().code(), Code::kDataLoss) << damage;
  }
}

TEST(SqliteCatalogTest, OverwrittenPagesStopTheStart) {
  SqliteFixture fixture;
  fixture.Open();
  {
    std::fstream file(fixture.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(2000, '\xff');
  }
  EXPECT_FALSE(fixture.TryOpen());
}

// testdata/schemaN.sql is what a program of that schema wrote; every later one must open it.
std::unique_ptr<Catalog> OpenOld(SqliteFixture& fixture, const std::string& schema) {
  std::ifstream file(GLASSCASE_SOURCE_DIR "/src/custody/catalog/sqlite/testdata/" + schema + ".sql");
  std::stringstream sql;
  sql << file.rdbuf();
  EXPECT_FALSE(sql.str().empty());
  fixture.Alter(sql.str());
  return fixture.Open();
}

TEST(SqliteCatalogTest, EveryOlderSchemaIsOpenedWithAllItHolds) {
  for (const std::string schema : {"schema1", "schema2", "schema3", "schema4"}) {
    SqliteFixture fixture;
    const auto catalog = OpenOld(fixture, schema);
    const Counts counts = catalog->Count(0).value();
    EXPECT_EQ(counts.subjects, 2u) << schema;
    EXPECT_EQ(counts.tokens, 1u) << schema;
    EXPECT_EQ(counts.grants, 1u) << schema;
    EXPECT_EQ(counts.models, 1u) << schema;
    const Subject owner = catalog->FindSubjectCalled("teacher").value().value();
    const Model model = catalog->FindModelCalled(owner.id, "iris").value().value();
    const auto versions = catalog->VersionsOf(model.id).value();
    ASSERT_EQ(versions.size(), 1u);
    EXPECT_EQ(versions[0].inputs, (std::vector<TensorSpec>{{"x", DataType::kFp32, {-1, 4}}}));
    EXPECT_EQ(catalog->FilesOf(versions[0].id).value().size(), 1u);
    const AssetPage found = catalog->Search({.name_part = "iri", .digest = versions[0].sha256}).value();
    ASSERT_EQ(found.assets.size(), 1u) << schema;
    EXPECT_EQ(found.assets[0].id, model.id);
    EXPECT_EQ(catalog->OpenChainActs()->size(), schema == "schema4" ? 1u : 0u);
    EXPECT_TRUE(catalog->ListRuns({})->empty());
  }
}

TEST(SqliteCatalogTest, WhatSchema2KeptIsSearchedLikeNewRows) {
  SqliteFixture fixture;
  const auto catalog = OpenOld(fixture, "schema2");
  EXPECT_EQ(catalog->Search({.tags = {"flowers"}}).value().assets.size(), 2u);
  EXPECT_EQ(catalog->Search({.tags = {"small"}}).value().assets.size(), 1u);
  const AssetPage data = catalog->Search({.kind = AssetKind::kDataset, .media_type = "text/csv"}).value();
  ASSERT_EQ(data.assets.size(), 1u);
  const AssetPage made = catalog->Search({.ancestor = data.assets[0].id}).value();
  ASSERT_EQ(made.assets.size(), 1u);
  EXPECT_EQ(made.assets[0].name, "iris");
}

TEST(SqliteCatalogTest, BackUpIsOneFileAsOfOneMoment) {
  SqliteFixture fixture;
  auto catalog = fixture.Open();
  auto transaction = catalog->Begin().value();
  ASSERT_TRUE(transaction->InsertSubject(SomeSubject("ada")));
  ASSERT_TRUE(transaction->Commit());
  const std::string copy = fixture.folder / "copy.db";
  ASSERT_TRUE(BackUpSqliteCatalog(fixture.path(), copy));
  EXPECT_FALSE(std::filesystem::exists(copy + "-wal"));
  auto copied = OpenSqliteCatalog(copy, fixture.clock).value();
  EXPECT_TRUE(copied->FindSubjectCalled("ada").value().has_value());
}

}  // namespace
}  // namespace glasscase::catalog::testing
