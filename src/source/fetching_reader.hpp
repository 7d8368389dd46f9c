#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "millrace/source/source_reader.hpp"

namespace millrace {

/// Gets the content of one split piece by piece, in I/O threads: it may block. One call at a time.
/// `Chunk` is whatever is handed from there to the task; it consists of whole records.
template <class Chunk>
class split_fetcher {
 public:
  virtual ~split_fetcher() = default;
  /// Replaces what is in `into`, whose memory is used again. False once that was the last of the
  /// split; true with an empty chunk for nothing new yet, after which it is called again.
  virtual result<bool> fetch(Chunk& into) = 0;
};

/// How a fetching_reader reads.
struct fetching_options {
  /// How many splits are read by turns; those beyond wait. One: one after the other.
  std::size_t open_max = 1;
  /// Whether the enumerator is asked for a split when there is none left to fetch from. If not, it
  /// gives splits by itself.
  bool requests_splits = true;
};

/// Base of readers that fetch from something that blocks: each split is fetched one chunk ahead by
/// I/O threads while the task emits the chunk before (Flink's SingleThreadMultiplexSourceReaderBase
/// with its SplitReader). Back pressure stops the fetching.
///
/// A derived class says how a split is opened and how a chunk becomes records.
template <class T, source_split Split, class Chunk>
class fetching_reader : public source_reader<T, Split> {
 public:
  fetching_reader(reader_context& context, fetching_options options)
      : context_(context), options_(options) {}

  void start() override { look_for_work(); }

  poll_status poll(source_output<T>& out) final {
    const auto in_turn = std::min(open_.size(), options_.open_max);
    // A split that waits for those in turn holds back its whole alignment group, and its own turn
    // would never come if they waited for the group.
    const bool may_pause = open_.size() == in_turn && waiting_.empty();
    for (std::size_t i = 0; i < in_turn; ++i) {
      turn_ = (turn_ + 1) % in_turn;
      auto& s = *open_[turn_];
      if (may_pause && paused_.contains(s.split.id())) continue;
      if (!s.has_chunk && !take_chunk(s)) continue;
      out.begin_split(s.split.id());
      s.has_chunk = emit(s.split, s.chunk, out);
      if (!s.has_chunk && s.is_at_end && !s.has_fetched) close_split(turn_, out);
      return poll_status::more;
    }
    return no_more_ && open_.empty() ? poll_status::finished : poll_status::idle;
  }

  void add_splits(std::vector<Split> splits) final {
    has_requested_ = false;
    for (auto& split : splits) {
      on_split_added(split);
      waiting_.push_back(std::move(split));
    }
    look_for_work();
  }
  void no_more_splits() final { no_more_ = true; }

  std::vector<Split> snapshot(checkpoint_id) override {
    std::vector<Split> all;
    for (const auto& s : open_) all.push_back(s->split);
    all.insert(all.end(), waiting_.begin(), waiting_.end());
    return all;
  }

  bool can_pause_splits() const noexcept final { return true; }
  void pause_splits(const std::set<std::string>& ids) final { paused_ = ids; }
  void close() noexcept override { open_.clear(); }

 protected:
  /// Runs in an I/O thread: must own all it touches, but for the file system.
  using opener = std::function<result<std::unique_ptr<split_fetcher<Chunk>>>()>;

  /// How to read the split from where it is.
  virtual opener open_split(const Split& split) = 0;
  /// Emits about a batch of what is left of the chunk, and notes in the split how far that is.
  /// Whether anything is left.
  virtual bool emit(Split& split, Chunk& chunk, source_output<T>& out) = 0;
  /// A split has come.
  virtual void on_split_added(const Split&) {}
  /// All of it was emitted.
  virtual void on_split_read(const Split&) {}

  /// What the reader was made with.
  reader_context& context() noexcept { return context_; }

 private:
  /// What the I/O threads have of a split; the task's between two fetches.
  struct fetching {
    opener open;
    std::unique_ptr<split_fetcher<Chunk>> fetcher;
    Chunk chunk{};
    result<bool> outcome = true;

    void run() {
      if (!fetcher) {
        auto opened = open();
        if (!opened) {
          outcome = tl::unexpected(opened.error());
          return;
        }
        fetcher = *std::move(opened);
        open = nullptr;
      }
      outcome = fetcher->fetch(chunk);
    }
  };
  struct open_split_state {
    Split split;
    std::shared_ptr<fetching> io;
    Chunk chunk{};
    bool has_fetched = false;  // `io->chunk` is to be taken
    bool has_chunk = false;    // something of `chunk` is to be emitted
    bool is_at_end = false;    // what was fetched is all there is
  };

  /// Opens splits as far as they may be read, and asks for more when there is nothing to fetch.
  /// One that has been fetched to its end makes room for the next one to be fetched ahead.
  void look_for_work() {
    auto active = static_cast<std::size_t>(
        std::count_if(open_.begin(), open_.end(), [](const auto& s) { return !s->is_at_end; }));
    for (; active < options_.open_max && !waiting_.empty(); ++active) {
      auto s = std::make_unique<open_split_state>();
      s->split = std::move(waiting_.front());
      waiting_.pop_front();
      s->io = std::make_shared<fetching>();
      s->io->open = open_split(s->split);
      open_.push_back(std::move(s));
      fetch(*open_.back());
    }
    if (active >= options_.open_max || !options_.requests_splits || no_more_ || has_requested_)
      return;
    has_requested_ = true;
    context_.request_split();
  }

  void fetch(open_split_state& s) {
    // The split stays open while it is fetched.
    context_.task().io().submit([io = s.io] { io->run(); }, [this, &s] { on_fetched(s); });
  }

  void on_fetched(open_split_state& s) {
    if (!s.io->outcome) throw failure(s.io->outcome.error());
    s.is_at_end = !*s.io->outcome;
    s.has_fetched = true;
    if (s.is_at_end) look_for_work();
  }

  /// Takes what was fetched, and has the next chunk fetched into the memory of the one before.
  bool take_chunk(open_split_state& s) {
    if (!std::exchange(s.has_fetched, false)) return false;
    std::swap(s.chunk, s.io->chunk);
    if (!s.is_at_end) fetch(s);
    return true;
  }

  void close_split(std::size_t index, source_output<T>& out) {
    const auto closed = std::move(open_[index]);
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index));
    out.end_split(closed->split.id());
    on_split_read(closed->split);
    look_for_work();
  }

  reader_context& context_;
  fetching_options options_;
  std::vector<std::unique_ptr<open_split_state>> open_;  // the oldest first
  std::deque<Split> waiting_;
  std::set<std::string> paused_;
  std::size_t turn_ = 0;
  bool has_requested_ = false;
  bool no_more_ = false;
};

}  // namespace millrace
