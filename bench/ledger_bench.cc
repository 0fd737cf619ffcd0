// What the ledger costs: entries made durable and published over SQLite and a folder, receipts, proofs,
// fsck's work on the files. Wall time, because waiting for the disk is part of it; CPU beside it. One JSON
// object.
//
//   ledger_bench FOLDER [ENTRIES]
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <glasscase/catalog_sqlite/sqlite_catalog.h>
#include <glasscase/core/clock.h>
#include <glasscase/ledger/disclosure.h>
#include <glasscase/ledger/file_check.h>
#include <glasscase/ledger/log.h>
#include <glasscase/ledger_filesystem/log_folder.h>

namespace {

namespace fs = std::filesystem;
namespace ledger = glasscase::ledger;
using glasscase::AsBytes;
using glasscase::Uuid;

constexpr int kRepeats = 5;
constexpr size_t kEntryBytes = 400;
constexpr int kAssets = 1'000;
constexpr double kSettleEverySeconds = 2;

double Seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

Uuid AssetOf(int number) {
  Uuid id;
  id.bytes[0] = static_cast<uint8_t>(number);
  id.bytes[1] = static_cast<uint8_t>(number >> 8);
  return id;
}

std::string EntryOf(int number) {
  std::string entry = R"({"asset":")" + AssetOf(number % kAssets).ToString() + R"(","fill":")";
  entry.append(kEntryBytes - entry.size() - 30, static_cast<char>('a' + number % 26));
  return entry + R"(","n":)" + std::to_string(1'000'000'000 + number) + R"(,"v":1})";
}

struct Works {
  glasscase::SystemClock clock;
  std::unique_ptr<glasscase::catalog::Catalog> catalog;
  std::unique_ptr<ledger::LogFiles> files;
  std::unique_ptr<ledger::Log> log;
  int next = 0;

  explicit Works(const fs::path& folder) {
    fs::remove_all(folder);
    fs::create_directories(folder / "log");
    catalog = glasscase::catalog::OpenSqliteCatalog(folder / "catalog.db", clock, {.create = true}).value();
    files = ledger::OpenLogFolder(
                glasscase::Fd(::open((folder / "log").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)))
                .value();
    Open();
  }
  ledger::NoteSigner Signer() const {
    return ledger::NoteSigner::Make(
               "glasscase/6b3a4d5e-0000-4000-8000-000000000001", ledger::KeyType::kEd25519,
               glasscase::Ed25519Key::FromSeed(glasscase::Secret(std::string(32, 'b'))).value())
        .value();
  }
  void Open() {
    log.reset();
    log = ledger::Log::Open({.journal = catalog->Journal(), .files = *files, .signer = Signer()}).value();
  }
  // The acts of one batch, in one transaction, as a busy custodian groups them.
  void Queue(int count) {
    auto transaction = catalog->Begin().value();
    for (int i = 0; i < count; ++i, ++next)
      GC_CHECK(transaction->QueueEntry(EntryOf(next), {AssetOf(next % kAssets)}).has_value());
    GC_CHECK(transaction->Commit().has_value());
  }
};

// Makes files durable beside the writer, as the custodian does: its loop posts the end, here it is asked for.
class Settler {
 public:
  explicit Settler(Works& works) : works_(works) {}
  ~Settler() { Wait(); }

  void Go() {
    if (thread_.joinable() && !done_) return;
    Wait();
    settling_ = works_.log->BeginSettle();
    if (settling_.full.empty()) return;
    done_ = false;
    thread_ = std::thread([this] {
      status_ = ledger::Log::SettleFiles(*works_.files, settling_);
      done_ = true;
    });
  }
  void Wait() {
    if (!thread_.joinable()) return;
    thread_.join();
    GC_CHECK(works_.log->EndSettle(settling_, status_).has_value());
  }

 private:
  Works& works_;
  ledger::Log::Settling settling_;
  glasscase::Status status_;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

// Entries per second from "waits in the outbox" to "in a published checkpoint, durable". The acts' own commit
// is not part of it: it would be there without a ledger.
double PublishRate(Works& works, int batch, int batches) {
  double published = 0;
  Settler settler(works);
  for (int i = 0; i < batches; ++i) {
    works.Queue(batch);
    const double begin = Seconds();
    while (works.log->Publish().value()) {
    }
    if (works.log->unsettled() >= ledger::Log::kSettleEntries) settler.Go();
    published += Seconds() - begin;
  }
  const double begin = Seconds();
  settler.Wait();
  GC_CHECK(works.log->Settle().has_value());
  return batch * batches / (published + Seconds() - begin);
}

// Acts come one each millisecond; those that wait are committed together, as a custodian's round of its loop
// does, and published; then each gets its receipt. Milliseconds from an act's coming to its receipt.
std::vector<double> ReceiptReadyMs(Works& works, int acts) {
  constexpr double kEverySecond = 1'000;
  std::vector<double> ready;
  const double begin = Seconds();
  const auto came_at = [&](int act) { return begin + act / kEverySecond; };
  int done = 0;
  Settler settler(works);
  double settle_at = begin;
  while (done < acts) {
    if (Seconds() >= settle_at || works.log->unsettled() >= ledger::Log::kSettleEntries) {
      settler.Go();
      settle_at = Seconds() + kSettleEverySeconds;
    }
    int due = done;
    while (due < acts && came_at(due) <= Seconds()) ++due;
    if (due == done) {
      ::usleep(200);
      continue;
    }
    const uint64_t first = works.log->size();
    works.Queue(due - done);
    while (works.log->Publish().value()) {
    }
    for (uint64_t index = first; done < due; ++done, ++index) {
      GC_CHECK(works.log->ReceiptFor(index).has_value());
      ready.push_back((Seconds() - came_at(done)) * 1'000);
    }
  }
  std::sort(ready.begin(), ready.end());
  return ready;
}

double MicrosEach(int times, const std::function<void(int)>& work) {
  const double begin = Seconds();
  for (int i = 0; i < times; ++i) work(i);
  return (Seconds() - begin) * 1e6 / times;
}

// What the receipt of a version that was trained on a dataset says beside its proof.
ledger::Disclosure VersionDisclosure() {
  const std::map<std::string, ledger::DisclosedField> fields = {
      {"label", {ledger::Salt{1}, "2024-spring"}},
      {"name", {ledger::Salt{2}, "university-of-oulu/handwritten-digits"}},
      {"sha256", {ledger::Salt{3}, glasscase::ToHex(ledger::HashLeaf({}))}}};
  std::string hidden;
  for (const auto& [name, field] : fields)
    hidden += (hidden.empty() ? "\"" : ",\"") + name + "\":\"" +
              glasscase::ToBase64(ledger::Commitment(field.salt, name, field.value)) + "\"";
  return {.entry = R"({"also":[")" + AssetOf(1).ToString() + R"("],"asset":")" + AssetOf(2).ToString() +
                   R"(","at":1790000000000000,"hidden":{)" + hidden +
                   R"(},"lineage":[{"by":"claimed","relation":"trained_on","version":")" +
                   AssetOf(3).ToString() + R"("}],"type":"version","v":1,"version":")" +
                   AssetOf(4).ToString() + R"("})",
          .fields = fields};
}

// A whole receipt as it would be in a log of that size: the proof has a hash for each level.
size_t ReceiptBytesAt(uint64_t size, const ledger::Receipt& like) {
  ledger::Receipt receipt = like;
  receipt.index = size / 2;
  receipt.proof.assign(static_cast<size_t>(64 - __builtin_clzll(size - 1)), ledger::EmptyRoot());
  return receipt.ToString().size();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "ledger_bench FOLDER [ENTRIES]\n");
    return 2;
  }
  const fs::path folder = argv[1];
  const int entries = argc > 2 ? std::stoi(argv[2]) : 200'000;
  Works works(folder);
  std::vector<double> rate100, rate1000;
  for (int i = 0; i < kRepeats; ++i) {
    rate100.push_back(PublishRate(works, 100, 50));
    rate1000.push_back(PublishRate(works, 1'000, 20));
  }
  while (works.next < entries) PublishRate(works, 4'000, 1);

  const std::vector<double> ready = ReceiptReadyMs(works, 5'000);

  const uint64_t size = works.log->size();
  const auto policy =
      ledger::Policy::Parse("log " + works.log->verifier().ToString() + "\nquorum none\n").value();
  const double prove = MicrosEach(2'000, [&](int i) {
    GC_CHECK(works.log->ReceiptFor(static_cast<uint64_t>(i) * 7'919 % size).has_value());
  });
  ledger::Receipt receipt = works.log->ReceiptFor(size / 3).value();
  const std::string entry = works.log->EntryAt(size / 3).value();
  const std::string extra = VersionDisclosure().ToString().value();
  const double verify = MicrosEach(2'000, [&](int) {
    GC_CHECK(ledger::Disclosure::Parse(extra).has_value());
    GC_CHECK(ledger::CheckReceipt(receipt, entry, policy).has_value());
  });
  const auto key = works.Signer();
  const auto signature = key.Sign("message\n");
  const double ed25519 =
      MicrosEach(2'000, [&](int) { GC_CHECK(key.verifier().Verify("message\n", signature.signature)); });
  const double check_begin = Seconds();
  uint64_t checked = 0;
  GC_CHECK(
      ledger::CheckLogFiles(*works.files, works.log->verifier(),
                            {.problem = [](std::string_view, std::string_view) { GC_CHECK(false); },
                             .entry = [&](uint64_t, std::string_view, const ledger::Hash&) { ++checked; }})
          .has_value());
  const double check = Seconds() - check_begin;
  const double open_begin = Seconds();
  works.Open();
  const double open = Seconds() - open_begin;
  receipt.extra = extra;
  std::printf(
      "{\"entries\":%llu,\"published_per_s_batches_of_100\":%.0f,\"published_per_s_batches_of_1000\":%.0f,"
      "\"receipt_us\":%.1f,\"verify_us\":%.1f,\"ed25519_verify_us\":%.1f,\"proof_bytes_at_1e9\":%d,"
      "\"receipt_bytes_at_1e9\":%zu,\"receipt_ready_ms_p50\":%.1f,\"receipt_ready_ms_p99\":%.1f,\"file_check_"
      "s_per_million\":%.2f,\"open_s_per_million\":%.2f}\n",
      static_cast<unsigned long long>(size), Median(rate100), Median(rate1000), prove, verify, ed25519,
      30 * 32, ReceiptBytesAt(1'000'000'000, receipt), ready[ready.size() / 2],
      ready[ready.size() * 99 / 100], check * 1e6 / static_cast<double>(checked),
      open * 1e6 / static_cast<double>(size));
  fs::remove_all(folder);
  return 0;
}
