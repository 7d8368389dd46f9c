#pragma once

#include <cstdint>
#include <string>

#include "millrace/stream/collector.hpp"
#include "millrace/stream/record_type.hpp"
#include "millrace/stream/router.hpp"

/// `MILLRACE_RECORD_TEMPLATES(extern, T)`: what every stream of records of type T consists of is
/// compiled elsewhere, by the same without `extern`. Within namespace millrace.
#define MILLRACE_RECORD_TEMPLATES(how, ...)                  \
  how template class typed_batch<__VA_ARGS__>;               \
  how template class detail::typed_record_type<__VA_ARGS__>; \
  how template class gathering_batch<__VA_ARGS__>;           \
  how template class row_router<__VA_ARGS__>;                \
  how template class plain_router_factory<__VA_ARGS__>;      \
  how template class collector<__VA_ARGS__>

namespace millrace {

// What nearly every job has: lines of text, and numbers.
MILLRACE_RECORD_TEMPLATES(extern, std::string);
MILLRACE_RECORD_TEMPLATES(extern, std::int64_t);

}  // namespace millrace
