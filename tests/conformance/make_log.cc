// Makes the files of a log with our own code, for verifiers of others to read.
//
//   make_log OUT sizes 1,2,255,256     one log that had these sizes, one after the other
//   make_log OUT acts 1000 64 FILE     so many acts on 40 assets, published 64 at a time; the last one is the
//                                      version whose file is FILE; its receipt is OUT/receipt.tlog-proof, and
//                                      in the form of the first ones OUT/receipt-form1.tlog-proof
//
// OUT gets log/, the checkpoint of each size in checkpoints/SIZE, policy, and the log's keys: vkey, skey.
// Keys and entries are the same every time.
#include <fcntl.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <glasscase/crypto/sha256.h>
#include <glasscase/ledger/disclosure.h>
#include <glasscase/ledger/log.h>
#include <glasscase/ledger/testing/memory_journal.h>
#include <glasscase/ledger_filesystem/log_folder.h>

namespace glasscase::ledger {
namespace {

namespace fs = std::filesystem;
constexpr char kOrigin[] = "log.example/conformance";
constexpr uint64_t kAssets = 40;

NoteSigner TheSigner() {
  auto key = Ed25519Key::FromSeed(Secret(std::string(32, 'l'))).value();
  return NoteSigner::Make(kOrigin, KeyType::kEd25519, std::move(key)).value();
}

std::unique_ptr<LogFiles> OpenFiles(const fs::path& out) {
  fs::create_directories(out / "log");
  return OpenLogFolder(Fd(::open((out / "log").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC))).value();
}

void WriteFile(const fs::path& path, std::string_view bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

Uuid AssetOf(uint64_t index) {
  Uuid asset;
  const Digest digest = Sha256(AsBytes("asset " + std::to_string(index % kAssets)));
  std::copy_n(digest.begin(), asset.bytes.size(), asset.bytes.begin());
  return asset;
}

std::string ActEntry(uint64_t index) {
  return R"({"asset":")" + AssetOf(index).ToString() + R"(","at":)" +
         std::to_string(1'790'000'000'000'000 + index) + R"(,"type":"card","v":1})";
}

Log::Parts PartsOf(Journal& journal, LogFiles& files) {
  return {.journal = journal, .files = files, .signer = TheSigner()};
}

void KeepCheckpoint(const fs::path& out, const Log& log) {
  WriteFile(out / "checkpoints" / std::to_string(log.size()), log.signed_checkpoint());
}

// A batch always ends in a map entry, so no log of ours has size 1, or two sizes that follow one another.
// What is published after a batch that was cut off has any size: that way is taken here.
Status MakeSizes(const fs::path& out, std::string_view sizes) {
  const std::unique_ptr<LogFiles> files = OpenFiles(out);
  testing::MemoryJournal journal;
  Frontier frontier;
  while (!sizes.empty()) {
    const uint64_t size = std::strtoull(std::string(sizes).c_str(), nullptr, 10);
    sizes.remove_prefix(
        std::min(sizes.size(), sizes.find(',') == sizes.npos ? sizes.size() : sizes.find(',') + 1));
    std::string framed;
    while (frontier.size() < size) {
      const std::string entry = ActEntry(frontier.size());
      AppendToBundle(framed, entry);
      frontier.Add(HashLeaf(AsBytes(entry)), [](unsigned, uint64_t, const Hash&) {});
    }
    const Head next{.size = size, .root = frontier.Root(), .fence = journal.head.fence};
    GC_TRY_VOID(journal.Advance(journal.head, next, 0, framed));
    GC_TRY(const auto log, Log::Open(PartsOf(journal, *files)));
    GC_TRY_VOID(log->Settle());
    KeepCheckpoint(out, *log);
  }
  return Ok();
}

std::string Hidden(const std::string& name, const std::string& value) {
  return "\"" + name + "\":\"" + ToBase64(Commitment(Salt{7}, name, value)) + "\"";
}
std::string Disclosed(const std::string& name, const std::string& value) {
  return "\"" + name + R"(":{"salt":")" + ToBase64(Salt{7}) + R"(","value":")" + value + "\"}";
}

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') escaped.push_back('\\');
    escaped.push_back(c);
  }
  return escaped;
}

Status MakeActs(const fs::path& out, uint64_t acts, uint64_t batch, const std::string& file) {
  const std::unique_ptr<LogFiles> files = OpenFiles(out);
  testing::MemoryJournal journal;
  GC_TRY(const auto log, Log::Open(PartsOf(journal, *files)));
  for (uint64_t i = 1; i < acts; ++i) {
    journal.Wait(ActEntry(i), {AssetOf(i)});
    if (i % batch == 0) GC_TRY_VOID(log->Publish());
  }
  const std::string digest = ToHex(Sha256(AsBytes(ReadFile(file))));
  const std::string entry = R"({"asset":")" + AssetOf(7).ToString() +
                            R"(","at":1790000000000000,"hidden":{)" + Hidden("name", "ada/digits") + "," +
                            Hidden("sha256", digest) + R"(},"type":"version","v":1,"version":")" +
                            AssetOf(8).ToString() + "\"}";
  journal.Wait(entry, {AssetOf(7)});
  GC_TRY_VOID(log->Publish());
  GC_TRY_VOID(log->Settle());
  KeepCheckpoint(out, *log);
  GC_TRY(Receipt receipt, log->ReceiptFor(log->size() - 2));
  const Disclosure disclosure{.entry = entry,
                              .fields = {{"name", {Salt{7}, "ada/digits"}}, {"sha256", {Salt{7}, digest}}}};
  GC_TRY(receipt.extra, disclosure.ToString());
  WriteFile(out / "receipt.tlog-proof", receipt.ToString());
  // As the first receipts were.
  receipt.extra = R"({"disclosed":{)" + Disclosed("name", "ada/digits") + "," + Disclosed("sha256", digest) +
                  R"(},"entry":")" + Escaped(entry) + "\"}";
  WriteFile(out / "receipt-form1.tlog-proof", receipt.ToString());
  return Ok();
}

Status Make(const fs::path& out, const std::vector<std::string>& words) {
  WriteFile(out / "policy", "log " + TheSigner().verifier().ToString() + "\nquorum none\n");
  WriteFile(out / "vkey", TheSigner().verifier().ToString());
  WriteFile(out / "skey", TheSigner().ToSecret().Reveal(RevealToken{}));
  if (words.size() == 2 && words[0] == "sizes") return MakeSizes(out, words[1]);
  if (words.size() == 4 && words[0] == "acts")
    return MakeActs(out, std::stoull(words[1]), std::stoull(words[2]), words[3]);
  return Fail(Error::InvalidArgument("usage: make_log OUT sizes N,N,... | make_log OUT acts N BATCH FILE"));
}

}  // namespace
}  // namespace glasscase::ledger

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const auto made = glasscase::ledger::Make(argv[1], {argv + 2, argv + argc});
  if (!made) std::fprintf(stderr, "make_log: %s\n", made.error().message().c_str());
  return made ? 0 : 1;
}
