#include "job_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include <boost/json.hpp>

#include <glasscase/process/fd.h>

namespace glasscase::jobs {
namespace {

namespace bj = boost::json;

// Every member of the limits, so that none is forgotten on one side.
template <typename L, typename F>
void EachLimit(L& limits, const F& visit) {
  visit("cpus", limits.cpus);
  visit("processes", limits.processes);
  visit("memory_bytes", limits.memory_bytes);
  visit("disk_bytes", limits.disk_bytes);
  visit("temporary_bytes", limits.temporary_bytes);
  visit("files", limits.files);
  visit("log_bytes", limits.log_bytes);
  visit("wall_ms", limits.wall_ms);
  visit("grace_ms", limits.grace_ms);
}
template <typename U, typename F>
void EachUse(U& usage, const F& visit) {
  visit("wall_ms", usage.wall_ms);
  visit("cpu_ms", usage.cpu_ms);
  visit("memory_peak_bytes", usage.memory_peak_bytes);
  visit("disk_bytes", usage.disk_bytes);
  visit("log_bytes", usage.log_bytes);
}

// A file of our own program, read by our own program: what is wrong in it is no one's fault but ours.
template <typename T, typename F>
Result<T> ReadOwn(const std::string& text, const char* what, const F& read) {
  try {
    return read(bj::parse(text));
  } catch (const std::exception& error) {
    return Fail(Error::Internal(std::string(what) + " cannot be read: " + error.what()));
  }
}

bj::array AsArray(const std::vector<std::string>& texts) { return bj::array(texts.begin(), texts.end()); }

}  // namespace

std::string WriteJob(const JobFile& file) {
  const Job& job = file.job;
  bj::object limits, environment;
  bj::array mounts;
  EachLimit(job.limits, [&](const char* name, auto value) { limits[name] = value; });
  for (const auto& [name, value] : job.environment) environment[name] = value;
  for (const Mount& mount : job.mounts)
    mounts.emplace_back(bj::object{{"from", mount.from}, {"to", mount.to}});
  return bj::serialize(bj::object{{"command", AsArray(job.command)},
                                  {"environment", std::move(environment)},
                                  {"folder", job.folder},
                                  {"limits", std::move(limits)},
                                  {"mounts", std::move(mounts)},
                                  {"patience_ms", file.patience_ms},
                                  {"umask", job.umask}});
}

Result<JobFile> ReadJob(const std::string& text) {
  return ReadOwn<JobFile>(text, "the job", [](const bj::value& value) {
    const bj::object& from = value.as_object();
    JobFile file{
        .job = {.folder = bj::value_to<std::string>(from.at("folder")),
                .command = bj::value_to<std::vector<std::string>>(from.at("command")),
                .environment = bj::value_to<std::map<std::string, std::string>>(from.at("environment")),
                .umask = from.at("umask").to_number<mode_t>()},
        .patience_ms = from.at("patience_ms").to_number<int64_t>()};
    for (const bj::value& mount : from.at("mounts").as_array())
      file.job.mounts.push_back({.from = bj::value_to<std::string>(mount.as_object().at("from")),
                                 .to = bj::value_to<std::string>(mount.as_object().at("to"))});
    EachLimit(file.job.limits, [&](const char* name, auto& limit) {
      limit = from.at("limits").as_object().at(name).to_number<std::decay_t<decltype(limit)>>();
    });
    return file;
  });
}

std::string WriteEnd(const JobEnd& end) {
  bj::object usage;
  EachUse(end.usage, [&](const char* name, auto value) { usage[name] = value; });
  return bj::serialize(bj::object{{"ending", static_cast<uint32_t>(end.ending)},
                                  {"exit_code", end.exit_code},
                                  {"in_force", AsArray(end.in_force)},
                                  {"machine", end.machine},
                                  {"missing", AsArray(end.missing)},
                                  {"reason", end.reason},
                                  {"signal", end.signal},
                                  {"usage", std::move(usage)}});
}

Result<JobEnd> ReadEnd(const std::string& text) {
  return ReadOwn<JobEnd>(text, "the end of the job", [](const bj::value& value) {
    const bj::object& from = value.as_object();
    const auto ending = from.at("ending").to_number<uint8_t>();
    if (ending > static_cast<uint8_t>(Ending::kNotStarted)) throw std::runtime_error("unknown ending");
    JobEnd end{.ending = static_cast<Ending>(ending),
               .exit_code = from.at("exit_code").to_number<int>(),
               .signal = from.at("signal").to_number<int>(),
               .reason = bj::value_to<std::string>(from.at("reason")),
               .machine = bj::value_to<std::string>(from.at("machine")),
               .in_force = bj::value_to<std::vector<std::string>>(from.at("in_force")),
               .missing = bj::value_to<std::vector<std::string>>(from.at("missing"))};
    EachUse(end.usage, [&](const char* name, auto& use) {
      use = from.at("usage").as_object().at(name).to_number<std::decay_t<decltype(use)>>();
    });
    return end;
  });
}

Status WriteText(const std::string& path, const std::string& text) {
  const std::string unfinished = path + ".new";
  const Fd file(::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file.valid() || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::fsync(file.get()) != 0 || std::rename(unfinished.c_str(), path.c_str()) != 0)
    return Fail(Error::FromErrno(errno, "cannot write " + path));
  return Ok();
}

}  // namespace glasscase::jobs
