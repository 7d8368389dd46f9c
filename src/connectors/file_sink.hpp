#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "millrace/connectors/bucket_assigner.hpp"
#include "millrace/connectors/bucket_places.hpp"
#include "millrace/connectors/csv_format.hpp"
#include "millrace/connectors/fixed_place.hpp"
#include "millrace/connectors/part_writer.hpp"
#include "millrace/connectors/print_sink.hpp"

namespace millrace {

/// How files are written.
struct file_sink_options {
  /// What to do about output that is there already.
  file_write_mode mode = file_write_mode::no_overwrite;
};

namespace detail {

part_places_maker fixed_place_maker(std::string path, file_write_mode mode);
part_places_maker bucket_places_maker(std::string path, part_file_names names);

}  // namespace detail

/// A user's encoder as a format of lines.
template <class T, class Fn>
struct encoder_format {
  /// What the user has given.
  Fn fn;

  /// There is none.
  void append_header(std::string&) const {}
  /// One record.
  void append_line(std::string& out, const T& record) { std::invoke(fn, out, record); }
};

/// Writes the records of one subtask into the parts of their buckets. `Format` has
/// `append_header(std::string&)`, which is called for each new part, and
/// `append_line(std::string&, const T&)`.
template <class T, class Format, class Assigner>
class file_sink_writer final : public sink_writer<T, file_committable> {
 public:
  file_sink_writer(sink_writer_context& context, const part_places_maker& places,
                   const rolling_policy& policy, bool keeps_one, Format format, Assigner assigner)
      : format_(std::move(format)),
        assigner_(std::move(assigner)),
        time_(context.time()),
        parts_(context, places, policy, keeps_one) {
    if (keeps_one && !context.is_restored()) part_for({});  // a header though no record comes
  }

  void write(const sink_rows<T>& rows) override {
    parts_.begin_batch();
    bucket_context where{no_timestamp, time_.wall_ms()};
    part_writer::part* part = nullptr;
    for (std::size_t i = 0; i < rows.rows.size(); ++i) {
      const T& row = rows.rows[i];
      where.timestamp = rows.timestamp_of(i);
      const auto& bucket = assigner_.bucket_of(row, where);
      if (part == nullptr || part->file->bucket != bucket) part = &part_for(bucket);
      format_.append_line(part->text, row);
      if (!part->is_full()) [[likely]]
        continue;
      parts_.roll(bucket);
      part = nullptr;
    }
    parts_.pump();
  }

  void on_processing_time(timestamp_ms now) override { parts_.on_processing_time(now); }
  void flush(flush_cause why) override { parts_.flush(why); }
  bool is_busy() const noexcept override { return parts_.is_busy(); }
  std::vector<file_committable> prepare_commit() override { return parts_.prepare_commit(); }
  void snapshot_state(checkpoint_id id) override { parts_.snapshot_state(id); }
  void on_checkpoint_complete(checkpoint_id id) override { parts_.on_checkpoint_complete(id); }
  void close() noexcept override { parts_.close(); }

 private:
  part_writer::part& part_for(std::string_view bucket) {
    auto& part = parts_.part_of(bucket);
    if (part.is_empty()) format_.append_header(part.text);
    return part;
  }

  Format format_;
  Assigner assigner_;
  const clock& time_;
  part_writer parts_;
};

/// Writes records into part files that readers see only when they are finished, each record once
/// (Flink's FileSink). Parts are called "<prefix>-<subtask>-<number><suffix>" and lie in a
/// directory for each bucket; they end by a rolling policy. With checkpoints a finished part
/// appears when the next checkpoint is complete, without them at once.
///
///     orders.sink_to(file_sink<order>::for_csv("/data/orders")
///                        .with_bucket_assigner(buckets_by(&order::country))
///                        .with_rolling_policy({.part_bytes = 64 << 20}))
///
/// The place is one job's and one sink's alone, unless they use different prefixes.
template <class T, class Format = print_format<T>, class Assigner = base_path_buckets>
class file_sink {
 public:
  /// A finished part.
  using committable = file_committable;

  /// A line for each record, as `print` writes it.
  static file_sink<T> for_lines(std::string path) requires printable<T> {
    return file_sink<T>(std::move(path), {});
  }
  /// A line of comma-separated values for each record; `options.mode` is of no account.
  static file_sink<T, csv_formatter<T>> for_csv(std::string path,
                                                csv_options options = {}) requires csv_writable<T> {
    return file_sink<T, csv_formatter<T>>(std::move(path), csv_formatter<T>(std::move(options)));
  }
  /// What `fn(std::string&, const T&)` appends for each record.
  template <class Fn>
  static file_sink<T, encoder_format<T, Fn>> for_encoder(
      std::string path, Fn fn) requires std::invocable<Fn&, std::string&, const T&> {
    return file_sink<T, encoder_format<T, Fn>>(std::move(path), {std::move(fn)});
  }

  explicit file_sink(std::string path, Format format, Assigner assigner = {})
      : path_(std::move(path)), format_(std::move(format)), assigner_(std::move(assigner)) {}

  /// Which directory each record's part lies in.
  template <bucket_assigner<T> Other>
  file_sink<T, Format, Other> with_bucket_assigner(Other assigner) const {
    return file_sink<T, Format, Other>(path_, format_, std::move(assigner))
        .with_rolling_policy(policy_)
        .with_part_names(names_);
  }
  /// When parts end. Throws `failure(invalid_argument)` for sizes and times of 0.
  file_sink with_rolling_policy(rolling_policy policy) const {
    policy.check();
    auto changed = *this;
    changed.policy_ = policy;
    return changed;
  }
  /// What parts are called. Throws `failure(invalid_argument)` for names that can't be.
  file_sink with_part_names(part_file_names names) const {
    names.check();
    auto changed = *this;
    changed.names_ = std::move(names);
    return changed;
  }

  /// The writer of a subtask.
  std::unique_ptr<sink_writer<T, committable>> create_writer(sink_writer_context& context) const {
    return std::make_unique<file_sink_writer<T, Format, Assigner>>(
        context, detail::bucket_places_maker(path_, names_), policy_, false, format_, assigner_);
  }
  /// The committer of a subtask.
  std::shared_ptr<committer<committable>> create_committer(const committer_context& context) const {
    return make_file_committer(context);
  }

 private:
  std::string path_;
  Format format_;
  Assigner assigner_;
  rolling_policy policy_;
  part_file_names names_;
};

/// One file for each subtask at a place that the user names, which appears at the end: what
/// `write_as_text` and `write_as_csv` are.
template <class T, class Format>
class single_file_sink {
 public:
  /// A finished part.
  using committable = file_committable;

  single_file_sink(std::string path, file_write_mode mode, Format format)
      : path_(std::move(path)), mode_(mode), format_(std::move(format)) {}

  /// The writer of a subtask.
  std::unique_ptr<sink_writer<T, committable>> create_writer(sink_writer_context& context) const {
    return std::make_unique<file_sink_writer<T, Format, base_path_buckets>>(
        context, detail::fixed_place_maker(path_, mode_), rolling_policy::never(), true, format_,
        base_path_buckets{});
  }
  /// The committer of a subtask.
  std::shared_ptr<committer<committable>> create_committer(const committer_context& context) const {
    return make_file_committer(context);
  }

 private:
  std::string path_;
  file_write_mode mode_;
  Format format_;
};

/// Lines as `print` writes them.
template <class T>
single_file_sink<T, print_format<T>> make_text_file_sink(std::string path,
                                                         file_sink_options options) {
  return {std::move(path), options.mode, {}};
}

/// Lines of comma-separated values.
template <class T>
single_file_sink<T, csv_formatter<T>> make_csv_file_sink(std::string path, csv_options options) {
  const auto mode = options.mode;
  return {std::move(path), mode, csv_formatter<T>(std::move(options))};
}

}  // namespace millrace
