// From files to files: counts the lines of --input by key, slowly, and writes each new count to
// --output, or nowhere. What is slow is the reading (--pause-us for a line) or the counting
// (--count-pause-us), which holds the reading back; until there is a file --slow-until, if that is
// given. The counting throws once for each time that there is a file --throw-at, and removes it.
// With --as-state the state backend has the counts; a keyed sum keeps its own.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "millrace/millrace.hpp"

namespace {

struct count {
  std::string key;
  std::int64_t lines = 0;
};

/// What makes a function slow.
class pauses {
 public:
  pauses(std::chrono::microseconds each, std::string until)
      : each_(each), until_(std::move(until)) {}

  void make_one() {
    if (each_.count() == 0) return;
    std::this_thread::sleep_for(each_);
    if (!until_.empty() && std::filesystem::exists(until_)) each_ = {};
  }

 private:
  std::chrono::microseconds each_;
  std::string until_;
};

/// What makes a function throw.
class trap {
 public:
  explicit trap(std::string path) : path_(std::move(path)) {}

  void step_on() const {
    std::error_code ignored;
    if (!path_.empty() && std::filesystem::remove(path_, ignored))
      throw std::runtime_error("there was a file " + path_);
  }

 private:
  std::string path_;
};

/// As the sum, by state.
class counter {
 public:
  void open(millrace::keyed_runtime_context<std::string>& context) {
    lines_ = context.get_state(millrace::value_state_descriptor<std::int64_t>("lines"));
  }
  void process_element(const count& c, millrace::keyed_process_context<std::string>&,
                       millrace::collector<count>& out) {
    out.emit({c.key, lines_.get_or_default() += c.lines});
  }

 private:
  millrace::value_state<std::int64_t> lines_;
};

}  // namespace

void build(millrace::stream_environment& env, const millrace::arguments& args) {
  args.check_known({"input", "output", "pause-us", "count-pause-us", "slow-until", "throw-at",
                    "as-state", "sink-parallelism"});
  const auto slow = [&](const std::string& option, std::int64_t us) {
    return pauses(std::chrono::microseconds(args.get_or(option, us)),
                  args.get_or("slow-until", std::string()));
  };
  env.set_job_name("running counts");
  const trap throws(args.get_or("throw-at", std::string()));
  const auto lines = env.read_text_file(args.get<std::string>("input"), {.split_bytes = 2'000})
                         .map([reading = slow("pause-us", 500)](std::string line) mutable {
                           reading.make_one();
                           return count{std::move(line), 1};
                         })
                         .key_by(&count::key);
  const millrace::data_stream<count> totals =
      args.has("as-state") ? lines.process(counter()) : lines.sum(&count::lines);
  const auto counts = totals.map([counting = slow("count-pause-us", 0), throws](count c) mutable {
    counting.make_one();
    throws.step_on();
    return c;
  });
  auto sink =
      args.has("output") ? counts.write_as_csv(args.get<std::string>("output")) : counts.discard();
  // Its files are named by subtask, so it can't be rescaled with the rest.
  if (args.has("sink-parallelism"))
    sink.set_parallelism(args.get<std::uint32_t>("sink-parallelism"));
}
