// The ledger's files on a disk that fails: how often the custodian's one thread tries again.
#include "ledger_desk.h"

#include "bench_test.h"

namespace glasscase::operations::testing {
namespace {

// Cannot be read, and takes its time to say so.
class FailingFiles final : public ledger::LogFiles {
 public:
  FailingFiles(ShiftedClock& clock, int64_t takes_ms) : clock_(clock), takes_ms_(takes_ms) {}
  Result<std::optional<std::string>> Read(std::string_view) const override {
    ++attempts;
    clock_.shift_micros += takes_ms_ * 1'000;
    return Fail(Error::Internal("cannot read"));
  }
  Status Write(std::string_view, std::string_view) override { return Ok(); }
  Status RemovePartials(const ledger::Tile&) override { return Ok(); }
  Status Sync(const std::vector<std::string>&) override { return Fail(Error::Internal("cannot sync")); }
  Status SyncAll() override { return Ok(); }

  mutable int attempts = 0;

 private:
  ShiftedClock& clock_;
  const int64_t takes_ms_;
};

class LedgerDeskTest : public OperationsTest {
 protected:
  LedgerDeskTest() {
    public_edge.reset();
    control.reset();
    operations.reset();  // the catalog is this desk's
  }
  int AttemptsWhenEachTakes(int64_t ms) {
    FailingFiles files(clock, ms);
    LedgerDesk desk(loop, clock, *catalog, files, LogSigner());
    EXPECT_TRUE(desk.Start());
    EXPECT_NE(desk.trouble().find("cannot read"), std::string::npos) << desk.trouble();
    const auto asking = loop.Every(20, [&] {
      desk.Poke();
      desk.PublishNow();
    });
    RunFor(2 * LedgerDesk::kTryAgainMs + 500);
    loop.Cancel(asking);
    return files.attempts;
  }
};

TEST_F(LedgerDeskTest, WhatFailsIsTriedAgainOnceASecondWhoeverAsks) {
  EXPECT_EQ(AttemptsWhenEachTakes(0), 3);
}

TEST_F(LedgerDeskTest, WhatTakesLongIsTriedAgainLater) { EXPECT_EQ(AttemptsWhenEachTakes(400), 1); }

}  // namespace
}  // namespace glasscase::operations::testing
