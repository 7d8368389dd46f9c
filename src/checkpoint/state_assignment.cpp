#include "millrace/checkpoint/state_assignment.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "millrace/checkpoint/in_flight_state.hpp"
#include "millrace/checkpoint/state_file.hpp"
#include "millrace/checkpoint/stored_database_files.hpp"
#include "millrace/checkpoint/stored_files.hpp"
#include "millrace/checkpoint/stored_key_groups.hpp"
#include "millrace/core/codec.hpp"
#include "millrace/core/mutant.hpp"

namespace millrace {

namespace {

const operator_metadata* find(const checkpoint_metadata& metadata, const std::string& uid) {
  for (const auto& op : metadata.operators)
    if (op.uid == uid) return &op;
  return nullptr;
}

bool has_state(const operator_metadata& op) {
  return op.coordinator || std::any_of(op.subtasks.begin(), op.subtasks.end(), [](const auto& s) {
           return s.state.keyed || s.state.operators;
         });
}

tl::unexpected<error> named(const std::string& op, const error& why) {
  return fail(why.code, "the state of operator '" + op + "' can't be restored: " + why.message);
}

/// Of a checkpoint with batches that were on their way: channels must be the same.
status check_same_shape(const checkpoint_metadata& metadata, const graph::job_graph& job) {
  if (metadata.shape == 0 || metadata.shape == shape_of(job)) return {};
  std::string why = "its operators are chained or connected in another way";
  for (const auto& vertex : job.vertices)
    for (const auto& op : vertex.operators)
      if (const auto* saved = find(metadata, op.uid);
          saved != nullptr && saved->subtasks.size() != vertex.parallelism)
        why = "operator '" + op.name + "' (uid " + op.uid + ") ran in " +
              std::to_string(saved->subtasks.size()) + " subtasks, and the job has " +
              std::to_string(vertex.parallelism);
  return fail(errc::invalid_argument,
              "checkpoint " + std::to_string(metadata.checkpoint.number) + " of job '" +
                  metadata.job_name +
                  "' is unaligned: it has records that were on their way between tasks, which only "
                  "the same tasks can take again, but " +
                  why +
                  ": start the job as it was, and change it by way of a savepoint, which is "
                  "always aligned");
}

/// The keyed state of one operator as the files that it was stored as, if the backend can go on
/// with them and they are all of it; else false.
result<bool> bring_database(const snapshot_source& source,
                            const std::vector<state_assignment::keyed_part>& parts,
                            state_backend* backend, operator_snapshot& to) {
  if (backend == nullptr || parts.size() != 1) return false;
  const auto& from = *parts[0].state;
  if (!from.database || from.groups() != parts[0].groups) return false;
  auto image = backend->bring(stored_database_files(source, *from.database));
  if (!image) return tl::unexpected(image.error());
  if (*image == nullptr) return false;
  (*image)->check_origin = [from, originals = snapshot_source{source.files, source.directory}] {
    return check_database(originals, from);
  };
  stored_keyed_state beside = from;
  beside.database.reset();
  auto groups = read_key_groups(source, beside, parts[0].groups);
  if (!groups) return tl::unexpected(groups.error());
  if (!MILLRACE_MUTANT(timers_beside_files_lost)) to.keyed_state = std::move(*groups);
  to.database = std::move(*image);
  return true;
}

result<subtask_operator_state> read_operator_state(const snapshot_source& source,
                                                   const std::vector<const stored_bytes*>& subtasks,
                                                   std::uint32_t subtask,
                                                   std::uint32_t parallelism) {
  std::vector<subtask_operator_state> saved(subtasks.size());
  for (std::size_t i = 0; i < subtasks.size(); ++i) {
    if (subtasks[i] == nullptr) continue;
    auto bytes = read_stored(source, *subtasks[i]);
    if (!bytes) return tl::unexpected(bytes.error());
    auto decoded = decode_bytes<subtask_operator_state>(*bytes);
    if (!decoded) return tl::unexpected(decoded.error());
    saved[i] = std::move(*decoded);
  }
  return redistribute(saved, parallelism).map([&](std::vector<subtask_operator_state> all) {
    return std::move(all.at(subtask));
  });
}

}  // namespace

status check_restorable(const checkpoint_metadata& metadata, const graph::job_graph& job,
                        bool allow_non_restored) {
  if (auto same = check_same_shape(metadata, job); !same) return same;
  std::map<std::string, const graph::job_vertex*> vertex_of;
  for (const auto& vertex : job.vertices)
    for (const auto& op : vertex.operators) vertex_of[op.uid] = &vertex;
  for (const auto& op : metadata.operators) {
    if (!has_state(op)) continue;
    const auto found = vertex_of.find(op.uid);
    if (found == vertex_of.end()) {
      if (allow_non_restored) continue;
      return fail(errc::invalid_argument,
                  "checkpoint " + std::to_string(metadata.checkpoint.number) + " of job '" +
                      metadata.job_name + "' has state of operator '" + op.name + "' (uid " +
                      op.uid +
                      "), but the job has no operator of that uid: give the operator that uid, or "
                      "allow non-restored state (execution.savepoint.ignore-unclaimed-state, or "
                      "millrace run -n)");
    }
    const auto& vertex = *found->second;
    if (vertex.max_parallelism != op.max_parallelism)
      return fail(errc::invalid_argument,
                  "the state of operator '" + op.name + "' (uid " + op.uid + ") was kept in " +
                      std::to_string(op.max_parallelism) + " key groups, but the job has " +
                      std::to_string(vertex.max_parallelism) +
                      ": set its maximal parallelism (pipeline.max-parallelism) to what it was");
  }
  return {};
}

state_assignment assign_state(const checkpoint_metadata& metadata, const graph::job_graph& job,
                              const graph::subtask_ref& who) {
  const auto& vertex = job.vertices.at(who.vertex);
  const auto subtask = who.subtask;
  state_assignment assigned;
  assigned.checkpoint = metadata.checkpoint;
  assigned.subtask = subtask;
  assigned.parallelism = vertex.parallelism;
  if (!MILLRACE_MUTANT(finished_forgotten))
    assigned.ending = subtask_endings(metadata, job).of(who);
  for (const auto& description : vertex.operators) {
    auto& op = assigned.operators.emplace_back();
    op.name = description.name;
    const auto* saved = find(metadata, description.uid);
    if (saved == nullptr) continue;
    op.is_saved = true;
    const auto& subtasks = saved->subtasks;
    if (subtasks.size() == vertex.parallelism && subtasks[subtask].in_flight)
      assigned.in_flight = &*subtasks[subtask].in_flight;
    const auto wanted = key_group_range_of(subtask, vertex.max_parallelism, vertex.parallelism);
    for (const auto& former : subtasks) {
      const auto& state = former.state;
      if (state.keyed) {
        const auto has = state.keyed->groups();
        const auto first = wanted.first + (MILLRACE_MUTANT(key_group_lost) ? 1 : 0);
        const key_group_range both{std::max(has.first, first), std::min(has.last, wanted.last)};
        if (both.first <= both.last) op.keyed.push_back({&*state.keyed, both});
      }
      op.operator_state.push_back(state.operators ? &*state.operators : nullptr);
    }
  }
  return assigned;
}

result<task_restore> read_assigned_state(const snapshot_source& source,
                                         const state_assignment& assigned, state_backend* backend) {
  task_restore restore;
  restore.checkpoint = assigned.checkpoint;
  restore.ending = assigned.ending;
  if (restore.ending == subtask_ending::ended) return restore;
  for (const auto& op : assigned.operators) {
    auto& restored = restore.operators.emplace_back();
    if (!op.is_saved) continue;
    auto& to = restored.emplace();
    const auto brought = bring_database(source, op.keyed, backend, to);
    if (!brought) return named(op.name, brought.error());
    for (const auto& part : op.keyed) {
      if (*brought) break;
      auto groups = read_key_groups(source, *part.state, part.groups);
      if (!groups) return named(op.name, groups.error());
      to.keyed_state.insert(to.keyed_state.end(), std::make_move_iterator(groups->begin()),
                            std::make_move_iterator(groups->end()));
    }
    if (op.operator_state.empty()) continue;
    auto state =
        read_operator_state(source, op.operator_state, assigned.subtask, assigned.parallelism);
    if (!state) return named(op.name, state.error());
    to.operator_state = std::move(*state);
  }
  if (assigned.in_flight != nullptr) {
    auto batches = read_stored(source, *assigned.in_flight).and_then([](auto bytes) {
      return decode_in_flight(bytes);
    });
    if (!batches)
      return fail(batches.error().code, "what was on its way between tasks can't be restored: " +
                                            batches.error().message);
    restore.in_flight = std::move(*batches);
  }
  return restore;
}

std::vector<std::string> files_of(const state_assignment& assigned, const std::string& directory) {
  stored_files all(directory);
  for (const auto& op : assigned.operators) {
    for (const auto& part : op.keyed) all.add(*part.state);
    for (const auto* piece : op.operator_state)
      if (piece != nullptr) all.add(*piece);
  }
  if (assigned.in_flight != nullptr) all.add(*assigned.in_flight);
  return all.paths();
}

uploaded_files restored_files(const state_assignment& assigned, const task_restore& restored) {
  uploaded_files all;
  for (std::uint32_t i = 0; i < restored.operators.size(); ++i)
    if (const auto& op = restored.operators[i]; op && op->database != nullptr)
      for (const auto& file : assigned.operators[i].keyed.front().state->database->files)
        all[{i, op->database->database, file.name}] = file.bytes;
  return all;
}

}  // namespace millrace
