#include "millrace/connectors/file_sink.hpp"

namespace millrace::detail {

part_places_maker fixed_place_maker(std::string path, file_write_mode mode) {
  return [path = std::move(path), mode](const sink_writer_context& context,
                                        const part_recovery& recovery) {
    return std::make_unique<fixed_place>(context.files(), path, context.runtime(), mode, recovery);
  };
}

part_places_maker bucket_places_maker(std::string path, part_file_names names) {
  return [path = std::move(path), names = std::move(names)](const sink_writer_context& context,
                                                            part_recovery recovery) {
    return std::make_unique<bucket_places>(context.files(), path, names, context.runtime(),
                                           std::move(recovery));
  };
}

}  // namespace millrace::detail
