#include <glasscase/ledger_filesystem/witness_folder.h>

#include <fcntl.h>

#include <filesystem>
#include <fstream>

#include <glasscase/core/ids.h>
#include <gtest/gtest.h>

namespace glasscase::ledger {
namespace {

namespace fs = std::filesystem;

Witnessed Seen(uint64_t size, const std::string& origin = "log.example") {
  const auto signer =
      NoteSigner::Make(origin, KeyType::kEd25519, Ed25519Key::FromSeed(Secret(std::string(32, 'l'))).value())
          .value();
  Witnessed seen{.checkpoint = {.origin = origin, .size = size, .root = HashLeaf({})}};
  Note note{.text = seen.checkpoint.ToString(), .signatures = {}};
  note.signatures.push_back(signer.Sign(note.text));
  seen.note = note.ToString();
  return seen;
}

class WitnessFolderTest : public ::testing::Test {
 protected:
  WitnessFolderTest() {
    fs::create_directories(folder_);
    Reopen();
  }
  ~WitnessFolderTest() override { fs::remove_all(folder_); }

  Result<std::unique_ptr<WitnessState>> Open() {
    return OpenWitnessFolder(Fd(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
  }
  void Reopen() {
    state_.reset();
    state_ = Open().value();
  }
  fs::path CheckpointOf(const std::string& origin) {
    return folder_ / "logs" / OriginDigest(origin) / "checkpoint";
  }

  fs::path folder_ = fs::temp_directory_path() / ("gc-witness-" + Uuid::Random().ToString());
  std::unique_ptr<WitnessState> state_;
};

TEST_F(WitnessFolderTest, RemembersEachLog) {
  EXPECT_EQ(state_->Read("log.example").value(), Witnessed{});
  ASSERT_TRUE(state_->Advance("log.example", {}, Seen(3)));
  ASSERT_TRUE(state_->Advance("log.example", Seen(3), Seen(5)));
  ASSERT_TRUE(state_->Advance("two.example", {}, Seen(1, "two.example")));
  Reopen();
  EXPECT_EQ(state_->Read("log.example").value(), Seen(5));
  EXPECT_EQ(state_->Read("two.example").value(), Seen(1, "two.example"));
}

TEST_F(WitnessFolderTest, AdvancesOnlyFromWhatIsStored) {
  ASSERT_TRUE(state_->Advance("log.example", {}, Seen(3)));
  EXPECT_EQ(state_->Advance("log.example", {}, Seen(5)).error().code(), Code::kAborted);
  EXPECT_EQ(state_->Advance("log.example", Seen(2), Seen(5)).error().code(), Code::kAborted);
  EXPECT_EQ(state_->Read("log.example").value(), Seen(3));
}

TEST_F(WitnessFolderTest, ADamagedFileIsNotAnEmptyState) {
  ASSERT_TRUE(state_->Advance("log.example", {}, Seen(3)));
  ASSERT_TRUE(state_->Advance("two.example", {}, Seen(1, "two.example")));
  std::ofstream(CheckpointOf("log.example"), std::ios::trunc).close();
  EXPECT_EQ(state_->Read("log.example").error().code(), Code::kDataLoss);
  EXPECT_FALSE(state_->Advance("log.example", {}, Seen(1)));
  fs::copy_file(CheckpointOf("two.example"), CheckpointOf("log.example"),
                fs::copy_options::overwrite_existing);
  EXPECT_EQ(state_->Read("log.example").error().code(), Code::kDataLoss);
}

TEST_F(WitnessFolderTest, OneProcessAtATime) {
  EXPECT_EQ(Open().error().code(), Code::kAborted);
  state_.reset();
  EXPECT_TRUE(Open());
}

TEST_F(WitnessFolderTest, KeepsEvidenceOnce) {
  const Evidence split{.origin = "log.example", .known = Seen(3).note, .other = Seen(4).note};
  ASSERT_TRUE(state_->Keep(split));
  ASSERT_TRUE(state_->Keep(split));
  Evidence unproved = split;
  unproved.kind = Evidence::Kind::kUnproved;
  ASSERT_TRUE(state_->Keep(unproved));
  unproved.other = Seen(9).note;
  ASSERT_TRUE(state_->Keep(unproved));
  const fs::path folder = folder_ / "evidence" / OriginDigest("log.example");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 2);
  std::ifstream other(folder / "unproved" / "other");
  const std::string bytes{std::istreambuf_iterator<char>(other), {}};
  EXPECT_EQ(bytes, Seen(9).note);
}

}  // namespace
}  // namespace glasscase::ledger
