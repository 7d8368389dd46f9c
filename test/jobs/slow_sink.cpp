// Sources that make records as fast as they can, and a sink that takes --rate of them per second
// and subtask. The exchange between them crosses from every node to every other.

#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

#include "millrace/millrace.hpp"

void build(millrace::stream_environment& env, const millrace::arguments& args) {
  args.check_known({"rate", "bytes"});
  const auto rate = args.get_or<std::uint64_t>("rate", 10'000);
  const auto bytes = args.get_or<std::size_t>("bytes", 100);
  env.set_job_name("slow sink");
  env.from_generator([bytes](std::uint64_t index) {
       return std::string(bytes, static_cast<char>('a' + index % 26));
     })
      .name("fast source")
      .rebalance()
      .add_sink([rate, taken = std::uint64_t{0}](const std::string&) mutable {
        // A pause per record would be longer than asked for.
        constexpr std::uint64_t pauses_per_second = 100;
        if (++taken % (rate / pauses_per_second) == 0) {
          std::this_thread::sleep_for(std::chrono::milliseconds(1000 / pauses_per_second));
        }
      })
      .name("slow sink");
}
