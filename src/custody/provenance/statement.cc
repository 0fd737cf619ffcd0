#include <glasscase/provenance/statement.h>

#include <glasscase/json/canonical.h>
#include <glasscase/json/object_reader.h>
#include <glasscase/provenance/bundle.h>

namespace glasscase::provenance {

using json::Element;
using json::ObjectReader;

Result<std::string> WriteStatement(const Statement& statement) {
  boost::json::array subjects;
  for (const Subject& subject : statement.subjects)
    subjects.push_back(boost::json::object{
        {"name", subject.name}, {"digest", boost::json::object{{"sha256", ToHex(subject.sha256)}}}});
  return json::WriteCanonical(boost::json::object{{"_type", kStatementType},
                                                  {"subject", std::move(subjects)},
                                                  {"predicateType", statement.predicate_type},
                                                  {"predicate", statement.predicate}});
}

Result<Statement> ParseStatement(std::string_view text) {
  const auto value = json::Parse(text, {.bytes_max = kBundleBytesMax, .depth_max = 32});
  if (!value) return Fail(value.error().WithContext("statement"));
  GC_TRY(const ObjectReader object, ObjectReader::Open(*value, "statement"));
  GC_TRY(const std::string type, object.String("_type"));
  if (type != kStatementType)
    return Fail(object.Wrong("_type", "is " + Printable(type) + ", not " + std::string(kStatementType)));
  Statement statement;
  GC_TRY(statement.predicate_type, object.String("predicateType"));
  GC_TRY(const auto* subjects, object.Array("subject"));
  if (subjects->empty()) return Fail(object.Wrong("subject", "must name at least one subject"));
  for (size_t i = 0; i < subjects->size(); ++i) {
    GC_TRY(const ObjectReader subject, ObjectReader::Open((*subjects)[i], Element("statement.subject", i)));
    GC_TRY(const ObjectReader digest, subject.Object("digest"));
    Subject read;
    GC_TRY(read.name, subject.String("name"));
    GC_TRY(read.sha256, digest.Sha256("sha256"));
    statement.subjects.push_back(std::move(read));
  }
  GC_TRY(const ObjectReader predicate, object.Object("predicate"));
  statement.predicate = predicate.object();
  return statement;
}

}  // namespace glasscase::provenance
