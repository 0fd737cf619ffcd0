// Where a command's answers go: results to stdout, everything else to stderr.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

#include <glasscase/core/error.h>
#include <glasscase/core/secret.h>

namespace glasscase::commands {

class Console {
 public:
  bool json = false;  // --json: results are JSON on stdout, errors JSON on stderr

  Console();

  // To stdout. `text` is printed as it is: whoever quotes a server makes it Visible first.
  void Print(std::string_view text) const;
  void PrintLine(std::string_view text) const;
  void PrintJson(const boost::json::value& value) const;
  // The first row is the heading; prints `when_empty` when there is no other.
  void PrintTable(const std::vector<std::vector<std::string>>& rows, std::string_view when_empty) const;

  // To stderr, and only where people read: not with --json.
  void Note(std::string_view text) const;
  void PrintError(const Error& error) const;

  bool shows_progress() const { return err_is_terminal_ && !json; }
  bool can_ask() const { return in_is_terminal_ && err_is_terminal_; }

  // Asks for a secret without showing what is typed; reads one line from stdin when that is no terminal.
  Result<Secret> AskSecret(std::string_view prompt) const;

 private:
  bool in_is_terminal_ = false;
  bool out_is_terminal_ = false;
  bool err_is_terminal_ = false;
};

}  // namespace glasscase::commands
