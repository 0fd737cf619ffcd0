#include <glasscase/blobs_filesystem/filesystem_blob_store.h>

#include <fcntl.h>

#include <filesystem>
#include <fstream>

#include <glasscase/blobs/testing/blob_store_contract.h>
#include <glasscase/core/ids.h>

namespace glasscase::blobs::testing {
namespace {

class FilesystemFixture final : public StoreFixture {
 public:
  FilesystemFixture()
      : folder(std::filesystem::temp_directory_path() / ("gc-blobs-" + Uuid::Random().ToString())) {
    std::filesystem::create_directory(folder);
  }
  ~FilesystemFixture() override { std::filesystem::remove_all(folder); }

  std::unique_ptr<BlobStore> Open() override { return OpenWith({}); }
  std::unique_ptr<BlobStore> OpenWith(FilesystemOptions options) {
    return OpenFilesystemBlobStore(Fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)), options)
        .value();
  }

  const std::filesystem::path folder;
};

INSTANTIATE_TEST_SUITE_P(Filesystem, BlobStoreContract, ::testing::Values(MakeFixture([] {
                           return std::make_unique<FilesystemFixture>();
                         })));

TEST(FilesystemBlobStoreTest, BlobsLieWhereTheFormatSays) {
  FilesystemFixture fixture;
  const std::string hex = ToHex(Sha256(AsBytes("weights")));
  auto store = fixture.Open();
  auto staged = store->Stage().value();
  ASSERT_TRUE(staged->Append(AsBytes("weights")));
  ASSERT_TRUE(staged->Finish());
  ASSERT_TRUE(staged->Commit());
  const auto path = fixture.folder / "blobs" / "sha256" / hex.substr(0, 2) / hex;
  EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms::owner_read);
}

// What a process killed between the first byte and the commit leaves behind.
TEST(FilesystemBlobStoreTest, LeftOversInStagingAreSweptAtStart) {
  FilesystemFixture fixture;
  fixture.Open();
  const auto left_over = fixture.folder / "staging" / "left-over";
  std::ofstream(left_over) << "half a model";
  fixture.OpenWith({.sweep_staging = false});
  EXPECT_TRUE(std::filesystem::exists(left_over));
  fixture.Open();
  EXPECT_FALSE(std::filesystem::exists(left_over));
}

// What a process killed while it made, finished or dropped one leaves behind.
TEST(FilesystemBlobStoreTest, HalvesOfPartialBlobsAreSweptAtStart) {
  FilesystemFixture fixture;
  const Uuid whole = Uuid::Random();
  fixture.Open()->StagePartial(whole, "note").value();
  const auto uploads = fixture.folder / "uploads";
  std::ofstream(uploads / Uuid::Random().ToString()) << "bytes without a state";
  std::ofstream(uploads / (Uuid::Random().ToString() + ".state")) << "00000000000000000000\nnote";
  const std::string shorter = Uuid::Random().ToString();
  std::ofstream(uploads / shorter) << "abc";
  std::ofstream(uploads / (shorter + ".state")) << "00000000000000000004\nnote";
  const std::string damaged = Uuid::Random().ToString();
  std::ofstream(uploads / damaged) << "abc";
  std::ofstream(uploads / (damaged + ".state")) << "3\nnote";
  auto store = fixture.Open();
  ASSERT_EQ(store->Partials().value().size(), 1u);
  EXPECT_EQ(store->Partials().value()[0].id, whole);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(uploads), {}), 2);
}

TEST(FilesystemBlobStoreTest, FilesThatAreNoBlobsArePassedOver) {
  FilesystemFixture fixture;
  auto store = fixture.Open();
  std::filesystem::create_directory(fixture.folder / "blobs" / "sha256" / "ab");
  std::ofstream(fixture.folder / "blobs" / "sha256" / "ab" / "README") << "hello";
  EXPECT_TRUE(store->List().value().empty());
}

// A link in place of a blob would let whoever can write the folder hand out any file of the custodian's.
TEST(FilesystemBlobStoreTest, LinksAreNotFollowed) {
  FilesystemFixture fixture;
  auto store = fixture.Open();
  const Digest digest = Sha256(AsBytes("weights"));
  const std::string hex = ToHex(digest);
  std::filesystem::create_directory(fixture.folder / "blobs" / "sha256" / hex.substr(0, 2));
  std::filesystem::create_symlink("/etc/hostname",
                                  fixture.folder / "blobs" / "sha256" / hex.substr(0, 2) / hex);
  EXPECT_FALSE(store->Open(digest));
}

}  // namespace
}  // namespace glasscase::blobs::testing
