// The source of docs/sources.md, which must compile and do what is said about it.

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>

#include "millrace/millrace.hpp"
#include "millrace/source/fetching_reader.hpp"
#include "support/local_runner.hpp"

namespace sources_guide_test {

using namespace millrace;
using namespace std::chrono_literals;

namespace {

struct reading {
  std::int64_t at_ms = 0;
  std::int64_t value = 0;
};

struct reading_split {
  std::string path;
  std::uint64_t next = 0;  // the record where reading goes on
  std::string id() const { return path; }
};

class reading_enumerator : public split_enumerator<reading_split, std::vector<reading_split>> {
 public:
  reading_enumerator(enumerator_context& context, std::string directory)
      : split_enumerator(context), directory_(std::move(directory)) {}
  reading_enumerator(enumerator_context& context, std::vector<reading_split> waiting)
      : split_enumerator(context), is_listed_(true), waiting_(std::move(waiting)) {}

  void start() override {
    if (is_listed_) return;
    using listing = result<std::vector<file_info>>;
    auto found = std::make_shared<listing>();
    context().io().submit(
        [found, path = directory_, files = &context().files()] { *found = files->list(path); },
        [this, found] {
          if (!*found) throw failure(found->error());
          for (const auto& file : **found) waiting_.push_back({file.path, 0});
          is_listed_ = true;
          serve();
        });
  }
  void handle_split_request(std::uint32_t subtask) override {
    asking_.push_back(subtask);
    serve();
  }
  void add_splits_back(std::vector<reading_split> splits, std::uint32_t) override {
    waiting_.insert(waiting_.end(), splits.begin(), splits.end());
  }
  std::vector<reading_split> snapshot(checkpoint_id) override { return waiting_; }

 private:
  void serve() {
    if (!is_listed_) return;
    for (const auto subtask : std::exchange(asking_, {})) {
      if (waiting_.empty())
        context().signal_no_more_splits(subtask);
      else if (assign(subtask, {waiting_.back()}))
        waiting_.pop_back();
    }
  }

  std::string directory_;
  bool is_listed_ = false;
  std::vector<reading_split> waiting_;
  std::vector<std::uint32_t> asking_;
};

using readings = std::vector<reading>;

class reading_fetcher : public split_fetcher<readings> {
 public:
  reading_fetcher(std::unique_ptr<file_reader> file, std::uint64_t next)
      : file_(std::move(file)), next_(next) {}

  result<bool> fetch(readings& into) override {
    into.resize(1000);
    auto got = file_->read_at(next_ * sizeof(reading), std::as_writable_bytes(std::span(into)));
    if (!got) return tl::unexpected(got.error());
    into.resize(*got / sizeof(reading));
    next_ += into.size();
    return into.size() == 1000;
  }

 private:
  std::unique_ptr<file_reader> file_;
  std::uint64_t next_;
};

class reading_reader : public fetching_reader<reading, reading_split, readings> {
 public:
  explicit reading_reader(reader_context& context) : fetching_reader(context, {.open_max = 4}) {}

 protected:
  opener open_split(const reading_split& split) override {
    return
        [split,
         files = &context().task().files()]() -> result<std::unique_ptr<split_fetcher<readings>>> {
          auto file = files->open_reader(split.path);
          if (!file) return tl::unexpected(file.error());
          return std::make_unique<reading_fetcher>(*std::move(file), split.next);
        };
  }
  bool emit(reading_split& split, readings& chunk, source_output<reading>& out) override {
    for (const auto& each : chunk) out.emit(each);
    split.next += chunk.size();
    return false;
  }
};

class reading_source : public source<reading, reading_split> {
 public:
  explicit reading_source(std::string directory) : directory_(std::move(directory)) {}

  boundedness ends() const noexcept override { return boundedness::bounded; }
  std::unique_ptr<source_reader<reading, reading_split>> create_reader(
      reader_context& context) const override {
    return std::make_unique<reading_reader>(context);
  }
  std::unique_ptr<split_enumerator<reading_split, std::vector<reading_split>>> create_enumerator(
      enumerator_context& context) const override {
    return std::make_unique<reading_enumerator>(context, directory_);
  }
  std::unique_ptr<split_enumerator<reading_split, std::vector<reading_split>>> restore_enumerator(
      enumerator_context& context, std::vector<reading_split> waiting) const override {
    return std::make_unique<reading_enumerator>(context, std::move(waiting));
  }

 private:
  std::string directory_;
};

}  // namespace

TEST_CASE("the guide's source reads all readings of a directory, with event time per file") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    auto runner = std::make_shared<test::local_runner>(test::pipeline_settings{.seed = seed});
    std::int64_t sum = 0, count = 0;
    for (int file = 0; file < 5; ++file) {
      std::string content;
      for (int i = 0; i < 1000 * file; ++i) {
        const reading each{i, file * i};
        content.append(reinterpret_cast<const char*>(&each), sizeof each);
        sum += each.value;
        ++count;
      }
      runner->files().put("/readings/" + std::to_string(file), content);
    }
    stream_environment env({}, runner);
    env.set_parallelism(2);
    const auto all =
        env.from_source(
               reading_source("/readings"),
               watermark_strategy<reading>::for_monotonous_timestamps().with_timestamp_assigner(
                   &reading::at_ms),
               "readings")
            .execute_and_collect();
    std::int64_t got = 0;
    for (const auto& each : all) got += each.value;
    CHECK(static_cast<std::int64_t>(all.size()) == count);
    CHECK(got == sum);
  }
}

}  // namespace sources_guide_test
