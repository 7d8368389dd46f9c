#include "interrupt.hpp"

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <iostream>

#include <poll.h>
#include <unistd.h>

namespace millrace::cli {

namespace {

volatile std::sig_atomic_t interrupts_seen = 0;
/// What end_with_notice says. Never gone, since a handler may still run in another thread when
/// another one is set.
std::array<char, 512> notice;
std::atomic<std::size_t> notice_length{0};
static_assert(std::atomic<std::size_t>::is_always_lock_free, "signal handlers read it");

void count_interrupt(int) {
  interrupts_seen = interrupts_seen + 1;
}

/// Does nothing but what a handler may: the command waits in some lock.
void end_with_notice(int signal) {
  constexpr int exit_code_of_signals = 128;  // as shells have it
  static_cast<void>(!write(STDERR_FILENO, notice.data(), notice_length));
  _exit(exit_code_of_signals + signal);
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  // Without SA_RESTART: a question that waits for its answer is to notice.
  sigaction(signal, &action, nullptr);
}

}  // namespace

interrupt_counter::interrupt_counter() {
  handle(SIGINT, count_interrupt);
  handle(SIGTERM, count_interrupt);
}

interrupt_counter::~interrupt_counter() {
  handle(SIGINT, SIG_DFL);
  handle(SIGTERM, SIG_DFL);
}

int interrupt_counter::take() noexcept {
  const int seen = interrupts_seen;
  interrupts_seen = interrupts_seen - seen;
  return seen;
}

interrupt_notice::interrupt_notice(const std::string& line) {
  const auto text = "\nmillrace: " + line + '\n';
  notice_length = text.copy(notice.data(), notice.size());
  sigaction(SIGINT, nullptr, &interrupt_before_);
  sigaction(SIGTERM, nullptr, &termination_before_);
  // Who was started to ignore them goes on doing so.
  if (interrupt_before_.sa_handler != SIG_IGN) handle(SIGINT, end_with_notice);
  if (termination_before_.sa_handler != SIG_IGN) handle(SIGTERM, end_with_notice);
}

interrupt_notice::~interrupt_notice() {
  sigaction(SIGINT, &interrupt_before_, nullptr);
  sigaction(SIGTERM, &termination_before_, nullptr);
}

answer ask(const char* question, interrupt_counter& interrupts) {
  std::cerr << question << std::flush;
  pollfd input{STDIN_FILENO, POLLIN, 0};
  // The signal may be delivered to another thread and then interrupts nothing here.
  constexpr int look_again_ms = 100;
  while (poll(&input, 1, look_again_ms) <= 0) {
    if (interrupts.take() > 0) {
      std::cerr << '\n';
      return answer::no;
    }
  }
  char line[64];
  const ssize_t length = read(STDIN_FILENO, line, sizeof line);
  return length > 0 && (line[0] == 'y' || line[0] == 'Y') ? answer::yes : answer::no;
}

}  // namespace millrace::cli
