#include "infer_request.h"

#include <algorithm>
#include <cstring>

#include <simdjson.h>

#include "json_elements.h"
#include "problem.h"

namespace glasscase::http {
namespace {

namespace ondemand = simdjson::ondemand;

std::string InputPlace(size_t index) { return "inputs[" + std::to_string(index) + "]"; }

tl::unexpected<Error> Invalid(std::string message) {
  return Fail(Error::InvalidArgument(std::move(message)));
}

tl::unexpected<Error> BadJson(std::string_view where, simdjson::error_code error) {
  std::string message(where);
  if (error == simdjson::INCORRECT_TYPE) {
    message += ": has the wrong JSON type";
  } else if (error == simdjson::DEPTH_ERROR) {
    message += ": JSON is nested too deep";
  } else {
    message += ": is not valid JSON (";
    message += simdjson::error_message(error);
    message += ")";
  }
  return Invalid(std::move(message));
}

std::string Names(const std::vector<TensorSpec>& specs) {
  std::string text;
  for (const TensorSpec& spec : specs) {
    if (!text.empty()) text += ", ";
    text += "\"" + Printable(spec.name) + "\"";
  }
  return text;
}

const TensorSpec* FindSpec(const std::vector<TensorSpec>& specs, std::string_view name) {
  const auto found =
      std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& s) { return s.name == name; });
  return found == specs.end() ? nullptr : &*found;
}

// GC_TRY for simdjson's results.
#define GC_JSON(declaration, expression, where) \
  declaration;                                  \
  if (const auto json_error = (expression)) return BadJson(where, json_error)

Result<bool> ParseBoolParameter(ondemand::value value, const std::string& where) {
  GC_JSON(bool flag = false, value.get_bool().get(flag), where);
  return flag;
}

// The key is compared unescaped only when it has escapes.
std::string_view KeyOf(ondemand::field& field) {
  std::string_view key;
  return field.unescaped_key().get(key) == simdjson::SUCCESS ? key : std::string_view();
}

}  // namespace

class InferRequestParser::Reader {
 public:
  Status Parse(std::string_view body, std::optional<uint64_t> json_bytes, const access::VersionRow& version,
               InferRequest& out);

 private:
  // Members of one input in the order in which they come.
  struct Fields {
    std::string_view name, datatype, data;
    bool has_shape = false;
    std::optional<uint64_t> binary_bytes;
  };
  Status ParseJson(std::string_view json, size_t readable, const access::VersionRow& version,
                   InferRequest& out);
  Status ParseInputs(ondemand::value value, const access::VersionRow& version, InferRequest& out);
  Status ParseInput(ondemand::object object, size_t index, const access::VersionRow& version,
                    InferRequest& out);
  Status ParseInputParameters(ondemand::value value, const std::string& where, Fields& fields);
  Status CheckInputName(const Fields& fields, size_t index, const access::VersionRow& version,
                        InferRequest& out);
  Status ParseOutputs(ondemand::value value, const access::VersionRow& version, InferRequest& out);
  Result<InferOutput> ParseOutput(ondemand::object object, const std::string& where);
  Status ParseParameters(ondemand::value value, InferRequest& out);
  Status ParseRaw(std::string_view body, const access::VersionRow& version, InferRequest& out);
  Status FinishInput(const Fields& fields, size_t index, InferInput& input);
  Status TakeBinary(InferInput& input, uint64_t bytes, std::string_view where);

  ondemand::parser parser_;
  std::string padded_;    // a copy of the JSON part when the body has binary data after it
  ByteSpan binary_rest_;  // binary data not yet taken by an input
};

static_assert(kBodyPadding >= simdjson::SIMDJSON_PADDING);

InferRequestParser::InferRequestParser() : reader_(std::make_unique<Reader>()) {}
InferRequestParser::~InferRequestParser() = default;

Status InferRequestParser::Parse(std::string_view body, std::optional<uint64_t> json_bytes,
                                 const access::VersionRow& version, InferRequest& out) {
  return reader_->Parse(body, json_bytes, version, out);
}

bool InferRequest::WantsBinary(std::string_view output) const {
  for (const InferOutput& wanted : outputs) {
    if (wanted.name == output) return wanted.binary.value_or(binary_output);
  }
  return binary_output;
}

size_t InferRequest::CallBytes(std::string_view version) const {
  size_t bytes = rpc::CallWriter::BytesFor(version);
  for (const InferInput& input : inputs) {
    bytes += rpc::CallWriter::BytesForTensor(input.name, input.rank, input.data_bytes);
  }
  for (const InferOutput& output : outputs) bytes += rpc::CallWriter::BytesForTensor(output.name, 0, 0);
  return bytes;
}

Result<size_t> InferRequest::WriteTo(std::span<uint8_t> room, uint64_t id, const Digest& credential,
                                     const Uuid& model, std::string_view version, int64_t deadline_ns) const {
  rpc::CallWriter writer(room);
  bool fits = writer.Begin(id, credential, model, version, deadline_ns);
  for (size_t i = 0; i < inputs.size() && fits; ++i) {
    const InferInput& input = inputs[i];
    const std::span<uint8_t> data =
        writer.BeginInput(input.name, input.spec->datatype, input.shape(), input.data_bytes);
    fits = data.size() >= input.data_bytes;
    if (!fits) break;
    if (input.is_binary) {
      if (!input.binary.empty()) std::memcpy(data.data(), input.binary.data(), input.binary.size());
    } else if (input.spec->datatype == DataType::kBytes) {
      if (!input.strings.empty()) std::memcpy(data.data(), input.strings.data(), input.strings.size());
    } else {
      GC_TRY_VOID(ParseElements(input.json, input.spec->datatype, input.shape(), data.first(input.data_bytes),
                                InputPlace(i) + ".data"));
    }
    writer.EndInput(input.data_bytes);
  }
  for (size_t i = 0; i < outputs.size() && fits; ++i) fits = writer.AddOutput(outputs[i].name);
  if (!fits) return Fail(Error::Internal("a call did not fit its reservation"));
  return writer.Finish();
}

Status InferRequestParser::Reader::Parse(std::string_view body, std::optional<uint64_t> json_bytes,
                                         const access::VersionRow& version, InferRequest& out) {
  out.id_json.clear();
  out.inputs.clear();
  out.outputs.clear();
  out.binary_output = false;
  out.timeout_micros = 0;
  binary_rest_ = {};
  if (json_bytes == uint64_t{0}) return ParseRaw(body, version, out);
  if (!json_bytes) return ParseJson(body, body.size() + kBodyPadding, version, out);
  if (*json_bytes > body.size()) {
    return Invalid("Inference-Header-Content-Length is " + std::to_string(*json_bytes) +
                   ", but the body has only " + std::to_string(body.size()) + " bytes");
  }
  // What follows the JSON part is not padding but data, which simdjson may look at but must not take for
  // JSON; a copy with real padding keeps the two apart.
  padded_.assign(body.substr(0, *json_bytes));
  padded_.append(kBodyPadding, ' ');
  binary_rest_ = AsBytes(body.substr(*json_bytes));
  GC_TRY_VOID(ParseJson(std::string_view(padded_).substr(0, *json_bytes), padded_.size(), version, out));
  if (!binary_rest_.empty()) {
    return Invalid(std::to_string(binary_rest_.size()) +
                   " bytes of binary data are left over after all inputs took their binary_data_size");
  }
  return Ok();
}

Status InferRequestParser::Reader::ParseRaw(std::string_view body, const access::VersionRow& version,
                                            InferRequest& out) {
  if (version.inputs.size() != 1) {
    return Invalid(
        "a raw binary request (Inference-Header-Content-Length: 0) needs a model with one input; this has " +
        std::to_string(version.inputs.size()));
  }
  InferInput& input = out.inputs.emplace_back();
  input.spec = &version.inputs.front();
  input.name = input.spec->name;
  input.rank = static_cast<uint8_t>(input.spec->shape.size());
  std::copy(input.spec->shape.begin(), input.spec->shape.end(), input.dimensions.begin());
  const size_t element = ElementBytes(input.spec->datatype);
  int64_t* varying = nullptr;
  uint64_t fixed = 1;
  for (uint8_t i = 0; i < input.rank; ++i) {
    if (input.dimensions[i] >= 0) {
      fixed *= static_cast<uint64_t>(input.dimensions[i]);
      continue;
    }
    if (varying != nullptr)
      return Invalid("a raw binary request needs an input with at most one varying dimension");
    varying = &input.dimensions[i];
  }
  if (varying != nullptr) *varying = 1;  // dimension 0 as a batch of one, then what the data has
  if (varying != nullptr && element != 0 && fixed != 0) {
    *varying = static_cast<int64_t>(body.size() / element / fixed);
  }
  out.binary_output = true;
  input.is_binary = true;
  input.binary = AsBytes(body);
  input.data_bytes = body.size();
  return CheckTensorData(input.name, input.spec->datatype, input.shape(), input.binary);
}

Status InferRequestParser::Reader::ParseJson(std::string_view json, size_t readable,
                                             const access::VersionRow& version, InferRequest& out) {
  ondemand::document document;
  if (const auto error = parser_.iterate(json.data(), json.size(), readable).get(document))
    return BadJson("body", error);
  GC_JSON(ondemand::object root, document.get_object().get(root), "body");
  bool has_inputs = false;
  for (auto entry : root) {
    GC_JSON(ondemand::field field, std::move(entry).get(field), "body");
    const std::string_view key = KeyOf(field);
    if (key == "inputs") {
      if (has_inputs) return Invalid("inputs: appears twice");
      has_inputs = true;
      GC_TRY_VOID(ParseInputs(field.value(), version, out));
    } else if (key == "id") {
      GC_JSON(std::string_view id, field.value().get_string().get(id), "id");
      if (id.size() > 1024)
        return Invalid("id: has " + std::to_string(id.size()) + " bytes, at most 1024 are taken");
      out.id_json = "\"";
      AppendJsonEscaped(out.id_json, id);
      out.id_json += '"';
    } else if (key == "outputs") {
      if (!out.outputs.empty()) return Invalid("outputs: appears twice");
      GC_TRY_VOID(ParseOutputs(field.value(), version, out));
    } else if (key == "parameters") {
      GC_TRY_VOID(ParseParameters(field.value(), out));
    }
  }
  if (!document.current_location().error()) return Invalid("body: something follows the JSON object");
  if (!has_inputs) return Invalid("inputs: is missing");
  if (out.inputs.size() != version.inputs.size()) {
    for (const TensorSpec& spec : version.inputs) {
      const bool given = std::any_of(out.inputs.begin(), out.inputs.end(),
                                     [&](const InferInput& input) { return input.spec == &spec; });
      if (!given)
        return Invalid("inputs: \"" + Printable(spec.name) + "\" is missing; the model takes " +
                       Names(version.inputs));
    }
  }
  return Ok();
}

Status InferRequestParser::Reader::ParseInputs(ondemand::value value, const access::VersionRow& version,
                                               InferRequest& out) {
  GC_JSON(ondemand::array array, value.get_array().get(array), "inputs");
  out.inputs.reserve(version.inputs.size());
  for (auto element : array) {
    const size_t index = out.inputs.size();
    if (index == version.inputs.size()) {
      return Invalid("inputs: more than the " + std::to_string(version.inputs.size()) +
                     " that the model takes (" + Names(version.inputs) + ")");
    }
    GC_JSON(ondemand::object object, element.get_object().get(object), InputPlace(index));
    GC_TRY_VOID(ParseInput(object, index, version, out));
  }
  return Ok();
}

Status InferRequestParser::Reader::ParseInput(ondemand::object object, size_t index,
                                              const access::VersionRow& version, InferRequest& out) {
  Fields fields;
  InferInput& input = out.inputs.emplace_back();
  const auto place = [&](std::string_view member) { return InputPlace(index) + "." + std::string(member); };
  for (auto entry : object) {
    GC_JSON(ondemand::field field, std::move(entry).get(field), InputPlace(index));
    const std::string_view key = KeyOf(field);
    if (key == "name") {
      if (!fields.name.empty()) return Invalid(place(key) + ": appears twice");
      if (const auto error = field.value().get_string().get(fields.name)) return BadJson(place(key), error);
    } else if (key == "datatype") {
      if (const auto error = field.value().get_string().get(fields.datatype))
        return BadJson(place(key), error);
    } else if (key == "shape") {
      if (fields.has_shape) return Invalid(place(key) + ": appears twice");
      fields.has_shape = true;
      GC_JSON(ondemand::array dimensions, field.value().get_array().get(dimensions), place(key));
      for (auto dimension : dimensions) {
        if (input.rank == kRankMax) return Invalid(place(key) + ": has more than 16 dimensions");
        GC_JSON(int64_t size = 0, dimension.get_int64().get(size), place(key));
        input.dimensions[input.rank++] = size;
      }
    } else if (key == "data") {
      if (!fields.data.empty()) return Invalid(place(key) + ": appears twice");
      GC_JSON(ondemand::array data, field.value().get_array().get(data), place(key));
      if (const auto error = data.raw_json().get(fields.data)) return BadJson(place(key), error);
    } else if (key == "parameters") {
      GC_TRY_VOID(ParseInputParameters(field.value(), place(key), fields));
    }
  }
  GC_TRY_VOID(CheckInputName(fields, index, version, out));
  return FinishInput(fields, index, input);
}

Status InferRequestParser::Reader::ParseInputParameters(ondemand::value value, const std::string& where,
                                                        Fields& fields) {
  GC_JSON(ondemand::object parameters, value.get_object().get(parameters), where);
  for (auto entry : parameters) {
    GC_JSON(ondemand::field parameter, std::move(entry).get(parameter), where);
    const std::string_view name = KeyOf(parameter);
    if (name.starts_with("shared_memory_")) {
      return Fail(Error::Unimplemented(where + "." + std::string(name) +
                                       ": shared memory is not offered; send the data in the request"));
    }
    if (name != "binary_data_size") continue;
    GC_JSON(uint64_t bytes = 0, parameter.value().get_uint64().get(bytes), where + ".binary_data_size");
    fields.binary_bytes = bytes;
  }
  return Ok();
}

// Finds the model's input of that name; the datatype must be the model's.
Status InferRequestParser::Reader::CheckInputName(const Fields& fields, size_t index,
                                                  const access::VersionRow& version, InferRequest& out) {
  InferInput& input = out.inputs[index];
  const std::string where = InputPlace(index);
  input.spec = FindSpec(version.inputs, fields.name);
  if (fields.name.empty()) return Invalid(where + ".name: is missing");
  if (input.spec == nullptr) {
    return Invalid(where + ".name: the model has no input \"" + Printable(fields.name) + "\"; it takes " +
                   Names(version.inputs));
  }
  input.name = input.spec->name;
  for (size_t i = 0; i < index; ++i) {
    if (out.inputs[i].spec == input.spec)
      return Invalid(where + ".name: \"" + Printable(fields.name) + "\" is given twice");
  }
  if (fields.datatype != DataTypeName(input.spec->datatype)) {
    return Invalid(where + ".datatype: \"" + Printable(fields.datatype) + "\", but \"" +
                   Printable(input.name) + "\" takes " + std::string(DataTypeName(input.spec->datatype)));
  }
  return Ok();
}

// Shape and data, once all members are known.
Status InferRequestParser::Reader::FinishInput(const Fields& fields, size_t index, InferInput& input) {
  const std::string where = InputPlace(index);
  if (!fields.has_shape) return Invalid(where + ".shape: is missing");
  const Result<uint64_t> count = ElementCount(input.shape());
  if (!count) return Invalid(where + ".shape: " + count.error().message());
  if (!ShapeFits(input.spec->shape, input.shape())) {
    return Invalid(where + ".shape: " + ShapeText(input.shape()) + ", but \"" + Printable(input.name) +
                   "\" takes " + ShapeText(input.spec->shape) + " (-1: any size)");
  }
  if (fields.binary_bytes && !fields.data.empty()) {
    return Invalid(where + ": has both data and parameters.binary_data_size");
  }
  if (fields.binary_bytes) return TakeBinary(input, *fields.binary_bytes, where);
  if (fields.data.empty()) return Invalid(where + ".data: is missing");
  input.json = fields.data;
  while (!input.json.empty() && input.json.back() != ']')
    input.json.remove_suffix(1);  // simdjson keeps white space
  // Each element takes a character and a comma or bracket, so a huge shape cannot make us reserve much.
  if (*count > input.json.size()) {
    return Invalid(where + ".data: too short for the " + std::to_string(*count) + " values of the shape " +
                   ShapeText(input.shape()));
  }
  if (input.spec->datatype == DataType::kBytes) {
    GC_TRY_VOID(ParseStringElements(input.json, input.shape(), input.strings, where + ".data"));
    input.data_bytes = input.strings.size();
    return Ok();
  }
  input.data_bytes = *count * ElementBytes(input.spec->datatype);
  return Ok();
}

Status InferRequestParser::Reader::TakeBinary(InferInput& input, uint64_t bytes, std::string_view where) {
  if (bytes > binary_rest_.size()) {
    return Invalid(std::string(where) + ".parameters.binary_data_size: " + std::to_string(bytes) +
                   ", but only " + std::to_string(binary_rest_.size()) +
                   " bytes of binary data are left (is Inference-Header-Content-Length right?)");
  }
  input.is_binary = true;
  input.binary = binary_rest_.first(bytes);
  input.data_bytes = bytes;
  binary_rest_ = binary_rest_.subspan(bytes);
  const Status fits = CheckTensorData(input.name, input.spec->datatype, input.shape(), input.binary);
  return fits ? fits : Fail(fits.error().WithContext(where));
}

Status InferRequestParser::Reader::ParseOutputs(ondemand::value value, const access::VersionRow& version,
                                                InferRequest& out) {
  GC_JSON(ondemand::array array, value.get_array().get(array), "outputs");
  for (auto element : array) {
    const std::string where = "outputs[" + std::to_string(out.outputs.size()) + "]";
    if (out.outputs.size() == version.outputs.size()) {
      return Invalid("outputs: more than the " + std::to_string(version.outputs.size()) +
                     " that the model has (" + Names(version.outputs) + ")");
    }
    GC_JSON(ondemand::object object, element.get_object().get(object), where);
    GC_TRY(InferOutput output, ParseOutput(object, where));
    if (FindSpec(version.outputs, output.name) == nullptr) {
      return Invalid(where + ".name: the model has no output \"" + Printable(output.name) + "\"; it has " +
                     Names(version.outputs));
    }
    for (const InferOutput& other : out.outputs) {
      if (other.name == output.name)
        return Invalid(where + ".name: \"" + Printable(output.name) + "\" is asked for twice");
    }
    out.outputs.push_back(std::move(output));
  }
  return Ok();
}

Result<InferOutput> InferRequestParser::Reader::ParseOutput(ondemand::object object,
                                                            const std::string& where) {
  InferOutput output;
  for (auto entry : object) {
    GC_JSON(ondemand::field field, std::move(entry).get(field), where);
    const std::string_view key = KeyOf(field);
    if (key == "name") {
      GC_JSON(std::string_view name, field.value().get_string().get(name), where + ".name");
      output.name = name;
    }
    if (key != "parameters") continue;
    GC_JSON(ondemand::object parameters, field.value().get_object().get(parameters), where + ".parameters");
    for (auto parameter_entry : parameters) {
      GC_JSON(ondemand::field parameter, std::move(parameter_entry).get(parameter), where + ".parameters");
      const std::string_view name = KeyOf(parameter);
      if (name == "binary_data") {
        GC_TRY(output.binary, ParseBoolParameter(parameter.value(), where + ".parameters.binary_data"));
      } else if (name == "classification" || name.starts_with("shared_memory_")) {
        return Fail(Error::Unimplemented(where + ".parameters." + std::string(name) + ": is not offered"));
      }
    }
  }
  return output;
}

Status InferRequestParser::Reader::ParseParameters(ondemand::value value, InferRequest& out) {
  GC_JSON(ondemand::object object, value.get_object().get(object), "parameters");
  for (auto entry : object) {
    GC_JSON(ondemand::field field, std::move(entry).get(field), "parameters");
    const std::string_view key = KeyOf(field);
    if (key == "binary_data_output") {
      GC_TRY(out.binary_output, ParseBoolParameter(field.value(), "parameters.binary_data_output"));
    } else if (key == "timeout") {
      GC_JSON(uint64_t micros = 0, field.value().get_uint64().get(micros), "parameters.timeout");
      out.timeout_micros = micros;
    } else if (key.starts_with("sequence_")) {
      return Fail(Error::Unimplemented("parameters." + std::string(key) + ": sequences are not offered"));
    }
  }
  return Ok();
}

#undef GC_JSON

}  // namespace glasscase::http
