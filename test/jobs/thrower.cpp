// A job whose function throws at one record.

#include <cstdint>
#include <stdexcept>

#include "millrace/millrace.hpp"

void build(millrace::stream_environment& env, const millrace::arguments& args) {
  args.check_known({"at"});
  const auto at = args.get_or<std::uint64_t>("at", 1000);
  env.set_job_name("thrower");
  env.from_generator([](std::uint64_t index) { return index; },
                     {.count = {}, .per_second = 100'000.0})
      .map([at](const std::uint64_t& index) {
        if (index == at) throw std::runtime_error("record " + std::to_string(index) + " is bad");
        return index;
      })
      .name("fragile map")
      .disable_chaining()
      .discard();
}
