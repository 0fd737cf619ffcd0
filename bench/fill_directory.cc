// Fills a data directory that `glasscase init` made with assets, versions and grants and their entries, as
// the acts of years would: for measuring fsck and starts. The directory must not be served.
//
//   fill_directory DIR ENTRIES
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <glasscase/catalog_sqlite/sqlite_catalog.h>
#include <glasscase/core/clock.h>
#include <glasscase/crypto/sha256.h>
#include <glasscase/ledger/entry.h>
#include <glasscase/ledger/log.h>
#include <glasscase/ledger_filesystem/log_folder.h>

namespace {

namespace fs = std::filesystem;
namespace catalog = glasscase::catalog;
namespace ledger = glasscase::ledger;
using glasscase::AsBytes;
using glasscase::Digest;
using glasscase::Fd;
using glasscase::ToBase64;
using glasscase::ToHex;
using glasscase::Uuid;

constexpr int kVersions = 3;
constexpr int kGrants = 6;
constexpr int kEntriesOfAnAsset = 1 + kVersions + kGrants;
constexpr int kAssetsAtATime = 100;  // one transaction and one checkpoint
constexpr int64_t kNow = 1'790'000'000'000'000;
constexpr char kBytes[] = "one file for all";

using Values = std::map<std::string, std::string>;  // in the order of canonical JSON

// {"asset":…,"at":…,<said before "hidden">,"hidden":{…},"type":…,"v":1<said after>}
// (api/formats/ledger-entry.md)
std::string Entry(const catalog::Model& asset, const std::string& before, const Values& hidden,
                  const std::string& rest) {
  const std::string head =
      R"({"asset":")" + asset.id.ToString() + R"(","at":)" + std::to_string(kNow) + before;
  const std::string context = head + rest;
  std::string commitments;
  for (const auto& [name, value] : hidden) {
    const ledger::Salt salt = ledger::SaltOf(*asset.secret, context, name);
    commitments += (commitments.empty() ? "\"" : ",\"") + name + "\":\"" +
                   ToBase64(ledger::Commitment(salt, name, value)) + "\"";
  }
  return head + R"(,"hidden":{)" + commitments + "}" + rest;
}

struct Filling {
  catalog::Transaction& transaction;
  const catalog::Subject& owner;
  const catalog::Subject& learner;
};

void AddVersion(const Filling& filling, const catalog::Model& model, const std::string& name, int number) {
  catalog::Version version;
  version.id = Uuid::Random();
  version.model = model.id;
  version.label = std::to_string(number);
  version.sha256 = version.manifest_digest = glasscase::Sha256(AsBytes(kBytes));
  version.bytes = sizeof(kBytes) - 1;
  version.hostable = false;
  version.published_by = model.owner;
  version.created_micros = kNow;
  const std::vector<catalog::VersionFile> files = {
      {.path = "model.bin", .bytes = version.bytes, .sha256 = version.sha256}};
  GC_CHECK(filling.transaction.InsertVersion(version, files).has_value());
  const std::string entry =
      Entry(model, "", {{"label", version.label}, {"name", name}, {"sha256", ToHex(version.sha256)}},
            R"(,"type":"version","v":1,"version":")" + version.id.ToString() + "\"}");
  GC_CHECK(filling.transaction.QueueEntry(entry, {model.id}).has_value());
}

void AddGrant(const Filling& filling, const catalog::Model& model) {
  catalog::Grant grant;
  grant.id = Uuid::Random();
  grant.subject = filling.learner.id;
  grant.model = model.id;
  grant.created_micros = kNow;
  GC_CHECK(filling.transaction.InsertGrant(grant).has_value());
  const std::string entry =
      Entry(model, R"(,"grant":")" + grant.id.ToString() + "\"",
            {{"subject", filling.learner.name}, {"terms", "predict"}}, R"(,"type":"grant","v":1})");
  GC_CHECK(filling.transaction.QueueEntry(entry, {model.id}).has_value());
}

void AddAsset(const Filling& filling, int number) {
  catalog::Model model;
  model.id = Uuid::Random();
  model.owner = filling.owner.id;
  model.name = "asset-" + std::to_string(number);
  model.created_micros = kNow;
  model.secret = glasscase::Sha256(AsBytes(model.name));
  const std::string name = filling.owner.name + "/" + model.name;
  GC_CHECK(filling.transaction.InsertModel(model).has_value());
  const std::string entry =
      Entry(model, "", {{"name", name}}, R"(,"kind":"model","type":"registered","v":1})");
  GC_CHECK(filling.transaction.QueueEntry(entry, {model.id}).has_value());
  for (int i = 1; i <= kVersions; ++i) AddVersion(filling, model, name, i);
  for (int i = 0; i < kGrants; ++i) AddGrant(filling, model);
}

ledger::NoteSigner SignerIn(const fs::path& directory) {
  std::ifstream file(directory / "keys" / "ledger.key");
  std::string text;
  std::getline(file, text);
  return ledger::NoteSigner::Parse(glasscase::Secret(std::move(text))).value();
}

void WriteBlob(const fs::path& directory) {
  const std::string hex = ToHex(glasscase::Sha256(AsBytes(kBytes)));
  const fs::path path = directory / "blobs" / "sha256" / hex.substr(0, 2) / hex;
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << kBytes;
}

void Fill(const fs::path& directory, int assets) {
  const glasscase::SystemClock clock;
  const auto catalog = catalog::OpenSqliteCatalog(directory / "catalog.db", clock).value();
  const auto owner_id = Uuid::Parse(catalog->Setting(catalog::kFirstOwnerSetting).value().value()).value();
  const catalog::Subject owner = catalog->FindSubject(owner_id).value().value();
  catalog::Subject learner;
  learner.id = Uuid::Random();
  learner.name = "learner";
  learner.created_micros = kNow;
  const auto files =
      ledger::OpenLogFolder(Fd(::open((directory / "log").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)))
          .value();
  const auto log =
      ledger::Log::Open({.journal = catalog->Journal(), .files = *files, .signer = SignerIn(directory)})
          .value();
  for (int number = 0; number < assets; number += kAssetsAtATime) {
    auto transaction = catalog->Begin().value();
    if (number == 0) GC_CHECK(transaction->InsertSubject(learner).has_value());
    for (int i = number; i < std::min(number + kAssetsAtATime, assets); ++i)
      AddAsset({.transaction = *transaction, .owner = owner, .learner = learner}, i);
    GC_CHECK(transaction->Commit().has_value());
    GC_CHECK(log->Publish().value());
  }
  GC_CHECK(log->Settle().has_value());
}

// To whoever the directory belongs to, as `glasscase init` leaves it.
void GiveAway(const fs::path& directory) {
  struct stat facts {};
  GC_CHECK(::stat(directory.c_str(), &facts) == 0);
  for (const char* name : {"catalog.db", "catalog.db-wal", "catalog.db-shm", "log", "blobs"}) {
    if (!fs::exists(directory / name)) continue;
    GC_CHECK(::lchown((directory / name).c_str(), facts.st_uid, facts.st_gid) == 0);
    if (!fs::is_directory(directory / name)) continue;
    for (const auto& entry : fs::recursive_directory_iterator(directory / name))
      GC_CHECK(::lchown(entry.path().c_str(), facts.st_uid, facts.st_gid) == 0);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "fill_directory DIR ENTRIES\n");
    return 2;
  }
  WriteBlob(argv[1]);
  Fill(argv[1], std::stoi(argv[2]) / kEntriesOfAnAsset);
  GiveAway(argv[1]);
  return 0;
}
