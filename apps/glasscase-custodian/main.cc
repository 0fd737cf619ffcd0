// glasscase-custodian: keeps catalog, blobs and keys. Without arguments a child of glasscased; with one of
// the modes below, what `glasscase init`, `backup` and `restore` run.
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <glasscase/core/clock.h>
#include <glasscase/core/log.h>
#include <glasscase/crypto/random.h>

#include "backup.h"
#include "chain.h"
#include "fsck.h"
#include "initialise.h"
#include "migrate.h"
#include "renew.h"
#include "repair.h"
#include "serve.h"

namespace {

namespace custodian = glasscase::custodian;
using glasscase::Fail;
using glasscase::InitLog;
using glasscase::LogError;
using glasscase::Status;
using glasscase::SystemClock;
using glasscase::SystemRandom;

int Report(const Status& status) {
  if (status) return 0;
  std::fprintf(stderr, "glasscase-custodian: %s\n", status.error().message().c_str());
  return 1;
}

int RunInitialise(const custodian::InitialiseOptions& options) {
  const SystemClock clock;
  SystemRandom random;
  const auto said = custodian::Initialise(options, clock, random);
  if (!said) return Report(Fail(said.error()));
  std::printf("%s\n", said->c_str());
  return std::fflush(stdout) == 0 ? 0 : 1;
}

int RunRepair(const std::string& directory, const custodian::StoreSettings& stores) {
  const auto print = [](const char* verb) {
    return [verb](std::string_view where, std::string_view what) {
      std::printf("%s %.*s: %.*s\n", verb, static_cast<int>(where.size()), where.data(),
                  static_cast<int>(what.size()), what.data());
    };
  };
  const SystemClock clock;
  const Status repaired =
      custodian::Repair(directory, stores, clock, {.repaired = print("repaired"), .left = print("left")});
  std::fflush(stdout);
  return Report(repaired);
}

// A line for each problem, and one that counts. 1 when there is any.
int RunFsck(const std::string& directory, const custodian::StoreSettings& stores) {
  const SystemClock clock;
  const auto report =
      custodian::Fsck(directory, stores, clock, [](std::string_view where, std::string_view what) {
        std::printf("%.*s: %.*s\n", static_cast<int>(where.size()), where.data(),
                    static_cast<int>(what.size()), what.data());
      });
  if (!report) return Report(Fail(report.error()));
  std::printf("checked %llu entries, %llu assets, %llu blobs: %llu problems\n",
              static_cast<unsigned long long>(report->entries),
              static_cast<unsigned long long>(report->assets), static_cast<unsigned long long>(report->blobs),
              static_cast<unsigned long long>(report->problems));
  return report->problems == 0 ? 0 : 1;
}

void PrintLine(std::string_view sentence) {
  std::printf("%.*s\n", static_cast<int>(sentence.size()), sentence.data());
  std::fflush(stdout);
}

int RunMigrate(const custodian::MigrateOptions& options) {
  const SystemClock clock;
  SystemRandom random;
  return Report(custodian::Migrate(options, clock, random, PrintLine));
}

int RunRenewLog(const custodian::RenewOptions& options) {
  const SystemClock clock;
  SystemRandom random;
  return Report(custodian::RenewLog(options, clock, random, PrintLine));
}

int RunChainInit(const custodian::ChainInitOptions& options) {
  const SystemClock clock;
  SystemRandom random;
  return Report(custodian::InitialiseChain(options, clock, random, PrintLine));
}

int RunServe(custodian::ServeOptions options) {
  InitLog("glasscase-custodian");
  std::signal(SIGPIPE, SIG_IGN);
  // The terminal's Ctrl-C and a service manager's signal to everyone are the supervisor's to handle: it ends
  // the custodian last.
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGTERM, SIG_IGN);
  const Status served = custodian::Serve(std::move(options));
  if (!served) LogError(served.error().message());
  return served ? 0 : 1;
}

struct Arguments {
  custodian::InitialiseOptions initialise;
  std::string backup;
  std::string restore;
  std::string target;  // of both
  std::string fsck;
  bool repair = false;
  custodian::MigrateOptions migrate;
  custodian::RenewOptions renew;
  custodian::ChainInitOptions chain;
  custodian::ServeOptions serve;
};

void DeclareModes(CLI::App& app, Arguments& arguments) {
  auto* initialise =
      app.add_option("--initialise", arguments.initialise.directory, "Make an installation in DIR");
  app.add_option("--owner", arguments.initialise.owner, "Name of the first subject")->needs(initialise);
  app.add_flag("--new-token", arguments.initialise.new_token, "A further token for the first subject")
      ->needs(initialise);
  auto* backup = app.add_option("--backup", arguments.backup, "Back DIR up, also while it is served");
  auto* restore = app.add_option("--restore", arguments.restore, "Make a data directory from BACKUP");
  app.add_option("target,--to", arguments.target, "Where to");
  auto* fsck = app.add_option("--fsck", arguments.fsck, "Check DIR without changing anything");
  app.add_flag("--repair", arguments.repair, "Before that rebuild what can be rebuilt")->needs(fsck);
  auto* migrate = app.add_option("--migrate", arguments.migrate.directory, "Move catalog and blobs of DIR");
  app.add_option("--to-catalog", arguments.migrate.to.catalog, "where to: as --catalog")->needs(migrate);
  app.add_option("--to-blobs", arguments.migrate.to.blobs, "where to: as --blobs")->needs(migrate);
  auto* renew = app.add_option("--renew-log", arguments.renew.directory,
                               "The log of DIR goes on under a new name and key");
  auto* chain = app.add_option("--chain-init", arguments.chain.directory, "Configure a chain for DIR");
  custodian::ChainSettings& settings = arguments.chain.settings;
  app.add_option("--chain-url", settings.url, "of a node's JSON-RPC")->needs(chain);
  app.add_option("--chain-id", settings.chain_id, "which chain")->needs(chain);
  app.add_option("--chain-finality", settings.finality, "tag, immediate or a number")->needs(chain);
  app.add_flag("--chain-free", settings.free_of_fees, "takes transactions at a price of zero")->needs(chain);
  app.add_option("--chain-every-s", settings.anchor_every_s, "between checkpoints")->needs(chain);
  glasscase::ledger::evm::FeeLimits& limits = settings.limits;
  app.add_option("--chain-max-fee-per-gas", limits.max_fee_per_gas_wei, "wei")->needs(chain);
  app.add_option("--chain-max-priority-fee-per-gas", limits.max_priority_fee_per_gas_wei, "wei")
      ->needs(chain);
  app.add_option("--chain-max-transaction-fee", limits.max_transaction_fee_wei, "wei")->needs(chain);
  const std::vector<CLI::Option*> modes = {initialise, backup, restore, fsck, migrate, renew, chain};
  for (size_t i = 0; i < modes.size(); ++i)
    for (size_t j = i + 1; j < modes.size(); ++j) modes[i]->excludes(modes[j]);
}

void DeclareSettings(CLI::App& app, custodian::ServeOptions& serve) {
  app.add_option("--catalog", serve.stores.catalog, "postgresql://USER@HOST/DATABASE (default: catalog.db)");
  app.add_option("--blobs", serve.stores.blobs, "s3://BUCKET/PREFIX?endpoint=URL (default: blobs/)");
  app.add_option("--blob-cache", serve.stores.blob_cache_bytes, "Bytes of a bucket that are kept in blobs/")
      ->transform(CLI::AsSizeValue(false));
  app.add_option("--server", serve.servers, "HOST:PORT that the relay carries connections to (repeat)")
      ->allow_extra_args(false);
  app.add_flag("--closed-log", serve.closed_log, "The ledger's files need a token");
  app.add_option("--runs-per-owner", serve.runs_per_owner, "Runs of one owner at once");
  app.add_option("--uploads-expire-s", serve.uploads_expire_s,
                 "Drop an upload to which nothing came for so many seconds")
      ->check(CLI::Range(int64_t{1}, int64_t{365} * 86'400));
}

int Run(Arguments& arguments) {
  const SystemClock clock;
  const custodian::StoreSettings& stores = arguments.serve.stores;
  if (!arguments.initialise.directory.empty()) return RunInitialise(arguments.initialise);
  if (!arguments.backup.empty())
    return Report(custodian::BackUp(arguments.backup, arguments.target, stores, clock));
  if (!arguments.restore.empty())
    return Report(custodian::Restore(arguments.restore, arguments.target, clock));
  if (arguments.repair && RunRepair(arguments.fsck, stores) != 0) return 1;
  if (!arguments.fsck.empty()) return RunFsck(arguments.fsck, stores);
  arguments.migrate.from = stores;
  if (!arguments.migrate.directory.empty()) return RunMigrate(arguments.migrate);
  arguments.renew.stores = stores;
  if (!arguments.renew.directory.empty()) return RunRenewLog(arguments.renew);
  if (!arguments.chain.directory.empty()) return RunChainInit(arguments.chain);
  return RunServe(std::move(arguments.serve));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Keeps the data of a Glasscase installation. Started by glasscased; by hand:",
               "glasscase-custodian");
  app.set_version_flag("--version", GLASSCASE_VERSION);
  Arguments arguments;
  DeclareModes(app, arguments);
  DeclareSettings(app, arguments.serve);
  try {
    app.parse(argc, argv);
    const bool needs_target = !arguments.backup.empty() || !arguments.restore.empty();
    if (needs_target && arguments.target.empty()) throw CLI::RequiredError("--to");
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return Run(arguments);
}
