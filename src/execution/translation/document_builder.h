// Puts a document together from what a reader meets in it, and refuses what no reader may let through.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <glasscase/core/error.h>
#include <glasscase/translation/document.h>

namespace glasscase::translation {

// Each function gives false after it has set `refusal`, and the reader stops. The reader opens, closes and
// names members in a well-formed order.
class DocumentBuilder {
 public:
  explicit DocumentBuilder(const DocumentOptions& options) : options_(options) {}

  std::optional<Error> refusal;

  bool OpenArray() { return Open(Value{Numbers{}}); }
  void Expect(size_t numbers);  // in the array that was opened last
  bool OpenObject() { return Open(Value{Members{}}); }
  bool Close();
  bool Key(std::string key);
  bool PutNumber(double number);
  bool PutText(std::string text) { return Put(Value{std::move(text)}); }
  bool PutBool(bool value) { return Put(Value{value}); }
  bool PutNull() { return Put(Value{}); }
  bool Refuse(Error error);

  bool complete() const { return complete_; }
  // Of the member that is being read; empty outside of objects.
  std::string_view Name() const;
  Value TakeRoot() { return std::move(root_); }

 private:
  struct Frame {
    Value container;
    std::string key;  // of the member whose value comes next
  };

  bool IsSkipping() const { return skip_next_ || skipped_open_ > 0; }
  bool Open(Value container);
  bool Put(Value value);
  bool PutIntoArray(Value& array, Value value);

  const DocumentOptions& options_;
  std::vector<Frame> open_;
  Value root_;
  size_t values_ = 0;
  size_t skipped_open_ = 0;  // containers of an unwanted member that are open
  bool skip_next_ = false;   // the next value belongs to an unwanted member
  bool complete_ = false;
};

}  // namespace glasscase::translation
