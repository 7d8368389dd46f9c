#pragma once

#include "millrace/connectors/line_reader.hpp"

namespace millrace {

/// The text of a gzip file (RFC 1952) of one or several members. Checksums are verified; a file
/// that ends too early or is damaged is an error that names it. The first `skipped` bytes of the
/// text are read, but not given.
result<std::unique_ptr<split_reader>> open_gzip(std::unique_ptr<file_reader> file,
                                                const std::string& path, std::size_t chunk_bytes,
                                                std::uint64_t skipped);

}  // namespace millrace
