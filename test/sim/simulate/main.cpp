#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "sim/mutants.hpp"
#include "sim/simulation.hpp"

// simulate: runs seeds of the whole-cluster simulation on all cores and says how to replay what
// fails. scripts/simulate builds and starts it.

using namespace millrace;
using namespace millrace::sim;

namespace {

struct settings {
  std::uint64_t first = 1;
  std::uint64_t seeds = 1000;
  std::string scenario = "any";
  std::string mutant;
  std::set<std::size_t> without;
  unsigned jobs = std::max(1u, std::thread::hardware_concurrency());
  bool trace = false;
  bool minimise = false;
  bool hash = false;
  bool quiet = false;
};

[[noreturn]] void usage(const std::string& problem) {
  std::ostream& out = problem.empty() ? std::cout : std::cerr;
  if (!problem.empty()) out << "simulate: " << problem << "\n\n";
  out << "usage: simulate [--seeds N] [--first S] [--scenario X] [--trace] [--minimise]\n"
         "\n"
         "Runs simulated clusters, one for each seed, and checks what they do. (scripts/simulate "
         "takes\n"
         "--preset debug|tsan|release before all others.)\n"
         "\n"
         "  --seeds N      how many (1000)\n"
         "  --first S      the first seed (1)\n"
         "  --scenario X   any (default)";
  for (const auto& name : scenarios)
    if (name != "any") out << ", " << name;
  out << "\n"
         "  --trace        print every step and the log of all nodes; for one seed\n"
         "  --minimise     leave out faults of a failing seed as long as it still fails\n"
         "  --without A,B  leave out these faults of the plan\n"
         "  --mutant M     switch on a bug of the engine: "
      << "see --mutants\n"
         "  --mutants      list them\n"
         "  --hash         print a hash of the steps of each seed\n"
         "  --jobs N       processes (one for each core)\n"
         "  --quiet        no progress bar\n";
  std::exit(problem.empty() ? 0 : 2);
}

std::uint64_t number(std::string_view option, std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (bad != std::errc() || end != text.data() + text.size())
    usage(std::string(option) + " needs a number, not '" + std::string(text) + "'");
  return value;
}

settings parse(const std::vector<std::string>& arguments) {
  settings s;
  bool seeds_given = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto& option = arguments[i];
    const auto value = [&]() -> const std::string& {
      if (i + 1 == arguments.size()) usage(option + " needs a value");
      return arguments[++i];
    };
    if (option == "--seeds") {
      s.seeds = number(option, value());
      seeds_given = true;
    } else if (option == "--first") {
      s.first = number(option, value());
    } else if (option == "--scenario") {
      s.scenario = value();
    } else if (option == "--mutant") {
      s.mutant = value();
    } else if (option == "--jobs") {
      s.jobs = static_cast<unsigned>(std::max<std::uint64_t>(1, number(option, value())));
    } else if (option == "--without") {
      std::istringstream list(value());
      for (std::string one; std::getline(list, one, ',');) s.without.insert(number(option, one));
    } else if (option == "--trace") {
      s.trace = true;
    } else if (option == "--minimise") {
      s.minimise = true;
    } else if (option == "--hash") {
      s.hash = true;
    } else if (option == "--quiet") {
      s.quiet = true;
    } else if (option == "--mutants") {
      for (const auto& m : all_mutants) std::cout << m.name << ": " << m.what << '\n';
      std::exit(0);
    } else if (option == "--help" || option == "-h") {
      usage({});
    } else {
      usage("unknown option '" + option + "'");
    }
  }
  if (std::find(scenarios.begin(), scenarios.end(), s.scenario) == scenarios.end())
    usage("no scenario is called '" + s.scenario + "'");
  if (!s.mutant.empty() && !switch_on_mutant(s.mutant))
    usage("no mutant is called '" + s.mutant + "'");
  if (s.trace && !seeds_given) s.seeds = 1;
  return s;
}

std::string list_of(const std::set<std::size_t>& numbers) {
  std::string text;
  for (const auto n : numbers) text += (text.empty() ? "" : ",") + std::to_string(n);
  return text;
}

std::string replay(const settings& s, std::uint64_t seed, const std::set<std::size_t>& without) {
  std::string command =
      "scripts/simulate --first " + std::to_string(seed) + " --seeds 1 --scenario " + s.scenario;
  if (!s.mutant.empty()) command += " --mutant " + s.mutant;
  if (!without.empty()) command += " --without " + list_of(without);
  return command;
}

/// Leaves out one fault after the other as long as the run still fails.
std::set<std::size_t> minimise(const plan& p, std::set<std::size_t> without) {
  for (bool smaller = true; smaller;) {
    smaller = false;
    for (std::size_t i = 0; i < p.faults.size(); ++i) {
      if (without.contains(i)) continue;
      auto fewer = without;
      fewer.insert(i);
      if (simulation(p, {fewer, nullptr}).run().violations.empty()) continue;
      without = std::move(fewer);
      smaller = true;
    }
  }
  return without;
}

/// The report of a failing seed; empty if all is well.
std::string run_seed(const settings& s, std::uint64_t seed, std::string& hash) {
  const auto p = make_plan(s.scenario, seed);
  if (s.trace) std::cout << to_string(p);
  const auto outcome = simulation(p, {s.without, s.trace ? &std::cout : nullptr}).run();
  std::ostringstream text;
  if (s.hash || s.trace)
    text << "seed " << seed << " hash " << std::hex << outcome.trace_hash << std::dec << " steps "
         << outcome.steps << " virtual "
         << std::chrono::duration_cast<std::chrono::milliseconds>(outcome.virtual_time).count()
         << " ms finished " << outcome.jobs_finished << " otherwise "
         << outcome.jobs_ended_otherwise << '\n';
  hash = text.str();
  if (outcome.violations.empty()) return {};
  std::ostringstream report;
  auto without = s.without;
  if (s.minimise) without = minimise(p, without);
  report << "seed " << seed << " FAILS:\n";
  for (const auto& v : outcome.violations) report << "  " << v << '\n';
  report << "  replay: " << replay(s, seed, without) << " --trace\n" << to_string(p);
  if (!without.empty()) report << "  without faults " << list_of(without) << '\n';
  return report.str();
}

/// What a worker tells its parent: '.' and a text for a good seed, '!' and a report for a bad one.
void tell(int to, char kind, const std::string& text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  std::string message(1, kind);
  message.append(reinterpret_cast<const char*>(&size), sizeof size);
  message += text;
  for (std::size_t sent = 0; sent < message.size();) {
    const auto n = ::write(to, message.data() + sent, message.size() - sent);
    if (n <= 0) std::_Exit(3);
    sent += static_cast<std::size_t>(n);
  }
}

[[noreturn]] void work(const settings& s, std::uint64_t first, int to) {
  for (std::uint64_t seed = first; seed < s.first + s.seeds; seed += s.jobs) {
    std::string hash;
    const auto report = run_seed(s, seed, hash);
    std::cout.flush();
    tell(to, report.empty() ? '.' : '!', report.empty() ? hash : hash + report);
  }
  std::_Exit(0);
}

class progress_bar {
 public:
  progress_bar(std::uint64_t seeds, bool visible)
      : seeds_(seeds), visible_(visible && ::isatty(STDERR_FILENO) != 0) {}
  double rate() const {
    const std::chrono::duration<double> span = std::chrono::steady_clock::now() - start_;
    return static_cast<double>(done) / std::max(span.count(), 1e-9);
  }
  void show() const {
    if (!visible_) return;
    const auto filled = seeds_ == 0 ? 0 : 40 * done / seeds_;
    std::fprintf(stderr, "\r[%-40s] %llu/%llu seeds, %.0f seeds/s, %llu failing ",
                 std::string(filled, '#').c_str(), static_cast<unsigned long long>(done),
                 static_cast<unsigned long long>(seeds_), rate(),
                 static_cast<unsigned long long>(failing));
  }
  void clear() const {
    if (visible_) std::fprintf(stderr, "\r\033[K");
  }

  std::uint64_t done = 0;
  std::uint64_t failing = 0;

 private:
  std::uint64_t seeds_;
  bool visible_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

struct worker_link {
  int fd = -1;
  pid_t pid = 0;
  std::uint64_t next = 0;  ///< The seed it works at.
  std::string received;
};

void start_worker(const settings& s, worker_link& w) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("pipe() failed");
  std::cout.flush();
  w.pid = ::fork();
  if (w.pid < 0) throw std::runtime_error("fork() failed");
  if (w.pid == 0) {
    ::close(ends[0]);
    work(s, w.next, ends[1]);
  }
  ::close(ends[1]);
  w.fd = ends[0];
  w.received.clear();
}

/// Why a worker has ended, if not in order.
std::string wait_for(const worker_link& w) {
  int status = 0;
  ::waitpid(w.pid, &status, 0);
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  if (WEXITSTATUS(status) != 0) return "exit code " + std::to_string(WEXITSTATUS(status));
  return {};
}

/// Takes one message off what a worker has sent.
bool take_message(worker_link& w, char& kind, std::string& text) {
  constexpr std::size_t head = 1 + sizeof(std::uint32_t);
  if (w.received.size() < head) return false;
  std::uint32_t size = 0;
  std::copy_n(w.received.data() + 1, sizeof size, reinterpret_cast<char*>(&size));
  if (w.received.size() < head + size) return false;
  kind = w.received[0];
  text = w.received.substr(head, size);
  w.received.erase(0, head + size);
  return true;
}

int run_all(settings s) {
  constexpr std::uint64_t reports_max = 5;
  s.jobs =
      static_cast<unsigned>(std::min<std::uint64_t>(s.jobs, std::max<std::uint64_t>(s.seeds, 1)));
  std::vector<worker_link> workers(s.jobs);
  for (unsigned i = 0; i < s.jobs; ++i) {
    workers[i].next = s.first + i;
    start_worker(s, workers[i]);
  }

  progress_bar bar(s.seeds, !s.quiet && !s.trace);
  const auto finish_seed = [&](worker_link& w, bool failing, const std::string& text) {
    ++bar.done;
    w.next += s.jobs;
    if (failing) ++bar.failing;
    if (text.empty() || (failing && bar.failing > reports_max)) return;
    bar.clear();
    std::cout << text << std::flush;
  };
  for (std::size_t open = workers.size(); open != 0; bar.show()) {
    std::vector<pollfd> waiting;
    for (const auto& w : workers) waiting.push_back({w.fd, POLLIN, 0});
    ::poll(waiting.data(), waiting.size(), 500);
    for (std::size_t i = 0; i < workers.size(); ++i) {
      auto& w = workers[i];
      if (w.fd < 0 || waiting[i].revents == 0) continue;
      char buffer[65536];
      const auto n = ::read(w.fd, buffer, sizeof buffer);
      if (n > 0) {
        w.received.append(buffer, static_cast<std::size_t>(n));
        char kind = 0;
        for (std::string text; take_message(w, kind, text);) finish_seed(w, kind == '!', text);
        continue;
      }
      ::close(std::exchange(w.fd, -1));
      if (const auto why = wait_for(w); !why.empty()) {
        finish_seed(w, true,
                    "seed " + std::to_string(w.next) + " FAILS:\n  the process ended by " + why +
                        "\n  replay: " + replay(s, w.next, s.without) + "\n");
        if (w.next < s.first + s.seeds) {
          start_worker(s, w);
          continue;
        }
      }
      --open;
    }
  }
  bar.clear();
  std::cout << bar.done << " of " << s.seeds << " seeds of scenario " << s.scenario << ", "
            << bar.failing << " failing, " << static_cast<std::uint64_t>(bar.rate())
            << " seeds/s\n";
  return bar.failing == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  return run_all(parse({argv + 1, argv + argc}));
}
