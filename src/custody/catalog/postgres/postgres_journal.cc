#include <algorithm>
#include <limits>

#include <glasscase/core/ids.h>

#include "statement.h"

namespace glasscase::catalog::postgres {
namespace {

using ledger::Head;
using ledger::WaitingEntry;

Error Damaged() {
  return Error::DataLoss("the catalog's journal of the ledger is damaged; restore a backup");
}

class PostgresJournal final : public ledger::Journal {
 public:
  explicit PostgresJournal(Connection& connection) : connection_(connection) {}

  Result<Head> ReadHead() const override {
    Statement ask(connection_, "SELECT size, root, fence FROM ledger_head");
    GC_TRY(const bool found, ask.Step());
    if (!found) return Fail(Damaged());
    ResultRow& row = ask.row();
    Head head{.size = static_cast<uint64_t>(row.Integer(0)), .root = row.DigestAt(1), .fence = 0};
    head.fence = static_cast<uint64_t>(row.Integer(2));
    if (row.damaged()) return Fail(Damaged());
    return head;
  }

  Result<uint64_t> Claim() override {
    uint64_t fence = 0;
    GC_TRY_VOID(InTransaction([&]() -> Status {
      Statement update(connection_, "UPDATE ledger_head SET fence = fence + 1 RETURNING fence");
      GC_TRY(const bool found, update.Step());
      if (!found) return Fail(Damaged());
      fence = static_cast<uint64_t>(update.row().Integer(0));
      return Ok();
    }));
    return fence;
  }

  Result<std::vector<WaitingEntry>> Waiting(size_t count, size_t bytes) const override {
    // By the sum of what came before each, so that no more than is wanted comes over the wire.
    Statement list(
        connection_,
        "SELECT sequence, entry, assets FROM (SELECT sequence, entry, assets, "
        "sum(octet_length(entry)::bigint) OVER (ORDER BY sequence) - octet_length(entry) AS before "
        "FROM (SELECT * FROM ledger_outbox ORDER BY sequence LIMIT $1) AS oldest) AS waiting "
        "WHERE before < $2::bigint ORDER BY sequence");
    list.Bind(AtMost(count)).Bind(AtMost(bytes));
    std::vector<WaitingEntry> waiting;
    while (true) {
      GC_TRY(const bool found, list.Step());
      if (!found) return waiting;
      GC_TRY_VOID(ReadWaiting(list.row(), waiting.emplace_back()));
    }
  }

  Status Advance(const Head& from, const Head& to, int64_t sequence, const std::string& framed) override {
    return InTransaction([&]() -> Status { return AdvanceInside(from, to, sequence, framed); });
  }

  Result<std::vector<Kept>> ReadKept() const override {
    Statement list(connection_,
                   "SELECT first, count, framed FROM ledger_kept "
                   "WHERE first + count > (SELECT forgotten FROM ledger_head) ORDER BY first");
    return ReadParts(list);
  }

  Result<std::vector<Kept>> ReadArchive(uint64_t from, size_t parts) const override {
    Statement list(connection_,
                   "SELECT first, count, framed FROM ledger_kept WHERE first >= coalesce((SELECT max(first) "
                   "FROM ledger_kept WHERE first <= $1), 0) AND first + count > $1 ORDER BY first LIMIT $2");
    list.Bind(static_cast<int64_t>(from)).Bind(AtMost(parts));
    return ReadParts(list);
  }

  // Nothing is dropped: whoever takes the log over may have none of its files.
  Status Forget(uint64_t size) override {
    return InTransaction([&]() -> Status {
      Statement mark(connection_, "UPDATE ledger_head SET forgotten = greatest(forgotten, $1)");
      mark.Bind(static_cast<int64_t>(size));
      return mark.Run().map([](int64_t) {});
    });
  }

  Status Adopt(const Head& head, const std::function<Result<std::optional<Kept>>()>& next) override {
    return InTransaction([&]() -> Status {
      Statement drop(connection_, "DELETE FROM ledger_kept");
      GC_TRY_VOID(drop.Run());
      while (true) {
        GC_TRY(const auto part, next());
        if (!part) break;
        GC_TRY_VOID(Keep(*part));
      }
      Statement move(connection_, "UPDATE ledger_head SET size = $1, root = $2, fence = $3, forgotten = $1");
      move.Bind(static_cast<int64_t>(head.size)).Bind(head.root).Bind(static_cast<int64_t>(head.fence));
      return move.Run().map([](int64_t) {});
    });
  }

 private:
  static Result<std::vector<Kept>> ReadParts(Statement& list) {
    std::vector<Kept> all;
    while (true) {
      GC_TRY(const bool found, list.Step());
      if (!found) return all;
      Kept& kept = all.emplace_back();
      kept.first = static_cast<uint64_t>(list.row().Integer(0));
      kept.count = static_cast<uint64_t>(list.row().Integer(1));
      kept.framed = list.row().Blob(2);
      if (list.row().damaged()) return Fail(Damaged());
    }
  }

  Status Keep(const Kept& part) {
    Statement keep(connection_, "INSERT INTO ledger_kept (first, count, framed) VALUES ($1, $2, $3)");
    keep.Bind(static_cast<int64_t>(part.first)).Bind(static_cast<int64_t>(part.count));
    keep.BindBlob(part.framed);
    return keep.Run().map([](int64_t) {});
  }

  static int64_t AtMost(size_t value) {
    return static_cast<int64_t>(std::min(value, static_cast<size_t>(std::numeric_limits<int64_t>::max())));
  }

  static Status ReadWaiting(ResultRow& row, WaitingEntry& entry) {
    entry.sequence = row.Integer(0);
    entry.entry = row.Text(1);
    const std::string assets = row.Blob(2);
    if (row.damaged() || assets.size() % 16 != 0) return Fail(Damaged());
    for (size_t at = 0; at < assets.size(); at += 16) {
      GC_TRY(entry.assets.emplace_back(), Uuid::FromBytes(std::string_view(assets).substr(at, 16)));
    }
    return Ok();
  }

  template <typename Work>
  Status InTransaction(const Work& work) {
    GC_TRY_VOID(connection_.Begin());
    Status done = work();
    if (done) done = connection_.Commit();
    connection_.Rollback();
    return done;
  }

  Status AdvanceInside(const Head& from, const Head& to, int64_t sequence, const std::string& framed) {
    Statement move(
        connection_,
        "UPDATE ledger_head SET size = $1, root = $2 WHERE size = $3 AND root = $4 AND fence = $5");
    move.Bind(static_cast<int64_t>(to.size)).Bind(to.root).Bind(static_cast<int64_t>(from.size));
    move.Bind(from.root).Bind(static_cast<int64_t>(from.fence));
    GC_TRY(const int64_t moved, move.Run());
    if (moved == 0)
      return Fail(Error(Code::kAborted, "the head of the ledger was moved by another custodian"));
    Statement drop(connection_, "DELETE FROM ledger_outbox WHERE sequence <= $1");
    drop.Bind(sequence);
    GC_TRY_VOID(drop.Run());
    return Keep({.first = from.size, .count = to.size - from.size, .framed = framed});
  }

  Connection& connection_;
};

}  // namespace

std::unique_ptr<ledger::Journal> MakeJournal(Connection& connection) {
  return std::make_unique<PostgresJournal>(connection);
}

}  // namespace glasscase::catalog::postgres
