// Makes a savepoint of one of running_counts: adds --add to each of its counts, which the operator
// with --uid has.

#include <cstdint>
#include <string>
#include <utility>

#include "millrace/millrace.hpp"
#include "millrace/state_processor/state_processor.hpp"

namespace {

struct count {
  std::string key;
  std::int64_t lines = 0;
};

}  // namespace

void build(millrace::stream_environment& env, const millrace::arguments& args) {
  args.check_known({"savepoint", "uid", "add", "output"});
  const auto savepoint = args.get<std::string>("savepoint");
  const auto uid = args.get<std::string>("uid");
  env.set_job_name("changed counts");
  const auto counts =
      millrace::savepoint_reader::read(env, savepoint)
          .read_keyed_state<std::string>(uid, millrace::folded_state<count>())
          .map([add = args.get<std::int64_t>("add")](const std::pair<std::string, count>& each) {
            return count{each.first, each.second.lines + add};
          });
  millrace::savepoint_writer::from_existing(env, savepoint)
      .remove_operator(uid)
      .with_operator(
          uid, millrace::operator_transformation::bootstrap_with(counts.key_by(&count::key)).fold())
      .write(args.get<std::string>("output"));
}
