#include "describe.h"

#include "audit_log.h"

namespace glasscase::operations {
namespace {

constexpr uint64_t kSampleElementsMax = 50'000;

rpc::Field Describe(const catalog::Field& field) {
  rpc::Field message;
  message.set_key(field.key);
  message.set_value(field.value);
  return message;
}

rpc::TensorInfo Describe(const TensorSpec& spec) {
  rpc::TensorInfo info;
  info.set_name(spec.name);
  info.set_datatype(std::string(DataTypeName(spec.datatype)));
  for (const int64_t dimension : spec.shape) info.add_shape(dimension);
  return info;
}

std::vector<int64_t> Concrete(const TensorSpec& spec) {
  std::vector<int64_t> shape = spec.shape;
  for (int64_t& dimension : shape)
    if (dimension < 0) dimension = 1;
  return shape;
}

}  // namespace

std::string_view KindName(catalog::AssetKind kind) {
  return kind == catalog::AssetKind::kDataset ? "dataset" : "model";
}

std::string_view StateName(catalog::VersionState state) {
  switch (state) {
    case catalog::VersionState::kPublished: return "published";
    case catalog::VersionState::kRetired: return "retired";
    case catalog::VersionState::kErased: return "erased";
    case catalog::VersionState::kDisabled: return "disabled";
  }
  return "unknown";
}

rpc::Version Describe(const catalog::Version& version) {
  rpc::Version message;
  message.set_id(version.id.ToString());
  message.set_version(version.label);
  message.set_sha256(ToHex(version.sha256));
  message.set_bytes(static_cast<int64_t>(version.bytes));
  message.set_state(std::string(StateName(version.state)));
  message.set_created_at(TimeText(version.created_micros));
  for (const TensorSpec& spec : version.inputs) *message.add_inputs() = Describe(spec);
  for (const TensorSpec& spec : version.outputs) *message.add_outputs() = Describe(spec);
  message.set_batched(version.rows_independent);
  message.set_batching_note(version.rows_reason);
  message.set_producer(version.producer);
  message.set_parameters(version.parameters);
  message.set_note(version.note);
  message.set_hosted(version.hostable);
  message.set_media_type(version.media_type);
  for (const catalog::Field& field : version.fields) *message.add_fields() = Describe(field);
  return message;
}

rpc::Model Describe(const catalog::Model& model, std::string_view owner_name,
                    const std::vector<catalog::Version>& versions) {
  rpc::Model message;
  message.set_id(model.id.ToString());
  message.set_name(std::string(owner_name) + "/" + model.name);
  message.set_owner(std::string(owner_name));
  message.set_created_at(TimeText(model.created_micros));
  message.set_kind(std::string(KindName(model.kind)));
  message.set_licence(model.licence);
  for (const std::string& tag : model.tags) message.add_tags(tag);
  for (const catalog::Field& field : model.fields) *message.add_fields() = Describe(field);
  if (const catalog::Version* version = DefaultVersion(model, versions))
    message.set_default_version(version->label);
  return message;
}

std::string SampleInput(const std::vector<TensorSpec>& inputs) {
  std::string body = "{\"inputs\":[";
  uint64_t elements = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorSpec& spec = inputs[i];
    const std::vector<int64_t> shape = Concrete(spec);
    const auto count = ElementCount(shape);
    if (!count || *count > kSampleElementsMax - elements) return {};
    elements += *count;
    const std::string_view zero = spec.datatype == DataType::kBool    ? "false"
                                  : spec.datatype == DataType::kBytes ? "\"\""
                                                                      : "0";
    body += (i == 0 ? "" : ",") + ("{\"name\":" + JsonText(spec.name)) + ",\"shape\":" + ShapeText(shape) +
            ",\"datatype\":\"" + std::string(DataTypeName(spec.datatype)) + "\",\"data\":[";
    for (uint64_t element = 0; element < *count; ++element) {
      if (element != 0) body += ',';
      body += zero;
    }
    body += "]}";
  }
  return body + "]}";
}

}  // namespace glasscase::operations
