#include "millrace/checkpoint/task_state_store.hpp"

#include <charconv>
#include <memory>
#include <set>
#include <vector>

#include "millrace/checkpoint/in_flight_state.hpp"
#include "millrace/checkpoint/running_checksum.hpp"
#include "millrace/checkpoint/shared_files.hpp"
#include "millrace/checkpoint/state_file.hpp"
#include "millrace/core/codec.hpp"
#include "millrace/core/known_types.hpp"
#include "millrace/state/database_image.hpp"
#include "millrace/state/key_group_sections.hpp"

namespace millrace {

namespace {

void add_types(const state_info& info, std::set<std::uint64_t>& fingerprints) {
  fingerprints.insert({info.key_type, info.namespace_type, info.map_key_type, info.value_type});
}

/// What the types in a snapshot are, by the fingerprints that it has of them.
std::vector<std::string> types_of(const task_snapshot& snapshot) {
  std::set<std::uint64_t> fingerprints;
  for (const auto& op : snapshot.operators) {
    for (const auto& state : op.operator_state) fingerprints.insert(state.type);
    for (const auto& group : op.keyed_state) {
      const auto states = states_in(group);
      if (!states) continue;
      for (const auto& info : *states) add_types(info, fingerprints);
    }
    if (op.database != nullptr)
      for (const auto& info : op.database->tables) add_types(info, fingerprints);
  }
  for (const auto& each : snapshot.in_flight) fingerprints.insert(each.rows->fingerprint());
  std::set<std::string> descriptions;
  for (const auto fingerprint : fingerprints)
    if (auto known = known_description(fingerprint)) descriptions.insert(*std::move(known));
  return {descriptions.begin(), descriptions.end()};
}

/// One piece of state on its way to where it is kept.
struct piece {
  std::vector<chunked_bytes> parts;
  stored_bytes* into = nullptr;
  std::vector<std::uint64_t>* checksums = nullptr;  // of the parts; null if nobody asks

  std::uint64_t size() const noexcept {
    std::uint64_t all = 0;
    for (const auto& part : parts) all += part.size();
    return all;
  }
};

/// A file of a database on its way.
struct upload {
  const database_image* image = nullptr;
  std::string name;
  std::uint32_t op = 0;
  stored_bytes* into = nullptr;
};

/// The handles of a task's state, without the bytes, and what is to be stored.
struct layout {
  stored_task_state state;
  std::vector<piece> pieces;    // their handles are in the state
  std::vector<upload> uploads;  // likewise
};

void lay_out(const database_image& image, std::uint32_t op, const uploaded_files& base,
             stored_database& to, layout& all) {
  to.tables = image.tables;
  to.files.resize(image.files().size());
  for (std::size_t i = 0; i < to.files.size(); ++i) {
    const auto& [name, bytes] = image.files()[i];
    to.files[i].name = name;
    all.state.bytes += bytes;
    const auto known = is_shareable(name) ? base.find({op, image.database, name}) : base.end();
    if (known != base.end() && known->second.length == bytes && !known->second.file.empty()) {
      to.files[i].bytes = known->second;
      continue;
    }
    all.state.stored_anew += bytes;
    all.uploads.push_back({&image, name, op, &to.files[i].bytes});
  }
}

void lay_out(const task_snapshot& snapshot, const uploaded_files& base, layout& all) {
  auto& state = all.state;
  auto& pieces = all.pieces;
  state.operators_finished = snapshot.operators_finished;
  state.operators.resize(snapshot.operators.size());  // the pieces point into it
  for (std::uint32_t i = 0; i < snapshot.operators.size(); ++i) {
    const auto& from = snapshot.operators[i];
    auto& to = state.operators[i];
    if (!from.keyed_state.empty()) {
      auto& keyed = to.keyed.emplace();
      keyed.first_group = from.keyed_state.front().group;
      auto& groups = pieces.emplace_back(piece{{}, &keyed.bytes, &keyed.checksums});
      std::uint64_t end = 0;
      for (const auto& group : from.keyed_state) {
        groups.parts.push_back(group.bytes);
        keyed.ends.push_back(end += group.bytes.size());
      }
      if (from.database != nullptr) lay_out(*from.database, i, base, keyed.database.emplace(), all);
    }
    if (!from.operator_state.empty())
      pieces.push_back({{encode_to_bytes(from.operator_state)}, &to.operators.emplace()});
  }
  if (!snapshot.in_flight.empty())
    pieces.push_back({{encode_in_flight(snapshot.in_flight)}, &state.in_flight.emplace()});
  for (const auto& each : pieces) {
    state.bytes += each.size();
    state.stored_anew += each.size();
  }
  state.types = types_of(snapshot);
}

result<std::unique_ptr<file_reader>> open_local(const upload& from) {
  local_file_system local;
  return local.open_reader(from.image->directory() + "/" + from.name);
}

std::string name_of(const execution_attempt_id& who) {
  return "v" + std::to_string(who.vertex) + "-s" + std::to_string(who.subtask) + "-a" +
         std::to_string(who.attempt);
}

/// All of it into the handles.
status keep_all(layout& all) {
  for (const auto& each : all.pieces) {
    chunked_bytes bytes;
    for (const auto& part : each.parts) {
      bytes.append(part);
      if (each.checksums != nullptr) each.checksums->push_back(running_checksum::of(part));
    }
    const auto whole = bytes.whole();
    *each.into = keep_bytes({whole.part.begin(), whole.part.end()});
  }
  for (const auto& each : all.uploads) {
    const auto file = open_local(each);
    if (!file) return tl::unexpected(file.error());
    std::vector<std::byte> bytes((*file)->size());
    const auto got = (*file)->read_at(0, bytes);
    if (!got) return tl::unexpected(got.error());
    if (*got != bytes.size())
      return fail(errc::io, "file '" + each.name + "' of a state database ends early");
    *each.into = keep_bytes(std::move(bytes));
  }
  return {};
}

status append_local(state_file_writer& to, const upload& from) {
  const auto file = open_local(from);
  if (!file) return tl::unexpected(file.error());
  return to.append(**file).map([&](stored_bytes where) { *from.into = std::move(where); });
}

/// What belongs to this snapshot alone.
status store_own(file_system& files, const std::string& directory, const execution_attempt_id& who,
                 layout& all) {
  auto file = state_file_writer::open(files, directory, state_file_name(who));
  if (!file) return tl::unexpected(file.error());
  for (auto& each : all.pieces) {
    std::vector<std::uint64_t> checksums;
    auto where = file->append_parts(each.parts, checksums);
    if (!where) return tl::unexpected(where.error());
    *each.into = std::move(*where);
    if (each.checksums != nullptr) *each.checksums = std::move(checksums);
  }
  for (const auto& each : all.uploads)
    if (!is_shareable(each.name))
      if (auto done = append_local(*file, each); !done) return done;
  return file->finish();
}

status store_shared(file_system& files, const std::string& directory, checkpoint_id checkpoint,
                    const std::string& name, const layout& all) {
  const auto place = shared_directory_of(directory, checkpoint);
  bool is_any = false;
  for (const auto& each : all.uploads) {
    if (!is_shareable(each.name)) continue;
    is_any = true;
    const auto file_name = name + "-o" + std::to_string(each.op) + "-" + each.name;
    auto file = state_file_writer::open(files, place, file_name);
    if (!file) return tl::unexpected(file.error());
    auto done = append_local(*file, each).and_then([&] { return file->finish(); });
    if (!done) return done;
    each.into->file = shared_file_of(checkpoint, file_name);
  }
  return is_any ? files.sync_directory(place) : status();
}

}  // namespace

std::string state_file_name(const execution_attempt_id& who) {
  return name_of(who) + ".state";
}

std::optional<graph::subtask_ref> subtask_of_state_file(std::string_view name) {
  const auto number = [&](char ahead) -> std::optional<std::uint32_t> {
    std::uint32_t found = 0;
    if (!name.starts_with(ahead)) return std::nullopt;
    const auto* end = name.data() + name.size();
    const auto [rest, code] = std::from_chars(name.data() + 1, end, found);
    if (code != std::errc{} || rest == end || *rest != '-') return std::nullopt;
    name.remove_prefix(static_cast<std::size_t>(rest + 1 - name.data()));
    return found;
  };
  const auto vertex = number('v');
  const auto subtask = vertex ? number('s') : std::nullopt;
  if (!subtask || !name.starts_with('a')) return std::nullopt;
  return graph::subtask_ref{*vertex, *subtask};
}

uploaded_files uploaded_files_of(const stored_task_state& state, const task_snapshot& snapshot) {
  uploaded_files all;
  for (std::uint32_t i = 0; i < state.operators.size(); ++i)
    if (const auto& keyed = state.operators[i].keyed; keyed && keyed->database)
      for (const auto& file : keyed->database->files)
        all[{i, snapshot.operators[i].database->database, file.name}] = file.bytes;
  return all;
}

result<stored_task_state> store_task_state(file_system& files, const std::string& directory,
                                           const execution_attempt_id& who,
                                           const task_snapshot& snapshot,
                                           std::uint64_t memory_threshold_bytes,
                                           const uploaded_files& base) {
  layout all;
  lay_out(snapshot, base, all);
  status done;
  if (all.state.bytes < memory_threshold_bytes || (all.pieces.empty() && all.uploads.empty()))
    done = keep_all(all);
  else
    done = store_own(files, directory, who, all).and_then([&] {
      return store_shared(files, directory, snapshot.cut.checkpoint, name_of(who), all);
    });
  if (!done) return tl::unexpected(done.error());
  return std::move(all.state);
}

}  // namespace millrace
