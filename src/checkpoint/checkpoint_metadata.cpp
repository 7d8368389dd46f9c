#include "millrace/checkpoint/checkpoint_metadata.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "millrace/checkpoint/shared_files.hpp"
#include "millrace/core/hash.hpp"
#include "millrace/core/hex.hpp"
#include "millrace/graph/json_cursor.hpp"

namespace millrace {

namespace {

using json = nlohmann::ordered_json;
using graph::json_cursor;
using graph::json_problem;

constexpr std::string_view format_name = "millrace checkpoint";
constexpr std::uint32_t format_version = 5;
/// Without batches that were on their way.
constexpr std::uint32_t second_version = 2;
/// Without types.
constexpr std::uint32_t first_version = 1;
constexpr std::uint32_t max_parallelism_limit = 32768;
constexpr std::array<std::string_view, 3> kinds{"checkpoint", "savepoint", "final savepoint"};

std::string hex64(std::uint64_t number) {
  std::array<char, 16> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
  const std::string text(digits.data(), end);
  return std::string(16 - text.size(), '0') + text;
}

std::uint64_t checksum_of(std::string_view text) {
  return XXH3_64bits(text.data(), text.size());
}

// -- writing --------------------------------------------------------------------------------------

json to_value(const stored_bytes& bytes) {
  json value{{"length", bytes.length}, {"checksum", hex64(bytes.checksum)}};
  if (bytes.file.empty()) {
    value["kept"] = to_hex(bytes.kept);
  } else {
    value["file"] = bytes.file;
    value["offset"] = bytes.offset;
  }
  return value;
}

json to_value(const stored_database& database) {
  json tables = json::array();
  for (const auto& info : database.tables)
    tables.push_back({{"name", info.name},
                      {"kind", static_cast<std::uint32_t>(info.kind)},
                      {"serializer_version", info.serializer_version},
                      {"has_ttl", info.has_ttl},
                      {"key_type", hex64(info.key_type)},
                      {"namespace_type", hex64(info.namespace_type)},
                      {"map_key_type", hex64(info.map_key_type)},
                      {"value_type", hex64(info.value_type)}});
  json files = json::array();
  for (const auto& file : database.files)
    files.push_back({{"name", file.name}, {"bytes", to_value(file.bytes)}});
  return {{"tables", std::move(tables)}, {"files", std::move(files)}};
}

json to_value(const stored_keyed_state& keyed) {
  json checksums = json::array();
  for (const auto sum : keyed.checksums) checksums.push_back(hex64(sum));
  json value{{"first_group", keyed.first_group},
             {"ends", keyed.ends},
             {"checksums", std::move(checksums)},
             {"bytes", to_value(keyed.bytes)}};
  if (keyed.database) value["database"] = to_value(*keyed.database);
  return value;
}

json to_value(const subtask_metadata& subtask) {
  const auto& state = subtask.state;
  json value{{"is_finished", subtask.is_finished},
             {"keyed", state.keyed ? to_value(*state.keyed) : json()},
             {"operator", state.operators ? to_value(*state.operators) : json()}};
  if (subtask.in_flight) value["in_flight"] = to_value(*subtask.in_flight);
  if (subtask.operators_finished) value["operators_finished"] = true;
  return value;
}

json to_value(const operator_metadata& op) {
  json subtasks = json::array();
  for (const auto& subtask : op.subtasks) subtasks.push_back(to_value(subtask));
  return {{"uid", op.uid},
          {"name", op.name},
          {"max_parallelism", op.max_parallelism},
          {"coordinator", op.coordinator ? json(to_hex(*op.coordinator)) : json()},
          {"subtasks", std::move(subtasks)}};
}

// -- reading --------------------------------------------------------------------------------------

std::vector<std::byte> bytes_in(const json_cursor& at) {
  auto bytes = parse_hex(at.text());
  if (!bytes) at.complain("must be hex digits");
  return std::move(bytes).value_or(std::vector<std::byte>());
}

bool is_file_name(std::string_view name) {
  return !name.empty() && name.find('/') == std::string_view::npos && name != "." && name != "..";
}

stored_bytes stored_bytes_in(const json_cursor& at, bool may_be_shared = false) {
  stored_bytes bytes;
  bytes.length = at.field("length").number64();
  bytes.checksum = at.field("checksum").hex64();
  if (at.has("kept")) {
    at.expect_fields({"length", "checksum", "kept"});
    bytes.kept = bytes_in(at.field("kept"));
    if (bytes.kept.size() != bytes.length ||
        XXH3_64bits(bytes.kept.data(), bytes.kept.size()) != bytes.checksum)
      at.complain("is not of its length or checksum");
  } else {
    at.expect_fields({"length", "checksum", "file", "offset"});
    bytes.file = at.field("file").text();
    bytes.offset = at.field("offset").number64();
    if (!is_file_name(bytes.file) && !(may_be_shared && is_shared_file(bytes.file)))
      at.field("file").complain("must be the name of a file");
  }
  return bytes;
}

state_info state_info_in(const json_cursor& at) {
  at.expect_fields({"name", "kind", "serializer_version", "has_ttl", "key_type", "namespace_type",
                    "map_key_type", "value_type"});
  state_info info;
  info.name = at.field("name").text();
  const auto kind = at.field("kind").number();
  if (kind < static_cast<std::uint32_t>(state_kind::value) ||
      kind > static_cast<std::uint32_t>(state_kind::aggregating))
    at.field("kind").complain("must be a kind of state that databases have");
  info.kind = static_cast<state_kind>(kind);
  info.serializer_version = at.field("serializer_version").number();
  info.has_ttl = at.field("has_ttl").boolean();
  info.key_type = at.field("key_type").hex64();
  info.namespace_type = at.field("namespace_type").hex64();
  info.map_key_type = at.field("map_key_type").hex64();
  info.value_type = at.field("value_type").hex64();
  return info;
}

stored_database database_in(const json_cursor& at) {
  at.expect_fields({"tables", "files"});
  stored_database database;
  at.field("tables").items(
      [&](const json_cursor& item) { database.tables.push_back(state_info_in(item)); });
  at.field("files").items([&](const json_cursor& item) {
    item.expect_fields({"name", "bytes"});
    auto& file = database.files.emplace_back();
    file.name = item.field("name").text();
    if (!is_file_name(file.name)) item.field("name").complain("must be the name of a file");
    file.bytes = stored_bytes_in(item.field("bytes"), true);
  });
  return database;
}

stored_keyed_state keyed_state_in(const json_cursor& at, std::uint32_t max_parallelism) {
  stored_keyed_state keyed;
  if (at.has("database")) {
    at.expect_fields({"first_group", "ends", "checksums", "bytes", "database"});
    keyed.database = database_in(at.field("database"));
  } else {
    at.expect_fields({"first_group", "ends", "checksums", "bytes"});
  }
  keyed.first_group = at.field("first_group").number(max_parallelism_limit);
  std::uint64_t end = 0;
  at.field("ends").items([&](const json_cursor& item) {
    const auto next = item.number64();
    if (next < end) item.complain("must not be less than the one before");
    keyed.ends.push_back(end = next);
  });
  at.field("checksums").items([&](const json_cursor& item) {
    keyed.checksums.push_back(item.hex64());
  });
  keyed.bytes = stored_bytes_in(at.field("bytes"));
  if (keyed.ends.empty() || keyed.ends.size() != keyed.checksums.size() ||
      keyed.ends.back() != keyed.bytes.length)
    at.complain("has ends and checksums that do not fit its bytes");
  if (keyed.first_group + keyed.ends.size() > max_parallelism)
    at.complain("has key groups beyond the maximal parallelism");
  return keyed;
}

operator_metadata operator_in(const json_cursor& at) {
  at.expect_fields({"uid", "name", "max_parallelism", "coordinator", "subtasks"});
  operator_metadata op;
  op.uid = at.field("uid").text();
  op.name = at.field("name").text();
  op.max_parallelism = at.field("max_parallelism").number(max_parallelism_limit);
  if (!at.field("coordinator").is_null()) op.coordinator = bytes_in(at.field("coordinator"));
  at.field("subtasks").items([&](const json_cursor& item) {
    subtask_metadata subtask;
    item.expect_fields({"is_finished", "keyed", "operator"}, {"in_flight", "operators_finished"});
    if (item.has("in_flight")) subtask.in_flight = stored_bytes_in(item.field("in_flight"));
    if (item.has("operators_finished"))
      subtask.operators_finished = item.field("operators_finished").boolean();
    subtask.is_finished = item.field("is_finished").boolean();
    if (!item.field("keyed").is_null())
      subtask.state.keyed = keyed_state_in(item.field("keyed"), op.max_parallelism);
    if (!item.field("operator").is_null())
      subtask.state.operators = stored_bytes_in(item.field("operator"));
    op.subtasks.push_back(std::move(subtask));
  });
  if (op.subtasks.empty()) at.field("subtasks").complain("must not be empty");
  return op;
}

checkpoint_metadata content_in(const json_cursor& at, std::uint32_t version) {
  checkpoint_metadata all;
  if (version == first_version) {
    at.expect_fields({"job", "job_name", "checkpoint", "kind", "triggered_ms", "operators"});
  } else {
    if (version == second_version) {
      at.expect_fields(
          {"job", "job_name", "checkpoint", "kind", "triggered_ms", "operators", "types"});
    } else {
      at.expect_fields(
          {"job", "job_name", "checkpoint", "kind", "triggered_ms", "operators", "types", "shape"});
      if (!at.field("shape").is_null()) all.shape = at.field("shape").hex64();
    }
    at.field("types").items([&](const json_cursor& item) { all.types.push_back(item.text()); });
  }
  if (const auto job = parse_id<job_id>(at.field("job").text()))
    all.job = *job;
  else
    at.field("job").complain("must be the id of a job");
  all.job_name = at.field("job_name").text();
  all.checkpoint.number = at.field("checkpoint").number64();
  if (!all.checkpoint) at.field("checkpoint").complain("must be at least 1");
  const auto kind = std::find(kinds.begin(), kinds.end(), at.field("kind").text());
  if (kind == kinds.end())
    at.field("kind").complain("must be a kind of checkpoint");
  else
    all.kind = static_cast<checkpoint_kind>(kind - kinds.begin());
  all.triggered_wall_ms = at.field("triggered_ms").number64();
  at.field("operators").items([&](const json_cursor& item) {
    all.operators.push_back(operator_in(item));
  });
  return all;
}

}  // namespace

std::string to_json(const checkpoint_metadata& metadata) {
  json operators = json::array();
  for (const auto& op : metadata.operators) operators.push_back(to_value(op));
  json content{{"job", to_string(metadata.job)},
               {"job_name", metadata.job_name},
               {"checkpoint", metadata.checkpoint.number},
               {"kind", kinds.at(static_cast<std::size_t>(metadata.kind))},
               {"triggered_ms", metadata.triggered_wall_ms},
               {"operators", std::move(operators)},
               {"types", metadata.types},
               {"shape", metadata.shape != 0 ? json(hex64(metadata.shape)) : json()}};
  const auto checksum = checksum_of(content.dump());
  return json{{"format", format_name},
              {"version", format_version},
              {"checksum", hex64(checksum)},
              {"content", std::move(content)}}
             .dump() +
         "\n";
}

result<checkpoint_metadata> parse_checkpoint_metadata(std::string_view text,
                                                      const std::string& path) {
  const auto bad = [&](const std::string& why) {
    return fail(errc::invalid_data, "'" + path + "' is no intact checkpoint: " + why);
  };
  const json root = json::parse(text, nullptr, false);
  if (root.is_discarded()) return bad("it is no JSON document");
  json_problem problem;
  const json_cursor at(root, problem);
  at.expect_fields({"format", "version", "checksum", "content"});
  if (at.field("format").text() != format_name) at.field("format").complain("is another one");
  const auto version = at.field("version").number();
  if (!problem && (version < first_version || version > format_version))
    return bad("it has format version " + std::to_string(version) + ", and only those up to " +
               std::to_string(format_version) + " are known here");
  const auto checksum = at.field("checksum").hex64();
  if (problem) return bad(*problem);
  if (checksum_of(root["content"].dump(-1, ' ', false, json::error_handler_t::replace)) != checksum)
    return bad("its checksum is not that of its content");
  auto metadata = content_in(at.field("content"), version);
  if (problem) return bad(*problem);
  return metadata;
}

}  // namespace millrace
