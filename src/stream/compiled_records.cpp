#include "millrace/stream/compiled_records.hpp"

namespace millrace {

MILLRACE_RECORD_TEMPLATES(, std::string);
MILLRACE_RECORD_TEMPLATES(, std::int64_t);

}  // namespace millrace
