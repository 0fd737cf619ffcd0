// What the API server says of a job: its pod, and the object that made it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <boost/json.hpp>

#include <glasscase/jobs/executor.h>

namespace glasscase::jobs {

enum class ContainerState : uint8_t { kNone, kWaiting, kRunning, kTerminated };

struct PodView {
  std::string name;
  std::string node;
  std::string created;  // its time, as text
  std::string phase;    // "Pending", "Running", "Succeeded", "Failed", "Unknown"
  std::string reason, message;
  bool is_being_deleted = false;
  std::string unschedulable{};  // the scheduler's words, while it finds no node
  std::string disruption{};     // why the cluster takes it away: "PreemptionByScheduler: …"
  ContainerState container = ContainerState::kNone;
  std::string container_reason{}, container_message{};
  int exit_code = 0;
  int signal = 0;
  std::string image_id{};
};

// The pods of a PodList. Internal when it is none. What is missing or of another type is as if it were empty.
Result<std::vector<PodView>> ReadPods(const boost::json::value& list);

// Of several, the one that counts: not on its way out, then the youngest.
const PodView* TheOne(const std::vector<PodView>& pods);

// How the pod ended; nothing: it has not.
std::optional<JobEnd> EndOfPod(const PodView& pod, const Job& job);

// What keeps the pod from beginning. Nodes try most things again by themselves.
struct Hindrance {
  Ending ending = Ending::kNotStarted;
  std::string reason;
  bool is_final = false;     // waiting changes nothing
  int64_t patience_ms = -1;  // after which it is taken as final; -1: as long as a start may take
};
std::optional<Hindrance> WhatHinders(const PodView& pod, const Job& job);

// What the Job or the Workflow itself says: that it failed, and why.
struct ObjectView {
  bool has_failed = false;
  std::string reason, message;
};
ObjectView ReadObject(const boost::json::value& object);
// Where no pod tells more.
JobEnd EndOfObject(const ObjectView& object, const Job& job);

// A label of a list's items, "" for those without.
std::vector<std::pair<std::string, std::string>> NamesAndLabels(const boost::json::value& list,
                                                                std::string_view label);

// The last message of a list of events; empty: there are none.
std::string LastMessage(const boost::json::value& list);

// The digest in what a node calls an image's id, "registry.example/x@sha256:…"; empty: there is none.
std::string DigestOfImage(const std::string& image_id);

}  // namespace glasscase::jobs
