#include "millrace/graph/slot_sharing.hpp"

#include <algorithm>

namespace millrace::graph {

namespace {

struct sharing_group {
  std::string name;
  std::uint32_t slots = 0;
  std::uint32_t first_request = 0;
};

std::vector<sharing_group> groups_of(const job_graph& graph) {
  std::vector<sharing_group> groups;
  for (const auto& vertex : graph.vertices) {
    auto group = std::find_if(groups.begin(), groups.end(), [&](const sharing_group& g) {
      return g.name == vertex.slot_sharing_group;
    });
    if (group == groups.end())
      group = groups.insert(groups.end(), {vertex.slot_sharing_group, 0, 0});
    group->slots = std::max(group->slots, vertex.parallelism);
  }
  std::uint32_t first = 0;
  for (auto& group : groups) {
    group.first_request = first;
    first += group.slots;
  }
  return groups;
}

}  // namespace

std::uint32_t slots_needed(const job_graph& graph) {
  std::uint32_t slots = 0;
  for (const auto& group : groups_of(graph)) slots += group.slots;
  return slots;
}

slot_plan assign_slots(const job_graph& graph) {
  auto groups = groups_of(graph);
  slot_plan plan;
  for (const auto& group : groups)
    for (std::uint32_t i = 0; i < group.slots; ++i) plan.requests.push_back({group.name, i});
  for (const auto& vertex : graph.vertices) {
    auto group = std::find_if(groups.begin(), groups.end(), [&](const sharing_group& g) {
      return g.name == vertex.slot_sharing_group;
    });
    auto& slots = plan.slot_of.emplace_back();
    for (std::uint32_t i = 0; i < vertex.parallelism; ++i)
      slots.push_back(group->first_request + i);
  }
  return plan;
}

}  // namespace millrace::graph
