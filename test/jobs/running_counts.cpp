// From files to files: counts the lines of --input by key, slowly, and writes each new count to
// --output, or nowhere. What is slow is the reading (--pause-us for a line) or the counting
// (--count-pause-us), which holds the reading back.

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "millrace/millrace.hpp"

namespace {

struct count {
  std::string key;
  std::int64_t lines = 0;
};

}  // namespace

void build(millrace::stream_environment& env, const millrace::arguments& args) {
  args.check_known({"input", "output", "pause-us", "count-pause-us", "sink-parallelism"});
  const std::chrono::microseconds pause(args.get_or("pause-us", 500));
  const std::chrono::microseconds count_pause(args.get_or("count-pause-us", 0));
  env.set_job_name("running counts");
  const auto counts = env.read_text_file(args.get<std::string>("input"), {.split_bytes = 2'000})
                          .map([pause](std::string line) {
                            std::this_thread::sleep_for(pause);
                            return count{std::move(line), 1};
                          })
                          .key_by(&count::key)
                          .sum(&count::lines)
                          .map([count_pause](count c) {
                            std::this_thread::sleep_for(count_pause);
                            return c;
                          });
  auto sink =
      args.has("output") ? counts.write_as_csv(args.get<std::string>("output")) : counts.discard();
  // Its files are named by subtask, so it can't be rescaled with the rest.
  if (args.has("sink-parallelism"))
    sink.set_parallelism(args.get<std::uint32_t>("sink-parallelism"));
}
