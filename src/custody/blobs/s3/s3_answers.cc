#include "s3_answers.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <memory>
#include <optional>

#include <expat.h>

#include <glasscase/core/bytes.h>

namespace glasscase::blobs {
namespace {

// A page holds at most 1,000 objects of a dozen elements; names have at most 1,024 bytes.
constexpr size_t kXmlBytesMax = size_t{4} << 20;
constexpr size_t kElementsMax = 50'000;
constexpr size_t kDepthMax = 8;
constexpr size_t kTextBytesMax = 8 * 1024;

Error NotS3(std::string_view why) {
  return Error::DataLoss("the answer is not one of S3: " + std::string(why));
}

// Walks a document and calls back with the path ("ListBucketResult/Contents/Key") and text of each element,
// at its end, so that an element comes after those inside it.
class Walk {
 public:
  using Visit = std::function<Status(std::string_view path, std::string_view text)>;

  explicit Walk(Visit visit) : visit_(std::move(visit)), parser_(XML_ParserCreate("UTF-8")) {
    GC_CHECK(parser_ != nullptr);
    XML_SetUserData(parser_.get(), this);
    XML_SetElementHandler(parser_.get(), OnBegin, OnEnd);
    XML_SetCharacterDataHandler(parser_.get(), OnText);
    XML_SetStartDoctypeDeclHandler(parser_.get(), OnDoctype);
  }

  Status Run(std::string_view xml) {
    if (xml.size() > kXmlBytesMax) return Fail(NotS3("it is too long"));
    const XML_Status status = XML_Parse(parser_.get(), xml.data(), static_cast<int>(xml.size()), XML_TRUE);
    if (refused_) return Fail(*refused_);
    if (status != XML_STATUS_OK) return Fail(NotS3(XML_ErrorString(XML_GetErrorCode(parser_.get()))));
    return Ok();
  }

 private:
  struct EndsParser {
    void operator()(XML_Parser parser) const { XML_ParserFree(parser); }
  };

  static Walk& Of(void* user) { return *static_cast<Walk*>(user); }

  void Refuse(Error error) {
    if (!refused_) refused_ = std::move(error);
    XML_StopParser(parser_.get(), XML_FALSE);
  }

  // expat may call back a little more after it was stopped.
  static void OnBegin(void* user, const char* name, const char**) {
    Walk& walk = Of(user);
    if (walk.refused_) return;
    if (++walk.elements_ > kElementsMax || walk.lengths_.size() == kDepthMax ||
        walk.path_.size() > kTextBytesMax)
      return walk.Refuse(NotS3("it has too many elements"));
    walk.lengths_.push_back(walk.path_.size());
    if (!walk.path_.empty()) walk.path_ += '/';
    walk.path_ += name;
    walk.text_.clear();
  }

  static void OnEnd(void* user, const char*) {
    Walk& walk = Of(user);
    if (walk.refused_) return;
    auto visited = walk.visit_(walk.path_, walk.text_);
    if (!visited) return walk.Refuse(std::move(visited.error()));
    walk.path_.resize(walk.lengths_.back());
    walk.lengths_.pop_back();
    walk.text_.clear();
  }

  static void OnText(void* user, const char* text, int size) {
    Walk& walk = Of(user);
    if (walk.refused_) return;
    if (walk.text_.size() + static_cast<size_t>(size) > kTextBytesMax)
      return walk.Refuse(NotS3("a text in it is too long"));
    walk.text_.append(text, static_cast<size_t>(size));
  }

  // Entities are defined there, and S3 has none.
  static void OnDoctype(void* user, const char*, const char*, const char*, int) {
    Of(user).Refuse(NotS3("it has a document type"));
  }

  Visit visit_;
  std::unique_ptr<XML_ParserStruct, EndsParser> parser_;
  std::string path_;
  std::string text_;
  std::vector<size_t> lengths_;  // of path_, before each open element
  size_t elements_ = 0;
  std::optional<Error> refused_{};
};

Result<uint64_t> ReadCount(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    return Fail(NotS3("the size of an object is " + Printable(text, 40)));
  return value;
}

// Collects a page; `size` and `name` are of the object that is being read.
struct PageReader {
  ListPage page{};
  std::optional<std::string> name{};
  std::optional<uint64_t> bytes{};
  std::string truncated{};
  bool ended = false;

  Status Visit(std::string_view path, std::string_view text) {
    if (path == "ListBucketResult/Contents/Key") name = text;
    if (path == "ListBucketResult/IsTruncated") truncated = text;
    if (path == "ListBucketResult/NextContinuationToken") page.next = text;
    if (path == "ListBucketResult") ended = true;
    if (path == "ListBucketResult/Contents/Size") {
      GC_TRY(bytes, ReadCount(text));
    }
    if (path == "ListBucketResult/Contents") {
      if (!name || !bytes) return Fail(NotS3("a listed object has no name or no size"));
      page.objects.push_back({.name = *std::move(name), .bytes = *bytes});
      name.reset();
      bytes.reset();
    }
    return Ok();
  }
};

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&': escaped += "&amp;"; break;
      case '<': escaped += "&lt;"; break;
      case '>': escaped += "&gt;"; break;
      default: escaped += c;
    }
  }
  return escaped;
}

}  // namespace

Result<ListPage> ReadListPage(std::string_view xml) {
  PageReader reader;
  GC_TRY_VOID(
      Walk([&](std::string_view path, std::string_view text) { return reader.Visit(path, text); }).Run(xml));
  if (!reader.ended || (reader.truncated != "true" && reader.truncated != "false"))
    return Fail(NotS3("it is no listing"));
  // Half a list that looks whole would make blobs look lost.
  if ((reader.truncated == "true") != !reader.page.next.empty())
    return Fail(NotS3("it does not say where the listing goes on"));
  return std::move(reader.page);
}

Result<std::string> ReadUploadId(std::string_view xml) {
  std::string id;
  GC_TRY_VOID(Walk([&](std::string_view path, std::string_view text) {
                if (path == "InitiateMultipartUploadResult/UploadId") id = text;
                return Ok();
              }).Run(xml));
  if (id.empty()) return Fail(NotS3("it names no upload"));
  return id;
}

Result<S3Error> ReadS3Error(std::string_view xml) {
  S3Error error;
  GC_TRY_VOID(Walk([&](std::string_view path, std::string_view text) {
                if (path == "Error/Code") error.code = text;
                if (path == "Error/Message") error.message = text;
                return Ok();
              }).Run(xml));
  if (error.code.empty()) return Fail(NotS3("it is no error"));
  return error;
}

std::string CompletionOf(const std::vector<UploadedPart>& parts) {
  std::string xml = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (size_t i = 0; i < parts.size(); ++i)
    xml += "<Part><PartNumber>" + std::to_string(i + 1) + "</PartNumber><ETag>" + Escaped(parts[i].etag) +
           "</ETag><ChecksumSHA256>" + parts[i].sha256_base64 + "</ChecksumSHA256></Part>";
  return xml + "</CompleteMultipartUpload>";
}

}  // namespace glasscase::blobs
