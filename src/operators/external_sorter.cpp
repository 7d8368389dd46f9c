#include "millrace/operators/external_sorter.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <utility>

#include "millrace/core/assert.hpp"
#include "millrace/operators/sort_merger.hpp"
#include "millrace/operators/sort_run.hpp"

namespace millrace {

/// A quarter of the memory for each of the two buffers that take turns. When they are merged the
/// last one stays in memory, and what is left is for the blocks of the runs.
struct external_sorter::io_state {
  io_state(operator_context& context, const std::string& label, std::uint64_t memory_bytes)
      : files(context.files()),
        directory(context.spilling().directory + "-" + context.runtime().operator_uid() + "-" +
                  std::to_string(context.runtime().subtask_index()) + "-" + label),
        block_bytes(std::clamp<std::size_t>(memory_bytes / 64, 1024, std::size_t{256} * 1024)),
        fan_in(std::clamp<std::size_t>(memory_bytes / 2 / block_bytes, 2, 128)),
        buffer(memory_bytes / 4) {}

  file_system& files;
  const std::string directory;
  const std::size_t block_bytes;
  const std::size_t fan_in;

  std::mutex mutex;  // against the removal while work is under way
  std::atomic<bool> is_abandoned{false};

  sort_buffer buffer;  // that is being written, and the last one, which is merged from memory
  std::vector<std::string> runs;  // in the order of their records
  std::uint64_t runs_made = 0;
  std::optional<sort_merger> merger;

  // What the last work left.
  byte_writer block;
  bool is_at_end = false;
  status outcome;

  void spill() {
    outcome = write_run();
    buffer.clear();
  }

  /// Makes few enough runs of many, and reads the first block.
  void begin() {
    buffer.sort();
    outcome = reduce_runs();
    if (outcome) rewind();
  }

  void rewind() {
    outcome = open_merger(runs.begin(), runs.end());
    if (outcome) {
      merger->add(buffer);
      outcome = merger->start();
    }
    if (outcome) read_block();
  }

  void read_block() {
    block.clear();
    outcome = {};
    while (outcome && !merger->is_at_end() && block.size() < block_bytes) {
      write_sort_record(block, merger->current());
      outcome = merger->advance();
    }
    is_at_end = merger->is_at_end();
    if (is_at_end) merger.reset();
  }

  void remove_files() {
    if (runs_made == 0) return;
    // Nobody is there any more to tell of errors to; what stays goes with the directory of the
    // process.
    merger.reset();
    for (const auto& path : runs) static_cast<void>(files.remove(path));
    static_cast<void>(files.remove(directory));
  }

 private:
  using run_iterator = std::vector<std::string>::const_iterator;

  status check_abandoned() const {
    if (is_abandoned.load(std::memory_order_relaxed))
      return fail(errc::cancelled, "the sorter was closed");
    return {};
  }

  /// A run is in `runs` before it is there, so that it is removed in any case.
  result<run_writer> create_run(std::string& path) {
    if (runs_made == 0) {
      if (auto ok = files.create_directories(directory); !ok) return tl::unexpected(ok.error());
    }
    path = directory + "/run-" + std::to_string(runs_made++);
    return run_writer::create(files, path, block_bytes);
  }

  status write_run() {
    if (auto ok = check_abandoned(); !ok) return ok;
    buffer.sort();
    auto run = create_run(runs.emplace_back());
    if (!run) return explained(run.error());
    for (std::size_t i = 0; i < buffer.size(); ++i)
      if (auto ok = run->add(buffer[i]); !ok) return explained(ok.error());
    if (auto ok = run->finish(); !ok) return explained(ok.error());
    return {};
  }

  status open_merger(run_iterator begin, run_iterator end) {
    merger.emplace();
    for (; begin != end; ++begin) {
      auto reader = run_reader::open(files, *begin);
      if (!reader) return tl::unexpected(reader.error());
      merger->add(*std::move(reader));
    }
    return {};
  }

  /// Merges neighbours, so that sorting stays stable, until all can be read at once.
  status reduce_runs() {
    while (runs.size() > fan_in) {
      const auto before = runs.size();
      for (std::size_t at = 0; at < runs.size(); ++at) {
        const auto count = std::min(fan_in, runs.size() - at);
        if (count == 1) break;
        if (auto ok = merge_runs(at, count); !ok) return ok;
      }
      MILLRACE_ASSERT(runs.size() < before, "each pass leaves fewer runs");
    }
    return {};
  }

  /// Puts one run in the place of `count` ones.
  status merge_runs(std::size_t first, std::size_t count) {
    const auto begin = runs.begin() + static_cast<std::ptrdiff_t>(first);
    const auto end = begin + static_cast<std::ptrdiff_t>(count);
    if (auto ok = open_merger(begin, end); !ok) return ok;
    if (auto ok = merger->start(); !ok) return ok;
    std::string path;
    auto run = create_run(path);
    // Behind those that it is made of: removed with them if this fails.
    const auto made = runs.insert(end, path);
    if (!run) return explained(run.error());
    for (std::uint64_t i = 0; !merger->is_at_end(); ++i) {
      if (i % 1024 == 0)
        if (auto ok = check_abandoned(); !ok) return ok;
      if (auto ok = run->add(merger->current()); !ok) return explained(ok.error());
      if (auto ok = merger->advance(); !ok) return ok;
    }
    if (auto ok = run->finish(); !ok) return explained(ok.error());
    merger.reset();
    for (auto old = made - static_cast<std::ptrdiff_t>(count); old != made; ++old)
      if (auto ok = files.remove(*old); !ok) return ok;
    runs.erase(made - static_cast<std::ptrdiff_t>(count), made);
    return {};
  }

  static status explained(const error& e) {
    return fail(e.code,
                "records that don't fit 'taskmanager.memory.sort' can't be written to a "
                "temporary file: " +
                    e.message + "; check the disk of 'io.tmp.dirs'");
  }
};

external_sorter::external_sorter(operator_context& context, const std::string& label,
                                 std::uint64_t memory_bytes)
    : io_(context.io()),
      state_(std::make_shared<io_state>(context, label, memory_bytes)),
      gathering_(memory_bytes / 4) {}

external_sorter::~external_sorter() {
  if (!is_working_ && state_->runs_made == 0) return;
  state_->is_abandoned = true;
  io_.submit(
      [state = std::move(state_)] {
        std::lock_guard lock(state->mutex);
        state->remove_files();
      },
      [] {});
}

void external_sorter::pump() {
  if (is_working_) return;
  if (has_input_ended_) {
    if (is_reading_) return;
    is_reading_ = true;
    std::swap(gathering_, state_->buffer);
    start_io(&io_state::begin);
  } else if (gathering_.is_full()) {
    std::swap(gathering_, state_->buffer);
    start_io(&io_state::spill);
  }
}

void external_sorter::end_input() {
  has_input_ended_ = true;
  pump();
}

void external_sorter::rewind() {
  MILLRACE_ASSERT(!is_working_ && is_last_block_ && !has_next_block_, "all records were read");
  is_last_block_ = false;
  block_.clear();
  block_at_ = 0;
  has_current_ = false;
  start_io(&io_state::rewind);
}

external_sorter::next external_sorter::peek(sort_record& record) {
  while (!has_current_) {
    if (block_at_ < block_.size()) {
      byte_reader in(block_.bytes().subspan(block_at_));
      has_current_ = read_sort_record(in, current_);
      MILLRACE_ASSERT(has_current_, "what the sorter wrote can be read");
      block_at_ += in.position();
    } else if (has_next_block_) {
      std::swap(block_, next_block_);
      block_at_ = 0;
      has_next_block_ = false;
      if (!is_last_block_) start_io(&io_state::read_block);
    } else {
      return is_last_block_ ? next::end : next::waiting;
    }
  }
  record = current_;
  return next::record;
}

bool external_sorter::is_busy() const noexcept {
  if (!is_working_) return false;
  if (!has_input_ended_) return gathering_.is_full();
  return !has_current_ && block_at_ == block_.size() && !has_next_block_;
}

void external_sorter::start_io(void (io_state::*what)()) {
  is_working_ = true;
  io_.submit(
      [state = state_, what] {
        std::lock_guard lock(state->mutex);
        if (!state->is_abandoned) (state.get()->*what)();
      },
      [this] { on_io_done(); });
}

void external_sorter::on_io_done() {
  is_working_ = false;
  if (!state_->outcome) throw failure(state_->outcome.error());
  if (is_reading_) {
    std::swap(next_block_, state_->block);
    has_next_block_ = true;
    is_last_block_ = state_->is_at_end;
  }
  pump();
}

}  // namespace millrace
