#pragma once

#include <concepts>
#include <initializer_list>
#include <memory>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

#include "millrace/api/data_stream.hpp"
#include "millrace/api/job_builder.hpp"
#include "millrace/connectors/collection_source.hpp"
#include "millrace/connectors/file_source.hpp"
#include "millrace/connectors/generator_source.hpp"
#include "millrace/connectors/sequence_source.hpp"
#include "millrace/connectors/socket_source.hpp"
#include "millrace/operators/function_source.hpp"
#include "millrace/source/source_reader_operator.hpp"

namespace millrace {

/// Where a job starts: sources, job-wide settings, execution (Flink's StreamExecutionEnvironment).
/// In a `build` function it only describes the job, and whoever runs the job executes it. Made by a
/// program of its own, it runs jobs in a cluster inside this process. Not thread-safe.
class stream_environment {
 public:
  /// Runs jobs with `runner`, or without one inside this process.
  explicit stream_environment(configuration config = {},
                              std::shared_ptr<job_runner> runner = nullptr);
  stream_environment(const stream_environment&) = delete;
  stream_environment& operator=(const stream_environment&) = delete;

  // -- Settings ----------------------------------------------------------------------

  /// As lists and logs show the job.
  void set_job_name(std::string name);
  /// Of all operators that have none of their own.
  void set_parallelism(std::uint32_t parallelism);
  /// Number of key groups of all operators that have none of their own.
  void set_max_parallelism(std::uint32_t max_parallelism);
  /// Streaming unless set: results as they come, or at the end.
  void set_runtime_mode(graph::runtime_mode mode);
  /// Every operator runs in tasks of its own.
  void disable_operator_chaining();
  /// Any other setting of the job. Throws `failure` for an unknown key or a malformed value.
  void set(std::string key, std::string value);
  /// What the environment was made with.
  const configuration& config() const noexcept { return builder_->config(); }

  // -- Sources -----------------------------------------------------------------------

  /// from_elements(1, 2, 3). Texts become std::string.
  template <class First, class... More>
  auto from_elements(First first, More... more) {
    using element_type =
        std::conditional_t<std::is_convertible_v<First, std::string_view>, std::string, First>;
    static_assert((std::is_convertible_v<More, element_type> && ...),
                  "millrace: from_elements needs elements of one type");
    row_vector<element_type> elements;
    elements.reserve(1 + sizeof...(more));
    elements.push_back(std::move(first));
    if constexpr ((std::is_convertible_v<More, element_type> && ...))
      (elements.push_back(std::move(more)), ...);
    return from_rows<element_type>("from_elements", std::move(elements));
  }

  /// from_elements<word_count>({{"a", 1}, {"b", 2}})
  template <class T>
  single_output<T> from_elements(std::initializer_list<T> elements) {
    return from_rows<T>("from_elements", row_vector<T>(elements));
  }

  /// The elements of a range, copied now.
  template <std::ranges::input_range Range>
  auto from_collection(const Range& elements) {
    using element_type = std::ranges::range_value_t<Range>;
    return from_rows<element_type>("from_collection",
                                   row_vector<element_type>(elements.begin(), elements.end()));
  }

  /// first, first + 1, …, last; each subtask emits a contiguous part.
  single_output<std::int64_t> from_sequence(std::int64_t first, std::int64_t last);

  /// fn(0), fn(1), …; see generator_options.
  template <class Fn>
  auto from_generator(Fn fn, generator_options options = {}) {
    constexpr bool generates = map_function<Fn, std::uint64_t>;
    static_assert(generates,
                  "millrace: from_generator needs a function that takes a std::uint64_t, the "
                  "record's index, and returns the record");
    check(options);
    if constexpr (generates) {
      using out = std::decay_t<std::invoke_result_t<Fn&, const std::uint64_t&>>;
      if constexpr (check_record<out>() && check_copyable<Fn>())
        return from_source(make_generator<out>(std::move(fn), options), "from_generator");
      else
        return add_source<std::uint64_t>("from_generator", boundedness::bounded, nullptr);
    } else {
      return add_source<std::uint64_t>("from_generator", boundedness::bounded, nullptr);
    }
  }

  /// The same for a number of records in all.
  template <class Fn>
  auto from_generator(Fn fn, std::uint64_t count) {
    return from_generator(std::move(fn), generator_options{.count = count});
  }

  /// The lines of a file, of the files of a directory, or of those that match a pattern; plain or,
  /// with the ending .gz, compressed. Plain files are read in parallel, large ones in parts.
  single_output<std::string> read_text_file(std::string path, file_source_options options = {});

  /// The lines that a server sends. Not parallel.
  single_output<std::string> socket_text_stream(std::string host, std::uint16_t port,
                                                socket_source_options options = {});

  /// A source that is made of splits: a connector (docs: Sources). Its records have the timestamps
  /// that it gives them, if any.
  template <class T>
  single_output<T> from_source(std::shared_ptr<const source_base<T>> source,
                               std::string name = "source") {
    const auto ends = source->ends();
    const bool is_parallel = source->is_parallel();
    return add_source<T>(std::move(name), ends, make_source<T>(std::move(source)), !is_parallel);
  }

  /// The same with event time: each split has a watermark generator of its own, so that splits that
  /// are read at different speeds make no record late.
  template <class T>
  single_output<T> from_source(std::shared_ptr<const source_base<T>> source,
                               watermark_strategy<T> strategy, std::string name = "source") {
    const auto ends = source->ends();
    const bool is_parallel = source->is_parallel();
    return add_source<T>(std::move(name), ends,
                         make_source<T>(std::move(source), std::move(strategy)), !is_parallel);
  }

  /// The same for a source object, which is moved here.
  template <class S>
  requires std::derived_from<S, source_base<typename S::record>>
  auto from_source(S source, std::string name = "source") {
    return from_source(std::shared_ptr<const source_base<typename S::record>>(
                           std::make_shared<S>(std::move(source))),
                       std::move(name));
  }
  /// The same with event time.
  template <class S>
  requires std::derived_from<S, source_base<typename S::record>>
  auto from_source(S source, watermark_strategy<typename S::record> strategy,
                   std::string name = "source") {
    return from_source(std::shared_ptr<const source_base<typename S::record>>(
                           std::make_shared<S>(std::move(source))),
                       std::move(strategy), std::move(name));
  }

  /// A source of your own: see `function_source`. The record type is read off the collector that
  /// the function takes; a generic one needs it: add_source<T>(fn).
  template <class T = void, class Fn>
  auto add_source(Fn fn, std::string name = "source", boundedness ends = boundedness::unbounded) {
    using out = std::conditional_t<std::is_void_v<T>, collected_type<Fn, 0>, T>;
    constexpr bool is_source = [] {
      if constexpr (std::is_void_v<out>)
        return false;
      else
        return source_function<Fn, out>;
    }();
    static_assert(is_source,
                  "millrace: add_source needs a function that takes a `collector<T>&` and returns "
                  "a millrace::poll_status; if it is generic, say what comes out: "
                  "add_source<T>(fn)");
    if constexpr (!is_source)
      return add_source<int>(std::move(name), ends, nullptr);
    else if constexpr (check_record<out>() && check_copyable<Fn>())
      return add_source<out>(std::move(name), ends, make_function_source<out>(std::move(fn)));
    else
      return add_source<int>(std::move(name), ends, nullptr);
  }

  /// A source operator, for connectors. `factory` makes operators of record type T.
  template <class T>
  single_output<T> add_source(std::string name, boundedness ends, operator_factory_ptr factory,
                              bool non_parallel = false) {
    graph::stream_node node;
    node.kind = "source";
    node.name = std::move(name);
    node.is_source = true;
    node.bounded = ends == boundedness::bounded;
    node.non_parallel = non_parallel;
    return single_output<T>(builder_, builder_->add_operator(std::move(node), std::move(factory)));
  }

  // -- Execution ---------------------------------------------------------------------

  /// Runs all that was described since the last execution, to its end. Throws `failure` naming why
  /// the job did not finish.
  job_execution_result execute(std::string job_name = {});

  /// The same in the background.
  std::unique_ptr<job_client> execute_async(std::string job_name = {});

  /// The engine's side of the environment.
  const std::shared_ptr<detail::job_builder>& builder() const noexcept { return builder_; }

 private:
  friend struct planning_environment;
  explicit stream_environment(std::shared_ptr<detail::job_builder> builder);

  static void check(const generator_options& options);

  template <class T>
  single_output<T> from_rows(std::string name, row_vector<T> elements) {
    if constexpr (check_record<T>())
      return from_source(make_collection<T>(std::move(elements)), std::move(name));
    else
      return add_source<T>(std::move(name), boundedness::bounded, nullptr, true);
  }

  std::shared_ptr<detail::job_builder> builder_;
};

}  // namespace millrace
