#include "pod_state.h"

#include <algorithm>
#include <array>

#include <glasscase/core/bytes.h>
#include <glasscase/jobs/image_name.h>
#include <glasscase/jobs/namespaces.h>

namespace glasscase::jobs {
namespace {

namespace bj = boost::json;

constexpr size_t kWordsMax = 600;
constexpr int64_t kMakePatienceMs = 60'000;  // a container that a node tries to make again and again

const bj::value* Find(const bj::value* value, std::string_view name) {
  const bj::object* const object = value != nullptr ? value->if_object() : nullptr;
  return object != nullptr ? object->if_contains(name) : nullptr;
}
const bj::value* Find(const bj::value* value, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) value = Find(value, name);
  return value;
}
std::string Text(const bj::value* value, std::initializer_list<std::string_view> names) {
  const bj::value* const found = Find(value, names);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}
int Whole(const bj::value* value, std::string_view name) {
  const bj::value* const found = Find(value, name);
  boost::system::error_code code;
  const int number = found != nullptr && found->is_number() ? found->to_number<int>(code) : 0;
  return code ? 0 : number;
}
const bj::array& Items(const bj::value* value, std::initializer_list<std::string_view> names) {
  static const bj::array kNone;
  const bj::value* const found = Find(value, names);
  return found != nullptr && found->is_array() ? found->get_array() : kNone;
}

void ReadConditions(const bj::value& from, PodView& pod) {
  for (const bj::value& condition : Items(&from, {"status", "conditions"})) {
    const std::string type = Text(&condition, {"type"}), status = Text(&condition, {"status"});
    if (type == "PodScheduled" && status == "False" && Text(&condition, {"reason"}) != "SchedulingGated")
      pod.unschedulable = Text(&condition, {"message"});
    if (type == "DisruptionTarget" && status == "True")
      pod.disruption = Text(&condition, {"reason"}) + ": " + Text(&condition, {"message"});
  }
}

void ReadContainer(const bj::value& status, PodView& pod) {
  pod.image_id = Text(&status, {"imageID"});
  const bj::value* const state = Find(&status, "state");
  const bj::value* one = nullptr;
  for (const auto& [name, container] :
       {std::pair("terminated", ContainerState::kTerminated), std::pair("running", ContainerState::kRunning),
        std::pair("waiting", ContainerState::kWaiting)}) {
    one = Find(state, name);
    if (one == nullptr) continue;
    pod.container = container;
    break;
  }
  pod.container_reason = Text(one, {"reason"});
  pod.container_message = Text(one, {"message"});
  pod.exit_code = Whole(one, "exitCode");
  pod.signal = Whole(one, "signal");
}

PodView ReadPod(const bj::value& from) {
  PodView pod{.name = Text(&from, {"metadata", "name"}),
              .node = Text(&from, {"spec", "nodeName"}),
              .created = Text(&from, {"metadata", "creationTimestamp"}),
              .phase = Text(&from, {"status", "phase"}),
              .reason = Text(&from, {"status", "reason"}),
              .message = Text(&from, {"status", "message"}),
              .is_being_deleted = !Text(&from, {"metadata", "deletionTimestamp"}).empty()};
  ReadConditions(from, pod);
  const bj::array& containers = Items(&from, {"status", "containerStatuses"});
  if (!containers.empty()) ReadContainer(containers[0], pod);
  return pod;
}

JobEnd End(Ending ending, std::string reason) { return {.ending = ending, .reason = std::move(reason)}; }

std::string TooLong(const Job& job) {
  return "it took longer than " + std::to_string(job.limits.wall_ms / 1000) + " s";
}

bool SaysOneOf(const std::string& words, std::initializer_list<const char*> what) {
  return std::ranges::any_of(what, [&](const char* one) { return words.find(one) != std::string::npos; });
}

// The node could not start the program: the image has none of that name, or it is none.
JobEnd EndOfStart(const PodView& pod, const Job& job) {
  const std::string words = Printable(pod.container_message, kWordsMax);
  const bool is_theirs = SaysOneOf(pod.container_message, {"no such file or directory", "not found in $PATH",
                                                           "permission denied", "exec format error"});
  return End(is_theirs ? Ending::kFailed : Ending::kNotStarted,
             "the program " + Printable(job.command.empty() ? "" : job.command[0]) +
                 " could not be started: " + words);
}

JobEnd EndOfContainer(const PodView& pod, const Job& job) {
  if (pod.container_reason == "OOMKilled")
    return End(Ending::kOverMemory, "it used more memory than " +
                                        std::to_string(job.limits.memory_bytes >> 20) + " MiB (OOMKilled)");
  if (pod.exit_code == 0 && pod.signal == 0) return End(Ending::kSucceeded, "");
  if (SaysOneOf(pod.container_reason, {"StartError", "ContainerCannotRun"})) return EndOfStart(pod, job);
  JobEnd end{.ending = Ending::kFailed, .exit_code = pod.exit_code, .signal = pod.signal, .reason = ""};
  if (end.signal != 0) end.exit_code = 0;
  ExplainExit(end, "");
  return end;
}

// Evicted: for its own hunger, or for the node's need.
JobEnd EndOfEviction(const PodView& pod) {
  const bool is_theirs = SaysOneOf(
      pod.message,
      {"exceeds the total limit", "exceeded its local ephemeral storage limit", "exceeds the limit"});
  if (is_theirs)
    return End(Ending::kOverDisk,
               "it wrote more than it was given outside /out: " + Printable(pod.message, kWordsMax));
  return End(Ending::kNotStarted, "its node put it out: " + Printable(pod.message, kWordsMax));
}

}  // namespace

Result<std::vector<PodView>> ReadPods(const bj::value& list) {
  const bj::value* const items = Find(&list, "items");
  if (items == nullptr || (!items->is_array() && !items->is_null()))
    return Fail(Error::Internal("Kubernetes answers with no list of pods"));
  std::vector<PodView> pods;
  for (const bj::value& item : Items(&list, {"items"})) pods.push_back(ReadPod(item));
  return pods;
}

const PodView* TheOne(const std::vector<PodView>& pods) {
  const auto before = [](const PodView& a, const PodView& b) {
    if (a.is_being_deleted != b.is_being_deleted) return a.is_being_deleted;
    return a.created < b.created;
  };
  const auto found = std::max_element(pods.begin(), pods.end(), before);
  return found == pods.end() ? nullptr : &*found;
}

std::optional<JobEnd> EndOfPod(const PodView& pod, const Job& job) {
  const bool is_over = pod.phase == "Failed" || pod.phase == "Succeeded";
  const bool has_ended = pod.container == ContainerState::kTerminated;
  if (!is_over && !has_ended) return std::nullopt;
  if (pod.reason == "DeadlineExceeded") return End(Ending::kTimedOut, TooLong(job) + " (DeadlineExceeded)");
  if (has_ended && pod.container_reason == "OOMKilled") return EndOfContainer(pod, job);
  if (has_ended && pod.exit_code == 0 && pod.signal == 0 && pod.phase != "Failed")
    return EndOfContainer(pod, job);
  if (pod.reason == "Evicted") return EndOfEviction(pod);
  if (!pod.disruption.empty())
    return End(Ending::kNotStarted, "the cluster took it away: " + Printable(pod.disruption, kWordsMax));
  if (pod.is_being_deleted) return End(Ending::kNotStarted, "somebody else deleted its pod " + pod.name);
  if (has_ended && pod.reason.empty()) return EndOfContainer(pod, job);
  // "NodeLost", "NodeShutdown", "OutOfcpu", "UnexpectedAdmissionError", …
  return End(Ending::kNotStarted, "its node did not run it to its end: " + Printable(pod.reason) + ": " +
                                      Printable(pod.message, kWordsMax));
}

std::optional<Hindrance> WhatHinders(const PodView& pod, const Job& job) {
  const std::string& why = pod.container_reason;
  const std::string words = Printable(pod.container_message, kWordsMax);
  if (pod.container == ContainerState::kNone && !pod.unschedulable.empty())
    return Hindrance{.reason = "no node of the cluster takes it: " + Printable(pod.unschedulable, kWordsMax)};
  if (pod.container != ContainerState::kWaiting) return std::nullopt;
  const std::string image = "the image " + job.image + " could not be fetched: ";
  if (why == "InvalidImageName" || why == "SignatureValidationFailed")
    return Hindrance{.ending = Ending::kFailed, .reason = image + why + ": " + words, .is_final = true};
  if (why == "ErrImagePull" || why == "ImagePullBackOff" || why == "RegistryUnavailable" ||
      why == "ImageInspectError") {
    if (IsRefusalOfRegistry(pod.container_message))
      return Hindrance{.ending = Ending::kFailed, .reason = image + words, .is_final = true};
    return Hindrance{.reason = image + words};
  }
  if (why == "ErrImageNeverPull") return Hindrance{.reason = image + words, .is_final = true};
  if (why.starts_with("Create") || why == "RunContainerError")
    return Hindrance{.reason = "its node could not make the container: " + why + ": " + words,
                     .patience_ms = kMakePatienceMs};
  return std::nullopt;  // "ContainerCreating"
}

ObjectView ReadObject(const bj::value& object) {
  ObjectView view;
  for (const bj::value& condition : Items(&object, {"status", "conditions"})) {
    const std::string type = Text(&condition, {"type"});
    if ((type != "Failed" && type != "FailureTarget") || Text(&condition, {"status"}) != "True") continue;
    view = {
        .has_failed = true, .reason = Text(&condition, {"reason"}), .message = Text(&condition, {"message"})};
  }
  const std::string phase = Text(&object, {"status", "phase"});  // a Workflow's
  if (phase == "Failed" || phase == "Error")
    view = {.has_failed = true, .reason = phase, .message = Text(&object, {"status", "message"})};
  return view;
}

JobEnd EndOfObject(const ObjectView& object, const Job& job) {
  if (object.reason == "DeadlineExceeded")
    return End(Ending::kTimedOut, TooLong(job) + " (DeadlineExceeded)");
  return End(Ending::kNotStarted, "the cluster ended it: " + Printable(object.reason) + ": " +
                                      Printable(object.message, kWordsMax));
}

std::vector<std::pair<std::string, std::string>> NamesAndLabels(const bj::value& list,
                                                                std::string_view label) {
  std::vector<std::pair<std::string, std::string>> found;
  for (const bj::value& item : Items(&list, {"items"}))
    found.emplace_back(Text(&item, {"metadata", "name"}), Text(&item, {"metadata", "labels", label}));
  return found;
}

std::string LastMessage(const bj::value& list) {
  std::string time, message;
  const bj::array& items = Items(&list, {"items"});
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string at = Text(&items[i], {"lastTimestamp"});
    if (at < time) continue;
    time = at;
    message = Text(&items[i], {"message"});
  }
  return message;
}

std::string DigestOfImage(const std::string& image_id) {
  const size_t at = image_id.rfind("@sha256:");
  if (at == std::string::npos || !DigestFromHex(std::string_view(image_id).substr(at + 8))) return "";
  return image_id.substr(at + 1);
}

}  // namespace glasscase::jobs
