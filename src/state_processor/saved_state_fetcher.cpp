#include "millrace/state_processor/saved_state_fetcher.hpp"

#include <mutex>
#include <string>
#include <utility>

#include "millrace/checkpoint/snapshot_directory.hpp"
#include "millrace/checkpoint/state_file.hpp"
#include "millrace/checkpoint/stored_key_groups.hpp"
#include "millrace/core/codec.hpp"
#include "millrace/state_processor/saved_operator.hpp"

namespace millrace {

class saved_operator_of_reader {
 public:
  saved_operator_of_reader(file_system& files, saved_state_query query)
      : files_(files), query_(std::move(query)), directory_(snapshot_directory_of(query_.path)) {}

  /// Any thread; blocks. Its piece is empty if nothing was saved there.
  result<saved_piece> read(const saved_state_split& split, std::uint32_t number) {
    const auto* op = metadata();
    if (op == nullptr) return tl::unexpected(op_->error());
    saved_piece piece;
    piece.number = number;
    auto done = query_.of_subtasks ? read_subtask(*op, piece) : read_group(*op, piece);
    if (!done)
      return fail(done.error().code,
                  "the state of " + split.subject() + " can't be read: " + done.error().message);
    return piece;
  }

 private:
  const operator_metadata* metadata() {
    std::lock_guard lock(mutex_);
    if (!op_) op_ = load_operator(files_, query_.path, query_.uid);
    return *op_ ? &**op_ : nullptr;
  }

  status read_group(const operator_metadata& op, saved_piece& piece) {
    for (const auto& subtask : op.subtasks) {
      const auto& keyed = subtask.state.keyed;
      if (!keyed || !keyed->groups().contains(piece.number)) continue;
      auto read = read_key_groups(files_, directory_, *keyed, {piece.number, piece.number});
      if (!read) return tl::unexpected(read.error());
      if (!read->front().bytes.empty()) piece.groups.push_back(std::move(read->front()));
    }
    return {};
  }

  status read_subtask(const operator_metadata& op, saved_piece& piece) {
    if (piece.number >= op.subtasks.size() || !op.subtasks[piece.number].state.operators) return {};
    const auto bytes = read_stored(files_, directory_, *op.subtasks[piece.number].state.operators);
    if (!bytes) return tl::unexpected(bytes.error());
    auto states = decode_bytes<subtask_operator_state>(*bytes);
    if (!states) return tl::unexpected(states.error());
    for (auto& state : *states)
      if (state.name == query_.of_subtasks->name) piece.state = std::move(state);
    return {};
  }

  file_system& files_;
  saved_state_query query_;
  std::string directory_;
  std::mutex mutex_;  // of what follows
  std::optional<result<operator_metadata>> op_;
};

namespace {

class saved_state_fetcher final : public split_fetcher<saved_piece> {
 public:
  saved_state_fetcher(std::shared_ptr<saved_operator_of_reader> of, saved_state_split split)
      : of_(std::move(of)), split_(std::move(split)) {}

  result<bool> fetch(saved_piece& into) override {
    for (; split_.next <= split_.last;) {
      auto piece = of_->read(split_, split_.next++);
      if (!piece) return tl::unexpected(piece.error());
      into = std::move(*piece);
      if (!into.groups.empty() || into.state) break;
    }
    return split_.next <= split_.last;
  }

 private:
  std::shared_ptr<saved_operator_of_reader> of_;
  saved_state_split split_;
};

}  // namespace

saved_state_fetching::saved_state_fetching(file_system& files, saved_state_query query)
    : of_(std::make_shared<saved_operator_of_reader>(files, std::move(query))) {}

saved_state_fetching::opener saved_state_fetching::open(const saved_state_split& split) const {
  return [of = of_, split]() -> result<std::unique_ptr<split_fetcher<saved_piece>>> {
    return std::make_unique<saved_state_fetcher>(of, split);
  };
}

}  // namespace millrace
