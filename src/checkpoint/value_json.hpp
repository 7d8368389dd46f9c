#pragma once

#include <nlohmann/json.hpp>

#include "millrace/core/byte_buffer.hpp"
#include "millrace/core/described_type.hpp"

namespace millrace {

/// An encoded value as JSON, as far as its type says what it is: records, whose fields have no
/// names, are arrays; maps are objects if their keys are texts, else arrays of pairs; a variant is
/// an object with the alternative's index and value. Fails as skip_value does.
bool read_value(const described_type& type, byte_reader& in, nlohmann::ordered_json& value);

/// A whole value by the description of its type; `{"hex": "…"}` if that does not tell.
nlohmann::ordered_json value_json(const std::string& description, byte_view bytes);

}  // namespace millrace
