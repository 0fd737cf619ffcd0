#include "interrupt.h"

#include <csignal>
#include <initializer_list>

namespace glasscase::commands {
namespace {

volatile std::sig_atomic_t interrupted = 0;

void OnSignal(int signal) {
  if (interrupted != 0) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  interrupted = 1;
}

void Install(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  for (const int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  interrupted = 0;
  Install(OnSignal);
}

InterruptGuard::~InterruptGuard() {
  Install(SIG_DFL);
  interrupted = 0;
}

bool Interrupted() { return interrupted != 0; }

void ForgetInterrupt() { interrupted = 0; }

}  // namespace glasscase::commands
