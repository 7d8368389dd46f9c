#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "millrace/source/fetching_reader.hpp"
#include "millrace/state/operator_state.hpp"
#include "millrace/state_processor/saved_state_fetcher.hpp"
#include "millrace/state_processor/saved_state_source.hpp"

namespace millrace {

namespace detail {

// What takes the elements of one state out of a subtask's operator state.

template <class T>
struct list_elements {
  using record = T;
  list_state_descriptor<T> descriptor;

  std::vector<T> operator()(operator_state_backend& state) const {
    return state.get_list_state(descriptor).get();
  }
};

template <class T>
struct union_elements {
  using record = T;
  list_state_descriptor<T> descriptor;

  std::vector<T> operator()(operator_state_backend& state) const {
    return state.get_union_list_state(descriptor).get();
  }
};

template <class K, class V>
struct broadcast_elements {
  using record = std::pair<K, V>;
  map_state_descriptor<K, V> descriptor;

  std::vector<record> operator()(operator_state_backend& state) const {
    const auto& entries = state.get_broadcast_state(descriptor).entries();
    return {entries.begin(), entries.end()};
  }
};

}  // namespace detail

/// Reads one operator state of the subtasks that its splits name.
template <class Elements>
class operator_state_reader final
    : public fetching_reader<typename Elements::record, saved_state_split, saved_piece> {
  using record = typename Elements::record;
  using base = fetching_reader<record, saved_state_split, saved_piece>;

 public:
  operator_state_reader(reader_context& context, const saved_state_query& query, Elements elements)
      : base(context, {.open_max = 1, .requests_splits = true}),
        fetching_(context.task().files(), query),
        elements_(std::move(elements)) {}

 protected:
  typename base::opener open_split(const saved_state_split& split) override {
    return fetching_.open(split);
  }

  bool emit(saved_state_split& split, saved_piece& piece, source_output<record>& out) override {
    if (!piece.states.empty()) {
      operator_state_backend state(split.operator_name);
      const auto saved = std::exchange(piece.states, {});
      if (const auto done = state.restore(saved); !done) throw failure(done.error());
      rows_ = elements_(state);
    }
    const auto count = std::min<std::size_t>(rows_.size() - split.done, out.room());
    const auto from = rows_.begin() + static_cast<std::ptrdiff_t>(split.done);
    out.rows().insert(out.rows().end(), from, from + static_cast<std::ptrdiff_t>(count));
    out.flush();
    split.done += count;
    if (split.done < rows_.size()) return true;
    rows_.clear();
    split.next = piece.number + 1;
    split.done = 0;
    return false;
  }

 private:
  saved_state_fetching fetching_;
  Elements elements_;
  std::vector<record> rows_;  // of the subtask in turn
};

/// One operator state of an operator of a snapshot.
template <class Elements>
class operator_state_source final : public saved_state_source<typename Elements::record> {
  using record = typename Elements::record;

 public:
  operator_state_source(saved_state_query query, Elements elements)
      : saved_state_source<record>(std::move(query)), elements_(std::move(elements)) {}

  std::unique_ptr<source_reader<record, saved_state_split>> create_reader(
      reader_context& context) const override {
    return std::make_unique<operator_state_reader<Elements>>(context, this->query(), elements_);
  }

 private:
  Elements elements_;
};

}  // namespace millrace
