#include "millrace/actors/error_bridge.hpp"

#include <caf/atom.hpp>
#include <caf/message.hpp>
#include <caf/sec.hpp>
#include <caf/to_string.hpp>

namespace millrace {

namespace {

constexpr caf::atom_value category = caf::atom("millrace");
// caf::error takes 0 for "no error"; the real code travels in the context, it needs 16 bits.
constexpr std::uint8_t some_error = 1;

errc code_of(caf::sec code) {
  switch (code) {
    case caf::sec::request_timeout:
      return errc::timeout;
    case caf::sec::unexpected_message:
    case caf::sec::unexpected_response:
      return errc::protocol;
    case caf::sec::runtime_error:
      return errc::internal;
    default:
      return errc::unreachable;
  }
}

}  // namespace

caf::error to_caf(const error& e) {
  return {some_error, category, caf::make_message(static_cast<std::uint16_t>(e.code), e.message)};
}

error from_caf(const caf::error& e) {
  if (e.category() == category && e.context().match_elements<std::uint16_t, std::string>())
    return {static_cast<errc>(e.context().get_as<std::uint16_t>(0)),
            e.context().get_as<std::string>(1)};
  if (e.category() == caf::atom("system")) {
    const auto code = static_cast<caf::sec>(e.code());
    return {code_of(code), caf::to_string(code)};
  }
  return {errc::unreachable, caf::to_string(e)};
}

}  // namespace millrace
