// millrace nodes

#include <algorithm>
#include <chrono>
#include <iostream>

#include "command.hpp"
#include "json_output.hpp"
#include "millrace/core/human_units.hpp"
#include "text_table.hpp"

namespace millrace::cli {

namespace {

void add_nodes_options(boost::program_options::options_description& options) {
  options.add_options()("json", "for programs");
}

void print_table(const std::vector<wire::node_overview>& nodes) {
  using enum text_table::align;
  text_table table(
      {{"TASK MANAGER"}, {"SLOTS", right}, {"FREE", right}, {"PID", right}, {"HEARTBEAT"}, {"ID"}});
  for (const wire::node_overview& node : nodes) {
    table.add({node.address, std::to_string(node.slots), std::to_string(node.slots_free),
               std::to_string(node.pid),
               format_elapsed(std::chrono::milliseconds(node.last_heartbeat_ms)) + " ago",
               to_string(node.resource)});
  }
  std::cout << table.text();
}

result<exit_code> list_nodes(const cli_context& context, const parsed_line& line) {
  if (!line.positional.empty()) {
    return fail(errc::invalid_argument, "nodes takes no argument '" + line.positional[0] + "'");
  }
  auto client = context.connect();
  if (!client) return tl::unexpected(client.error());
  auto list = (*client)->nodes();
  if (!list) return tl::unexpected(list.error());
  auto& nodes = list->nodes;
  std::sort(nodes.begin(), nodes.end(),
            [](const auto& a, const auto& b) { return a.address < b.address; });
  if (line.options.count("json") > 0) {
    json entries = json::array();
    for (const auto& node : nodes) entries.push_back(to_json(node));
    print_json({{"nodes", entries}});
  } else if (nodes.empty()) {
    std::cout << "No task managers; 'taskmanager.sh start' starts one.\n";
  } else {
    print_table(nodes);
  }
  return exit_code::ok;
}

}  // namespace

const command nodes_command{
    .name = "nodes",
    .arguments = "",
    .summary = "show the task managers of the cluster and their slots",
    .details = "",
    .add_options = add_nodes_options,
    .run = list_nodes,
};

}  // namespace millrace::cli
