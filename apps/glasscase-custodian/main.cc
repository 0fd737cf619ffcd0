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
#include "fsck.h"
#include "initialise.h"
#include "migrate.h"
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

int RunRepair(const std::string& directory) {
  const auto print = [](const char* verb) {
    return [verb](std::string_view where, std::string_view what) {
      std::printf("%s %.*s: %.*s\n", verb, static_cast<int>(where.size()), where.data(),
                  static_cast<int>(what.size()), what.data());
    };
  };
  const SystemClock clock;
  const Status repaired =
      custodian::Repair(directory, clock, {.repaired = print("repaired"), .left = print("left")});
  std::fflush(stdout);
  return Report(repaired);
}

// A line for each problem, and one that counts. 1 when there is any.
int RunFsck(const std::string& directory) {
  const SystemClock clock;
  const auto report = custodian::Fsck(directory, clock, [](std::string_view where, std::string_view what) {
    std::printf("%.*s: %.*s\n", static_cast<int>(where.size()), where.data(), static_cast<int>(what.size()),
                what.data());
  });
  if (!report) return Report(Fail(report.error()));
  std::printf("checked %llu entries, %llu assets, %llu blobs: %llu problems\n",
              static_cast<unsigned long long>(report->entries),
              static_cast<unsigned long long>(report->assets), static_cast<unsigned long long>(report->blobs),
              static_cast<unsigned long long>(report->problems));
  return report->problems == 0 ? 0 : 1;
}

int RunMigrate(const custodian::MigrateOptions& options) {
  const SystemClock clock;
  SystemRandom random;
  return Report(custodian::Migrate(options, clock, random, [](std::string_view sentence) {
    std::printf("%.*s\n", static_cast<int>(sentence.size()), sentence.data());
    std::fflush(stdout);
  }));
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

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Keeps the data of a Glasscase installation. Started by glasscased; by hand:",
               "glasscase-custodian");
  app.set_version_flag("--version", GLASSCASE_VERSION);
  custodian::InitialiseOptions initialise;
  std::string backup, restore, target, fsck;
  custodian::ServeOptions serve;
  auto* mode_initialise = app.add_option("--initialise", initialise.directory, "Make an installation in DIR");
  app.add_option("--owner", initialise.owner, "Name of the first subject")->needs(mode_initialise);
  app.add_flag("--new-token", initialise.new_token, "A further token for the first subject")
      ->needs(mode_initialise);
  auto* mode_backup = app.add_option("--backup", backup, "Back DIR up, also while it is served");
  auto* mode_restore = app.add_option("--restore", restore, "Make a data directory from BACKUP");
  auto* mode_fsck = app.add_option("--fsck", fsck, "Check DIR without changing anything");
  bool repair = false;
  app.add_flag("--repair", repair, "Before that rebuild what can be rebuilt")->needs(mode_fsck);
  mode_fsck->excludes(mode_initialise)->excludes(mode_backup)->excludes(mode_restore);
  app.add_option("--catalog", serve.stores.catalog, "postgresql://USER@HOST/DATABASE (default: catalog.db)");
  app.add_option("--blobs", serve.stores.blobs, "s3://BUCKET/PREFIX?endpoint=URL (default: blobs/)");
  app.add_option("--blob-cache", serve.stores.blob_cache_bytes,
                 "bytes of an s3 store that are kept in blobs/")
      ->transform(CLI::AsSizeValue(false));
  custodian::MigrateOptions migrate;
  auto* mode_migrate = app.add_option("--migrate", migrate.directory, "Move catalog and blobs of DIR");
  app.add_option("--to-catalog", migrate.to.catalog, "where to: as --catalog")->needs(mode_migrate);
  app.add_option("--to-blobs", migrate.to.blobs, "where to: as --blobs")->needs(mode_migrate);
  app.add_option("--server", serve.servers, "HOST:PORT that the relay carries connections to (repeat)")
      ->allow_extra_args(false);
  app.add_flag("--closed-log", serve.closed_log, "the ledger's files need a token");
  app.add_option("target,--to", target, "Where to");
  mode_initialise->excludes(mode_backup)->excludes(mode_restore);
  mode_backup->excludes(mode_restore);
  try {
    app.parse(argc, argv);
    if ((*mode_backup || *mode_restore) && target.empty()) throw CLI::RequiredError("--to");
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const SystemClock clock;
  if (*mode_initialise) return RunInitialise(initialise);
  if (*mode_backup) return Report(custodian::BackUp(backup, target, clock));
  if (*mode_restore) return Report(custodian::Restore(restore, target, clock));
  if (repair && RunRepair(fsck) != 0) return 1;
  if (*mode_fsck) return RunFsck(fsck);
  migrate.from = serve.stores;
  if (*mode_migrate) return RunMigrate(migrate);
  return RunServe(std::move(serve));
}
