#pragma once

#include <memory>
#include <string>

#include "millrace/connectors/csv_format.hpp"
#include "millrace/connectors/print_sink.hpp"
#include "millrace/core/file_system.hpp"

namespace millrace {

/// How files are written.
struct file_sink_options {
  /// What to do about output that is there already.
  file_write_mode mode = file_write_mode::no_overwrite;
};

/// One subtask's output file: `path` itself with parallelism 1, else `path/<subtask from 1>`.
/// Written beside its place as a hidden file (".<name>.inprogress", which the file source skips)
/// and renamed when it is complete, so that partial output never passes for whole.
class file_target final : public text_target {
 public:
  /// `subtask` counts from 0. `files` must outlive the target.
  file_target(file_system& files, std::string path, std::uint32_t subtask,
              std::uint32_t parallelism, file_write_mode mode);

  status open() override;
  status write(std::string_view text) override;
  status commit() override;
  void abort() noexcept override;

 private:
  status check_place();
  status prepare_directory();
  status remove_files_of_more_subtasks();

  file_system& files_;
  std::string path_;
  std::uint32_t subtask_;
  std::uint32_t parallelism_;
  file_write_mode mode_;
  std::string directory_;
  std::string final_path_;
  std::string working_path_;
  std::unique_ptr<file_writer> out_;
};

namespace detail {

inline auto file_target_maker(std::string path, file_write_mode mode) {
  return [path = std::move(path), mode](operator_context& context) {
    const auto& self = context.runtime();
    return std::make_shared<file_target>(context.files(), path, self.subtask_index(),
                                         self.parallelism(), mode);
  };
}

}  // namespace detail

/// Lines as `print` writes them.
template <class T>
std::shared_ptr<const operator_factory> make_text_file_sink(std::string path,
                                                            file_sink_options options) {
  return make_text_sink<T, print_format<T>>(
      {.format = [](const runtime_context&) { return print_format<T>{}; },
       .target = detail::file_target_maker(std::move(path), options.mode)});
}

/// Lines of comma-separated values.
template <class T>
std::shared_ptr<const operator_factory> make_csv_file_sink(std::string path, csv_options options) {
  return make_text_sink<T, csv_formatter<T>>(
      {.format = [options](const runtime_context&) { return csv_formatter<T>(options); },
       .target = detail::file_target_maker(std::move(path), options.mode)});
}

}  // namespace millrace
