#include "connection.h"

namespace glasscase::catalog {
namespace {

using ledger::Head;
using ledger::WaitingEntry;

Error Damaged() {
  return Error::DataLoss("the catalog's journal of the ledger is damaged; restore a backup");
}

class SqliteJournal final : public ledger::Journal {
 public:
  explicit SqliteJournal(Connection& connection) : connection_(connection) {}

  Result<Head> ReadHead() const override {
    GC_TRY(Statement ask, Prepare("SELECT size, root, fence FROM ledger_head"));
    GC_TRY(const bool found, ask.Step());
    if (!found) return Fail(Damaged());
    Head head{.size = static_cast<uint64_t>(ask.Integer(0)), .root = ask.DigestAt(1), .fence = 0};
    head.fence = static_cast<uint64_t>(ask.Integer(2));
    if (ask.damaged()) return Fail(Damaged());
    return head;
  }

  Result<uint64_t> Claim() override {
    GC_TRY_VOID(InTransaction([&]() -> Status {
      GC_TRY(Statement update, Prepare("UPDATE ledger_head SET fence = fence + 1"));
      return update.Run();
    }));
    GC_TRY(const Head head, ReadHead());
    return head.fence;
  }

  Result<std::vector<WaitingEntry>> Waiting(size_t count, size_t bytes) const override {
    GC_TRY(Statement list,
           Prepare("SELECT sequence, entry, assets FROM ledger_outbox ORDER BY sequence LIMIT ?"));
    list.Bind(static_cast<int64_t>(count));
    std::vector<WaitingEntry> waiting;
    size_t taken = 0;
    while (taken < bytes) {
      GC_TRY(const bool found, list.Step());
      if (!found) break;
      WaitingEntry& entry = waiting.emplace_back();
      entry.sequence = list.Integer(0);
      entry.entry = list.Text(1);
      const std::string assets = list.Blob(2);
      if (list.damaged() || assets.size() % 16 != 0) return Fail(Damaged());
      for (size_t at = 0; at < assets.size(); at += 16) {
        GC_TRY(entry.assets.emplace_back(), Uuid::FromBytes(std::string_view(assets).substr(at, 16)));
      }
      taken += entry.entry.size();
    }
    return waiting;
  }

  Status Advance(const Head& from, const Head& to, int64_t sequence, const std::string& framed) override {
    return InTransaction([&]() -> Status { return AdvanceInside(from, to, sequence, framed); });
  }

  Result<std::vector<Kept>> ReadKept() const override {
    GC_TRY(Statement list, Prepare("SELECT first, count, framed FROM ledger_kept ORDER BY first"));
    std::vector<Kept> all;
    while (true) {
      GC_TRY(const bool found, list.Step());
      if (!found) return all;
      Kept& kept = all.emplace_back();
      kept.first = static_cast<uint64_t>(list.Integer(0));
      kept.count = static_cast<uint64_t>(list.Integer(1));
      kept.framed = list.Blob(2);
      if (list.damaged()) return Fail(Damaged());
    }
  }

  Status Forget(uint64_t size) override {
    return InTransaction([&]() -> Status {
      GC_TRY(Statement drop, Prepare("DELETE FROM ledger_kept WHERE first + count <= ?"));
      drop.Bind(static_cast<int64_t>(size));
      return drop.Run();
    });
  }

  Status Adopt(const Head& head, const std::function<Result<std::optional<Kept>>()>&) override {
    return InTransaction([&]() -> Status {
      GC_TRY(Statement move, Prepare("UPDATE ledger_head SET size = ?, root = ?, fence = ?"));
      move.Bind(static_cast<int64_t>(head.size)).Bind(head.root).Bind(static_cast<int64_t>(head.fence));
      GC_TRY_VOID(move.Run());
      GC_TRY(Statement drop, Prepare("DELETE FROM ledger_kept"));
      return drop.Run();
    });
  }

 private:
  Result<Statement> Prepare(const char* sql) const { return connection_.statements.Prepare(sql); }

  template <typename Work>
  Status InTransaction(const Work& work) {
    GC_CHECK(!connection_.in_transaction);
    GC_TRY_VOID(Execute(connection_.database.get(), "BEGIN IMMEDIATE"));
    Status done = work();
    if (done) done = Execute(connection_.database.get(), "COMMIT");
    // A full disk may have rolled it back already.
    if (!done && sqlite3_get_autocommit(connection_.database.get()) == 0)
      (void)Execute(connection_.database.get(), "ROLLBACK");
    return done;
  }

  Status AdvanceInside(const Head& from, const Head& to, int64_t sequence, const std::string& framed) {
    {
      GC_TRY(Statement move, Prepare("UPDATE ledger_head SET size = ?, root = ? "
                                     "WHERE size = ? AND root = ? AND fence = ?"));
      move.Bind(static_cast<int64_t>(to.size)).Bind(to.root).Bind(static_cast<int64_t>(from.size));
      move.Bind(from.root).Bind(static_cast<int64_t>(from.fence));
      GC_TRY_VOID(move.Run());
    }
    if (sqlite3_changes(connection_.database.get()) == 0) {
      return Fail(Error(Code::kAborted, "the head of the ledger was moved by another custodian"));
    }
    GC_TRY(Statement drop, Prepare("DELETE FROM ledger_outbox WHERE sequence <= ?"));
    drop.Bind(sequence);
    GC_TRY_VOID(drop.Run());
    GC_TRY(Statement keep, Prepare("INSERT INTO ledger_kept (first, count, framed) VALUES (?, ?, ?)"));
    keep.Bind(static_cast<int64_t>(from.size)).Bind(static_cast<int64_t>(to.size - from.size));
    keep.BindBlob(framed);
    return keep.Run();
  }

  Connection& connection_;
};

}  // namespace

std::unique_ptr<ledger::Journal> MakeSqliteJournal(Connection& connection) {
  return std::make_unique<SqliteJournal>(connection);
}

}  // namespace glasscase::catalog
