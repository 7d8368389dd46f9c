// One source sends records of 64 bytes to one sink in another slot sharing group, so that with one
// slot per task manager every record crosses from one node to another.

#include <array>
#include <cstdint>

#include "millrace/millrace.hpp"

struct sample {
  std::uint64_t sensor;
  std::array<std::uint64_t, 7> values;
};

void build(millrace::stream_environment& env, const millrace::arguments& args) {
  args.check_known({"records"});
  env.set_job_name("exchange");
  env.from_generator(
         [](std::uint64_t i) {
           return sample{i, {i, i, i, i, i, i, i}};
         },
         args.get_or<std::uint64_t>("records", 50'000'000))
      .slot_sharing_group("left")
      .rebalance()
      .add_sink([](const sample&) {})
      .slot_sharing_group("right");
}
