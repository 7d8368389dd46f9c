#include "millrace/actors/program_embedded.hpp"

#include <charconv>
#include <string>
#include <string_view>

namespace millrace {

namespace {

constexpr std::string_view prefix = "millrace.embedded-program=";

std::uint64_t mark_of(const graph::job_graph& graph) noexcept {
  if (graph.arguments.empty()) return 0;
  const std::string_view text = graph.arguments.back();
  if (!text.starts_with(prefix)) return 0;
  std::uint64_t mark = 0;
  std::from_chars(text.data() + prefix.size(), text.data() + text.size(), mark);
  return mark;
}

}  // namespace

std::uint64_t embedded_program_provider::add(graph::job_graph& graph,
                                             std::shared_ptr<const job_program> program) {
  std::lock_guard guard(mutex_);
  const auto mark = ++last_;
  programs_.emplace(mark, std::move(program));
  graph.arguments.push_back(std::string(prefix) + std::to_string(mark));
  return mark;
}

void embedded_program_provider::forget(std::uint64_t mark) {
  std::shared_ptr<const job_program> last;  // the user's objects end outside of the lock
  std::lock_guard guard(mutex_);
  if (auto found = programs_.extract(mark); !found.empty()) last = std::move(found.mapped());
}

result<std::shared_ptr<const job_program>> embedded_program_provider::load(
    const job_id& job, const graph::job_graph& graph, const std::string&) {
  std::lock_guard guard(mutex_);
  const auto found = programs_.find(mark_of(graph));
  if (found == programs_.end())
    return fail(errc::internal, "the program of job " + to_string(job) + " ('" + graph.name +
                                    "') is not in this process");
  return found->second;
}

}  // namespace millrace
