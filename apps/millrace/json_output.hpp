#pragma once

#include <nlohmann/json.hpp>

#include "millrace/actors/messages.hpp"

// The JSON that `--json` prints. Scripts rely on its keys: add to them, do not rename them.

namespace millrace::cli {

/// Keeps the order in which keys are written here.
using json = nlohmann::ordered_json;

json to_json(const wire::job_overview& job);
json to_json(const wire::job_details& job);
json to_json(const wire::node_overview& node);
json to_json(const checkpoint_record& checkpoint);
json to_json(const wire::checkpoint_list& list);
json to_json(const wire::checkpoint_details& details);

/// To stdout. Text that is not UTF-8 is repaired.
void print_json(const json& document);

}  // namespace millrace::cli
