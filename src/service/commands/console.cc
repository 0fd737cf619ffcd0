#include "console.h"

#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include <boost/json/serialize.hpp>

#include "text.h"

namespace glasscase::commands {
namespace {

namespace json = boost::json;

// Keeps the terminal from showing what is typed, for as long as it lives.
class HiddenInput {
 public:
  HiddenInput() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios hidden = before_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0;
  }
  HiddenInput(const HiddenInput&) = delete;
  HiddenInput& operator=(const HiddenInput&) = delete;
  ~HiddenInput() {
    if (!changed_) return;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    std::cerr << "\n";
  }

 private:
  termios before_{};
  bool changed_ = false;
};

}  // namespace

Console::Console()
    : in_is_terminal_(isatty(STDIN_FILENO) == 1),
      out_is_terminal_(isatty(STDOUT_FILENO) == 1),
      err_is_terminal_(isatty(STDERR_FILENO) == 1) {}

void Console::Print(std::string_view text) const { std::cout << text << std::flush; }

void Console::PrintLine(std::string_view text) const { std::cout << text << "\n" << std::flush; }

void Console::PrintJson(const json::value& value) const { PrintLine(json::serialize(value)); }

void Console::PrintTable(const std::vector<std::vector<std::string>>& rows,
                         std::string_view when_empty) const {
  if (rows.size() < 2) {
    Note(when_empty);
    return;
  }
  const bool bold = out_is_terminal_ && std::getenv("NO_COLOR") == nullptr;
  Print(FormatTable(rows, bold));
}

void Console::Note(std::string_view text) const {
  if (!json) std::cerr << text << "\n";
}

void Console::PrintError(const Error& error) const {
  if (json) {
    std::cerr << json::serialize(json::object{{"error", error.message()}, {"code", CodeName(error.code())}})
              << "\n";
  } else {
    std::cerr << "glasscase: " << Visible(error.message(), true) << "\n";
  }
}

Result<Secret> Console::AskSecret(std::string_view prompt) const {
  std::string line;
  if (can_ask()) {
    std::cerr << prompt << ": " << std::flush;
    const HiddenInput hidden;
    std::getline(std::cin, line);
  } else {
    std::getline(std::cin, line);
  }
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
  if (line.empty())
    return Fail(Error::InvalidArgument(std::string(prompt) + ": nothing was given on standard input"));
  return Secret(std::move(line));
}

}  // namespace glasscase::commands
