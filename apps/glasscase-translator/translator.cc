#include "translator.h"

#include <memory>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <glasscase/crypto/sha256.h>
#include <glasscase/onnx/inspect.h>
#include <glasscase/onnx/write.h>
#include <glasscase/translation/onnx_file.h>
#include <glasscase/translation/read.h>

#include "engine_evaluator.h"
#include "plain_evaluator.h"

namespace glasscase::translator {
namespace {

namespace json = boost::json;
using translation::Model;
using translation::TreeEnsemble;

// "rain/a.csv: it is empty", for each that was given in vain.
json::array DataUnread(const translation::Evidence& evidence) {
  json::array unread;
  for (const translation::EvidenceData& one : evidence.data) {
    if (!one.why_not.empty()) unread.emplace_back(one.name + ": " + one.why_not);
  }
  return unread;
}

std::string Summary(const Model& model, const translation::Evidence& evidence,
                    const onnx::Description& written) {
  json::array outputs;
  for (const TensorSpec& spec : written.outputs) {
    outputs.push_back({{"name", spec.name},
                       {"datatype", std::string(DataTypeName(spec.datatype))},
                       {"shape", ShapeText(spec.shape)}});
  }
  json::object summary{{"source", model.source},
                       {"features", model.features},
                       {"outputs", std::move(outputs)},
                       {"opset", onnx::kWrittenOpset},
                       {"runtime", evidence.result_evaluator},
                       {"inputs", evidence.rows},
                       {"thresholds", evidence.thresholds},
                       {"thresholds_tried", evidence.thresholds_tried},
                       {"ranges",
                        {{"dataset", evidence.ranges.dataset},
                         {"thresholds", evidence.ranges.thresholds},
                         {"guessed", evidence.ranges.guessed},
                         {"unused", evidence.ranges.unused}}},
                       {"notes", json::array(model.notes.begin(), model.notes.end())},
                       {"data_unread", DataUnread(evidence)},
                       {"absolute_max", evidence.absolute_max},
                       {"holds", evidence.holds}};
  if (const auto* ensemble = std::get_if<TreeEnsemble>(&model.body)) {
    summary["trees"] = ensemble->trees.size();
    summary["nodes"] = ensemble->nodes.size();
  }
  return json::serialize(summary);
}

Status CheckWritten(const onnx::Description& written) {
  if (written.rows_independent) return Ok();
  return Fail(Error::Internal("the translation mixes rows: " + written.rows_reason));
}

}  // namespace

Result<Translation> Translate(ByteSpan file, inference::Engine& engine, const ReadData& read_data,
                              const OnProgress& on_progress) {
  on_progress("reading", 0, file.size());
  GC_TRY(const Model model, translation::Read(file));
  on_progress("writing", 0, 1);
  Translation made;
  GC_TRY(made.onnx, translation::WriteOnnx(model));
  on_progress("loading", 0, made.onnx.size());
  GC_TRY(const onnx::Description written, onnx::Inspect(AsBytes(made.onnx), {}, {}));
  GC_TRY_VOID(CheckWritten(written));
  const std::unique_ptr<translation::Evaluator> source = translation::MakeSourceEvaluator(model);
  GC_TRY(const std::unique_ptr<translation::Evaluator> result,
         LoadEvaluator(model, AsBytes(made.onnx), engine));
  GC_TRY(const std::unique_ptr<translation::Evaluator> second, ReadEvaluator(model, AsBytes(made.onnx)));
  translation::EvidenceOptions options{.data = read_data(model.features)};
  options.on_progress = [&](uint64_t done, uint64_t total) { on_progress("comparing", done, total); };
  GC_TRY(const translation::Evidence evidence,
         translation::Compare(model, *source, *result, second.get(), options));
  GC_TRY(made.evidence, translation::ToJson(evidence, {.source = model.source,
                                                       .source_sha256 = ToHex(Sha256(file)),
                                                       .result_sha256 = ToHex(Sha256(AsBytes(made.onnx))),
                                                       .notes = model.notes}));
  made.evidence += "\n";
  made.summary = Summary(model, evidence, written);
  if (!evidence.holds) made.why_not = translation::WhyNot(evidence);
  return made;
}

}  // namespace glasscase::translator
