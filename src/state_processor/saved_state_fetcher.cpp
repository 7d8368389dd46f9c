#include "millrace/state_processor/saved_state_fetcher.hpp"

#include <map>
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

  /// Any thread; blocks.
  result<const operator_metadata*> metadata() {
    std::lock_guard lock(mutex_);
    if (!op_) op_ = load_operator(files_, query_.path, query_.uid);
    if (!*op_) return tl::unexpected(op_->error());
    return &**op_;
  }

  snapshot_source source() const { return {files_, directory_}; }
  const saved_state_query& query() const noexcept { return query_; }

 private:
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
      auto piece = read(split_.next++);
      if (!piece)
        return fail(piece.error().code, "the state of " + split_.subject() +
                                            " can't be read: " + piece.error().message);
      into = std::move(*piece);
      if (!into.groups.empty() || !into.states.empty()) break;
    }
    if (split_.next <= split_.last) return true;
    readers_.clear();  // here, and not in the task's thread
    return false;
  }

 private:
  /// Its piece is empty if nothing was saved there.
  result<saved_piece> read(std::uint32_t number) {
    const auto op = of_->metadata();
    if (!op) return tl::unexpected(op.error());
    saved_piece piece;
    piece.number = number;
    auto done = of_->query().of_subtasks ? read_subtask(**op, piece) : read_group(**op, piece);
    if (!done) return tl::unexpected(done.error());
    return piece;
  }

  status read_group(const operator_metadata& op, saved_piece& piece) {
    for (std::uint32_t i = 0; i < op.subtasks.size(); ++i) {
      const auto& keyed = op.subtasks[i].state.keyed;
      const bool has_it = keyed && keyed->groups().contains(piece.number);
      if (!has_it) {
        readers_.erase(i);  // groups come in their order: it is through
        continue;
      }
      auto& reader = readers_.try_emplace(i, of_->source(), *keyed).first->second;
      auto read = reader.read(piece.number);
      if (!read) return tl::unexpected(read.error());
      if (!read->empty()) piece.groups.push_back({piece.number, std::move(*read)});
    }
    return {};
  }

  status read_subtask(const operator_metadata& op, saved_piece& piece) const {
    if (piece.number >= op.subtasks.size() || !op.subtasks[piece.number].state.operators) return {};
    const auto bytes = read_stored(of_->source(), *op.subtasks[piece.number].state.operators);
    if (!bytes) return tl::unexpected(bytes.error());
    auto states = decode_bytes<subtask_operator_state>(*bytes);
    if (!states) return tl::unexpected(states.error());
    for (auto& state : *states)
      if (state.name == of_->query().of_subtasks->name) piece.states.push_back(std::move(state));
    return {};
  }

  std::shared_ptr<saved_operator_of_reader> of_;
  saved_state_split split_;
  std::map<std::uint32_t, stored_key_group_reader> readers_;  // by subtask that has the next group
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
