#include "millrace/checkpoint/in_flight_state.hpp"

#include <string>
#include <utility>

#include "millrace/core/codec.hpp"
#include "millrace/core/hash.hpp"

namespace millrace {

std::vector<std::byte> encode_in_flight(const in_flight_batches& batches) {
  std::vector<stored_in_flight_batch> stored;
  stored.reserve(batches.size());
  for (const auto& each : batches) {
    byte_writer rows;
    each.rows->encode_rows(rows);
    stored.push_back({static_cast<std::uint8_t>(each.at), each.channel, each.rows->fingerprint(),
                      each.rows->size(), std::move(rows).take()});
  }
  return encode_to_bytes(stored);
}

result<in_flight_batches> decode_in_flight(byte_view bytes) {
  auto stored = decode_bytes<std::vector<stored_in_flight_batch>>(bytes);
  if (!stored) return tl::unexpected(stored.error());
  in_flight_batches batches;
  batches.reserve(stored->size());
  for (auto& each : *stored) {
    if (each.at > static_cast<std::uint8_t>(channel_end::sender))
      return fail(errc::invalid_data, "a batch was at an end of a channel that there is not");
    batches.push_back(
        {static_cast<channel_end>(each.at), each.channel,
         batch_ptr(new encoded_batch(each.fingerprint, each.rows, std::move(each.bytes)))});
  }
  return batches;
}

std::uint64_t shape_of(const graph::job_graph& job) {
  std::string text;
  const auto add = [&](const auto&... parts) { ((text += parts, text += '\0'), ...); };
  for (const auto& vertex : job.vertices) {
    add(std::to_string(vertex.id), std::to_string(vertex.parallelism));
    for (const auto& op : vertex.operators) add(op.uid);
  }
  for (const auto& edge : job.edges)
    add(std::to_string(edge.source_vertex), std::to_string(edge.source_operator),
        std::to_string(edge.target_vertex), std::to_string(edge.target_input), edge.side_output,
        std::string(to_string(edge.partitioning)));
  return XXH3_64bits(text.data(), text.size());
}

}  // namespace millrace
