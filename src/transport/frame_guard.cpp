#include "millrace/transport/frame_guard.hpp"

#include <algorithm>
#include <cstring>

namespace millrace::transport {

namespace {

constexpr std::uint8_t named_receiver_flag = 0x01;
constexpr std::uint8_t select_connection_flag = 0x02;

// When two nodes meet, each asks the other's spawn server for information. Spawning itself has
// another message type and stays refused.
constexpr std::uint64_t atom_value(std::string_view name) {
  // CAF's atoms: 6 bits a character after a leading 1111.
  constexpr std::string_view table =
      " 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
  std::uint64_t value = 0xF;
  for (char c : name) value = (value << 6) | table.find(c);
  return value;
}
constexpr std::uint64_t spawn_server = atom_value("SpawnServ");
constexpr std::string_view spawn_server_question = "@<>+@atom+@atom+@str";

template <class T>
T big_endian(const unsigned char* p) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>(value << 8) | p[i];
  return value;
}

std::string printable(std::string_view text) {
  std::string out;
  for (unsigned char c : text.substr(0, 120))
    out += c >= 0x20 && c < 0x7f ? static_cast<char>(c) : '?';
  return out;
}

}  // namespace

frame_guard::frame_guard(guarded_peer peer, std::shared_ptr<const type_allow_list> types,
                         frame_limits limits)
    : peer_(std::move(peer)), types_(std::move(types)), limits_(limits) {}

status frame_guard::vet(const char* bytes, std::size_t size) {
  while (verdict_ && size > 0) {
    std::size_t taken = 0;
    if (payload_left_ == 0) {
      taken = std::min(header_bytes - header_filled_, size);
      std::memcpy(header_.data() + header_filled_, bytes, taken);
      header_filled_ += taken;
      if (header_filled_ == header_bytes) {
        header_filled_ = 0;
        ++frames_;
        verdict_ = check_header();
      }
    } else {
      taken = std::min<std::size_t>(payload_left_, size);
      verdict_ = feed_payload(bytes, taken);
    }
    bytes += taken;
    size -= taken;
  }
  return verdict_;
}

status frame_guard::check_header() {
  const std::uint8_t code = header_[0];
  const std::uint32_t payload = big_endian<std::uint32_t>(&header_[4]);
  const std::uint64_t data = big_endian<std::uint64_t>(&header_[8]);
  const std::uint64_t source = big_endian<std::uint64_t>(&header_[16]);
  const std::uint64_t dest = big_endian<std::uint64_t>(&header_[24]);
  if (code > static_cast<std::uint8_t>(operation::heartbeat))
    return violation("sent a frame of unknown kind " + std::to_string(code));
  if (header_[1] != 0 || header_[2] != 0) return violation("sent a frame with a malformed header");
  operation_ = static_cast<operation>(code);
  to_spawn_server_ = false;

  const bool is_handshake =
      operation_ == operation::server_handshake || operation_ == operation::client_handshake;
  if (!is_handshake && handshakes_ == 0) return violation("sent a frame before its handshake");
  if (!is_handshake && operation_ != operation::direct_message && header_[3] != 0)
    return violation("sent a frame with unknown flags");

  std::uint32_t payload_max = 0;
  status checked;
  switch (operation_) {
    case operation::server_handshake:
    case operation::client_handshake:
      payload_max = limits_.handshake_bytes_max;
      checked = check_handshake_header();
      break;
    case operation::direct_message:
      payload_max = limits_.message_bytes_max;
      checked = check_direct_header();
      break;
    case operation::routed_message:
      return violation("sent a message to be routed from or to a third node");
    case operation::monitor_message:
      payload_max = limits_.control_bytes_max;
      if (data != 0 || dest == 0) checked = violation("sent a malformed monitor notice");
      break;
    case operation::down_message:
      payload_max = limits_.control_bytes_max;
      if (data != 0 || source == 0 || dest != 0)
        checked = violation("sent a malformed down notice");
      break;
    case operation::heartbeat:
      if (payload != 0 || data != 0 || source != 0 || dest != 0)
        checked = violation("sent a malformed heartbeat");
      break;
  }
  if (!checked) return checked;
  if (payload > payload_max)
    return violation("sent a frame of " + std::to_string(payload) +
                     " bytes, more than the limit of " + std::to_string(payload_max));
  // CAF dereferences the payload of everything but a heartbeat without looking.
  if (payload == 0 && operation_ != operation::heartbeat)
    return violation("sent a frame without its payload");
  payload_left_ = payload;
  prefix_.clear();
  judging_ = payload > 0;
  return {};
}

status frame_guard::check_handshake_header() {
  const bool is_server = operation_ == operation::server_handshake;
  if (is_server != (peer_.peer_role == connection_role::acceptor))
    return violation("sent the handshake of the other end");
  // A dialing node greets twice: at once, and again after it has seen the acceptor's greeting.
  if (++handshakes_ > (is_server ? 1 : 2)) return violation("repeated its handshake");
  const std::uint8_t flags = header_[3];
  const std::uint64_t version = big_endian<std::uint64_t>(&header_[8]);
  const bool has_actors =
      std::any_of(header_.begin() + 16, header_.end(), [](auto c) { return c; });
  const bool flags_ok = flags == 0 || (!is_server && flags == select_connection_flag);
  if (!flags_ok || has_actors || is_server != (version != 0))
    return violation("sent a malformed handshake");
  return {};
}

status frame_guard::check_direct_header() {
  const std::uint8_t flags = header_[3];
  const std::uint64_t dest = big_endian<std::uint64_t>(&header_[24]);
  if (dest == 0 || (flags & ~named_receiver_flag) != 0)
    return violation("sent a malformed message");
  if (flags == named_receiver_flag) {
    if (dest != spawn_server) return violation("sent a message to a system actor");
    to_spawn_server_ = true;
  }
  return {};
}

status frame_guard::feed_payload(const char* bytes, std::size_t size) {
  payload_left_ -= static_cast<std::uint32_t>(size);
  if (!judging_) return {};
  prefix_.append(bytes,
                 std::min(size, prefix_bytes_max - std::min(prefix_bytes_max, prefix_.size())));
  switch (judge_prefix()) {
    case answer::yes:
      judging_ = false;
      return {};
    case answer::no:
      return violation(std::move(refused_));
    case answer::unknown_yet:
      if (payload_left_ > 0 && prefix_.size() < prefix_bytes_max) return {};
      return violation("sent a truncated frame");
  }
  return {};
}

frame_guard::answer frame_guard::judge_prefix() {
  switch (operation_) {
    case operation::server_handshake:
    case operation::client_handshake:
      return judge_handshake();
    case operation::monitor_message:
    case operation::down_message:
      return judge_control();
    case operation::direct_message:
      return judge_direct();
    default:
      break;
  }
  refused_ = "sent an unexpected payload";
  return answer::no;
}

frame_guard::answer frame_guard::judge_handshake() {
  const auto& id = peer_.peer_node_id;
  if (prefix_.size() < id.size()) return answer::unknown_yet;
  if (prefix_.starts_with(id)) return answer::yes;
  refused_ = "greeted with another node id than it authenticated with";
  return answer::no;
}

frame_guard::answer frame_guard::judge_control() {
  const auto ids_bytes = peer_.peer_node_id.size() + peer_.own_node_id.size();
  if (prefix_.size() < ids_bytes) return answer::unknown_yet;
  if (!prefix_.starts_with(peer_.peer_node_id) ||
      prefix_.compare(peer_.peer_node_id.size(), peer_.own_node_id.size(), peer_.own_node_id) !=
          0) {
    refused_ =
        "sent a notice from or to a third node (was an actor handle of a third node passed on?)";
    return answer::no;
  }
  return operation_ == operation::down_message ? judge_error(ids_bytes) : answer::yes;
}

frame_guard::answer frame_guard::judge_direct() {
  if (prefix_.empty()) return answer::unknown_yet;
  if (prefix_[0] != 0) {
    refused_ = "sent a message with forwarding stages";
    return answer::no;
  }
  std::size_t offset = 1;
  std::string_view name;
  if (auto found = read_type_name(offset, name); found != answer::yes) {
    refused_ = "sent a message without a proper type name";
    return found;
  }
  if (to_spawn_server_ ? name != spawn_server_question : !types_->allows(name)) {
    refused_ = "sent a message of a type that is not allowed: " + printable(name);
    return answer::no;
  }
  return name == type_allow_list::error_response ? judge_error(offset) : answer::yes;
}

frame_guard::answer frame_guard::judge_error(std::size_t offset) {
  offset += 1 + 8;  // code, category
  std::string_view name;
  if (auto found = read_type_name(offset, name); found != answer::yes) {
    refused_ = "sent a malformed error";
    return found;
  }
  // One level of nesting is what CAF itself produces; an error inside an error is an attack.
  if (name != type_allow_list::error_response && types_->allows(name)) return answer::yes;
  refused_ = "sent an error whose context has a type that is not allowed: " + printable(name);
  return answer::no;
}

frame_guard::answer frame_guard::read_type_name(std::size_t& offset, std::string_view& name) const {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(prefix_[i]); };
  std::size_t i = offset;
  for (int zeros = 0; zeros < 2; ++zeros, ++i) {
    if (i >= prefix_.size()) return answer::unknown_yet;
    if (at(i) != 0) return answer::no;
  }
  std::size_t length = 0;
  for (int shift = 0;; shift += 7) {
    if (shift > 14) return answer::no;
    if (i >= prefix_.size()) return answer::unknown_yet;
    const auto byte = at(i++);
    length |= std::size_t{byte & 0x7fu} << shift;
    if ((byte & 0x80) == 0) break;
  }
  if (length > type_name_bytes_max) return answer::no;
  if (prefix_.size() < i + length) return answer::unknown_yet;
  name = std::string_view{prefix_}.substr(i, length);
  offset = i + length;
  return answer::yes;
}

status frame_guard::violation(std::string what) {
  return fail(errc::protocol, "the peer " + std::move(what));
}

}  // namespace millrace::transport
