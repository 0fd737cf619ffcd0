// Whatever an API server answers: no crash, and an end is one that the executor knows.
#include "log_lines.h"
#include "pod_state.h"

#include <glasscase/core/bytes.h>
#include <glasscase/json/strict.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace glasscase;
  using namespace glasscase::jobs;
  const std::string_view text = AsText({data, size});
  const Job job{.folder = "/x", .image = "r.example/a@sha256:" + std::string(64, 'a'), .command = {"train"}};
  if (const auto value = json::Parse(text, {})) {
    const ObjectView object = ReadObject(*value);
    if (object.has_failed) GC_CHECK(!EndOfObject(object, job).reason.empty());
    LastMessage(*value);
    NamesAndLabels(*value, "glasscase/job");
    const auto pods = ReadPods(*value);
    if (pods) {
      GC_CHECK((TheOne(*pods) == nullptr) == pods->empty());
      for (const PodView& pod : *pods) {
        const auto end = EndOfPod(pod, job);
        if (end) GC_CHECK(end->reason.empty() == (end->ending == Ending::kSucceeded));
        const auto hindrance = WhatHinders(pod, job);
        if (hindrance) GC_CHECK(!hindrance->reason.empty());
        GC_CHECK(DigestOfImage(pod.image_id).size() % 71 == 0);
      }
    }
  }
  // The same log again has nothing new, wherever it was cut.
  LogLines lines;
  size_t first = 0, second = 0;
  lines.Begin();
  lines.Take(text, [&](std::string_view piece) { first += piece.size(); });
  lines.End([&](std::string_view piece) { first += piece.size(); });
  GC_CHECK(first <= size);
  const std::string since = lines.since();
  GC_CHECK(since.empty() || ParseLogTime(since));
  lines.Begin();
  lines.Take(text.substr(0, size / 2), [&](std::string_view piece) { second += piece.size(); });
  lines.Take(text.substr(size / 2), [&](std::string_view piece) { second += piece.size(); });
  lines.End([&](std::string_view piece) { second += piece.size(); });
  GC_CHECK(second <= size);
  return 0;
}
