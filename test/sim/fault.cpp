#include "sim/fault.hpp"

namespace millrace::sim {

namespace {

/// With longer delays a link is as good as cut: a task manager's first heartbeat comes after its
/// registration was answered and an interval has passed, and a timer may be late too.
constexpr std::chrono::seconds tolerable_delay{1};

}  // namespace

bool may_fail_jobs(const fault& f, std::chrono::nanoseconds latency_max) {
  switch (f.kind) {
    case fault_kind::slow_link:
      return latency_max * f.amount > tolerable_delay;
    case fault_kind::storage_slow:
    case fault_kind::timers_late:
      return false;
    default:
      return true;
  }
}

std::string to_string(const fault& f) {
  const auto name = [](std::size_t machine) { return "n" + std::to_string(machine); };
  const auto a = name(f.a);
  const auto both = a + " and " + name(f.b);
  const auto amount = std::to_string(f.amount);
  std::string what;
  switch (f.kind) {
    case fault_kind::crash:
      what = "crash " + a;
      break;
    case fault_kind::pause:
      what = "pause " + a;
      break;
    case fault_kind::cut:
      what = "cut the link between " + both;
      break;
    case fault_kind::cut_one_way:
      what = "cut the link from " + a + " to " + name(f.b);
      break;
    case fault_kind::slow_link:
      what = "slow the link between " + both + " down " + amount + " times";
      break;
    case fault_kind::storage_fails:
      what = "let " + amount + " % of the storage calls of " + a + " fail";
      break;
    case fault_kind::storage_torn:
      what = "let " + amount + " % of the writes of " + a + " stop in the middle";
      break;
    case fault_kind::storage_unsure:
      what = "let " + amount + " % of the changes to the storage of " + a +
             " fail, and as many say that they have failed";
      break;
    case fault_kind::storage_slow:
      what = "let the storage calls of " + a + " take " + amount + " ms";
      break;
    case fault_kind::timers_late:
      what = "delay timers of " + a + " by " + amount + " ms";
      break;
    case fault_kind::master_hangs:
      what = "put another one in the place of the master's process, which hangs";
      break;
    case fault_kind::library_lost:
      what = "delete the job libraries of " + a;
      break;
    case fault_kind::dispatcher_dies:
      what = "kill the dispatcher";
      break;
    case fault_kind::resource_manager_dies:
      what = "kill the resource manager";
      break;
    case fault_kind::job_master_dies:
      what = "kill a job master";
      break;
    case fault_kind::task_dies:
      what = "kill task " + amount + " of " + a;
      break;
  }
  const auto length = f.kind == fault_kind::library_lost || f.length.count() == 0
                          ? std::string()
                          : " for " + std::to_string(f.length.count()) + " ms";
  return "at step " + std::to_string(f.at_step) + ": " + what + length;
}

}  // namespace millrace::sim
