#include "millrace/state_processor/saved_state_enumerator.hpp"

#include <algorithm>
#include <iterator>
#include <memory>
#include <set>
#include <utility>

#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/checkpoint/snapshot_inspection.hpp"
#include "millrace/checkpoint/state_file.hpp"
#include "millrace/core/codec.hpp"
#include "millrace/core/key_group.hpp"
#include "millrace/state/state_evolution.hpp"
#include "millrace/state_processor/saved_operator.hpp"
#include "millrace/state_processor/saved_states.hpp"

namespace millrace {

namespace {

/// Several for each reader, so that one that is slow leaves more to the others.
constexpr std::uint32_t splits_per_reader = 4;

using splits = std::vector<saved_state_split>;

result<splits> split_keyed_state(const operator_metadata& op, std::uint32_t parallelism) {
  const bool has_any = std::any_of(op.subtasks.begin(), op.subtasks.end(),
                                   [](const auto& s) { return s.state.keyed.has_value(); });
  if (!has_any)
    return fail(errc::invalid_argument, subject_of(op) + " has no keyed state in the snapshot");
  const auto count = std::min(op.max_parallelism, splits_per_reader * parallelism);
  splits all;
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto groups = key_group_range_of(i, op.max_parallelism, count);
    all.push_back(
        {op.name, op.uid, op.max_parallelism, groups.first, groups.last, groups.first, 0});
  }
  return all;
}

/// What does not fit about a state of the name that is asked for.
status check_operator_state(const operator_metadata& op,
                            const saved_state_query::operator_state& wanted,
                            const saved_operator_state& saved) {
  const auto state = "operator state '" + wanted.name + "' of " + subject_of(op);
  if (saved.mode != wanted.mode)
    return fail(errc::type_mismatch, state + " is a " + std::string(to_string(saved.mode)) +
                                         ", and a " + std::string(to_string(wanted.mode)) +
                                         " was asked for: read it as what it is");
  // An empty list has no type, for whoever restores it, too.
  const bool is_copy = wanted.mode == operator_state_mode::broadcast;
  if (saved.type == wanted.type || (saved.elements.empty() && !is_copy)) return {};
  if (const auto how = type_evolution::between(saved.type, wanted.type); !how)
    return fail(errc::type_mismatch,
                state + " can't be read as the type that was asked for: " + how.error().message +
                    ": ask for it with the type that it was saved with");
  return {};
}

result<splits> split_operator_state(file_system& files, const std::string& directory,
                                    const operator_metadata& op,
                                    const saved_state_query::operator_state& wanted) {
  splits all;
  std::uint64_t type = 0;  // of the latest
  std::set<std::string> known;
  for (std::uint32_t i = 0; i < op.subtasks.size(); ++i) {
    const auto& stored = op.subtasks[i].state.operators;
    if (!stored) continue;
    const auto states = read_stored({files, directory}, *stored).and_then([](const auto& bytes) {
      return decode_bytes<subtask_operator_state>(bytes);
    });
    if (!states)
      return fail(states.error().code, "the operator state of " + subject_of(op) +
                                           " can't be read: " + states.error().message);
    for (const auto& state : *states) {
      known.insert("'" + state.name + "'");
      if (state.name != wanted.name) continue;
      if (auto good = check_operator_state(op, wanted, state); !good)
        return tl::unexpected(good.error());
      // Of broadcast state all have the same, but for those who have it by an older type.
      if (wanted.mode == operator_state_mode::broadcast && !all.empty()) {
        if (state.type == type || !type_evolution::between(type, state.type)) continue;
        all.clear();
      }
      type = state.type;
      // A subtask with several types is read once.
      if (all.empty() || all.back().first != i)
        all.push_back({op.name, op.uid, op.max_parallelism, i, i, i, 0});
    }
  }
  if (!all.empty()) return all;
  std::string names;
  for (const auto& name : known) names += (names.empty() ? "" : ", ") + name;
  return fail(errc::invalid_argument, subject_of(op) + " has no operator state '" + wanted.name +
                                          "' in the snapshot: those that it has are " +
                                          (names.empty() ? "none" : names));
}

result<splits> find_splits(file_system& files, const saved_state_query& query,
                           std::uint32_t parallelism) {
  const auto op = load_operator(files, query.path, query.uid);
  if (!op) return tl::unexpected(op.error());
  if (!query.of_subtasks) return split_keyed_state(*op, parallelism);
  return split_operator_state(files, snapshot_directory_of(query.path), *op, *query.of_subtasks);
}

}  // namespace

saved_state_enumerator::saved_state_enumerator(enumerator_context& context, saved_state_query query,
                                               saved_state_enumeration state)
    : split_enumerator(context),
      query_(std::move(query)),
      waiting_(std::move(state)),
      are_states_asked_(query_.of_subtasks.has_value()),
      are_states_there_(are_states_asked_) {}

void saved_state_enumerator::start() {
  if (waiting_) return;
  auto found = std::make_shared<result<splits>>();
  context().io().submit(
      [found, query = query_, parallelism = context().parallelism(), files = &context().files()] {
        *found = find_splits(*files, query, parallelism);
      },
      [this, found] {
        if (!*found) throw failure(found->error());
        waiting_ = std::move(**found);
        serve();
      });
}

void saved_state_enumerator::add_reader(std::uint32_t subtask) {
  std::erase(asking_, subtask);  // of the attempt before
}

void saved_state_enumerator::handle_split_request(std::uint32_t subtask) {
  asking_.push_back(subtask);
  serve();
}

/// They all run the same function.
void saved_state_enumerator::handle_event(std::uint32_t, byte_view event) {
  if (std::exchange(are_states_asked_, true)) return;
  auto asked = decode_bytes<std::set<std::string>>(event);
  if (!asked) throw failure(asked.error());
  auto outcome = std::make_shared<status>();
  context().io().submit(
      [outcome, query = query_, asked = *std::move(asked), files = &context().files()] {
        *outcome = load_operator(*files, query.path, query.uid).and_then([&](const auto& op) {
          return check_keyed_states(*files, snapshot_directory_of(query.path), op, asked);
        });
      },
      [this, outcome] {
        if (!*outcome) throw failure(outcome->error());
        are_states_there_ = true;
        serve();
      });
}

void saved_state_enumerator::add_splits_back(std::vector<saved_state_split> splits, std::uint32_t) {
  // They are known, or nobody could have had some.
  waiting_->insert(waiting_->begin(), std::make_move_iterator(splits.begin()),
                   std::make_move_iterator(splits.end()));
  serve();
}

void saved_state_enumerator::serve() {
  if (!waiting_ || !are_states_there_) return;
  for (; !asking_.empty(); asking_.pop_front()) {
    const auto subtask = asking_.front();
    if (waiting_->empty())
      context().signal_no_more_splits(subtask);
    else if (assign(subtask, {waiting_->front()}))
      waiting_->erase(waiting_->begin());
  }
}

}  // namespace millrace
