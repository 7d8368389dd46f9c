#include "millrace/operators/sequence_source.hpp"

#include <algorithm>

namespace millrace {

void sequence_source::open(operator_context& context) {
  if (last_ < first_) return;
  // All of int64 is 2^64 numbers: one more than 64 bits can count.
  __extension__ using wide = unsigned __int128;
  const wide numbers =
      wide{static_cast<std::uint64_t>(last_) - static_cast<std::uint64_t>(first_)} + 1;
  const auto& self = context.runtime();
  const wide begin = numbers * self.subtask_index() / self.parallelism();
  const wide end = numbers * (self.subtask_index() + 1) / self.parallelism();
  next_ = static_cast<std::uint64_t>(first_) + static_cast<std::uint64_t>(begin);
  total_ = static_cast<std::uint64_t>(end - begin);
}

poll_status sequence_source::poll() {
  const auto count = std::min<std::uint64_t>(out_.room(), total_ - done_);
  auto& rows = out_.rows();
  for (std::uint64_t i = 0; i < count; ++i) rows.push_back(static_cast<std::int64_t>(next_ + i));
  next_ += count;
  done_ += count;
  out_.flush();
  return done_ == total_ ? poll_status::finished : poll_status::more;
}

std::shared_ptr<const operator_factory> make_sequence_source(std::int64_t first,
                                                             std::int64_t last) {
  return make_factory<void, std::int64_t>(
      [first, last] { return std::make_unique<sequence_source>(first, last); });
}

}  // namespace millrace
