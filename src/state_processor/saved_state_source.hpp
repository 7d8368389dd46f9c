#pragma once

#include <memory>
#include <utility>

#include "millrace/source/source.hpp"
#include "millrace/state_processor/saved_state_enumerator.hpp"
#include "millrace/state_processor/saved_state_query.hpp"

namespace millrace {

/// What the sources of saved state have in common, all but their readers.
template <class T>
class saved_state_source : public source<T, saved_state_split, saved_state_enumeration> {
 public:
  boundedness ends() const noexcept final { return boundedness::bounded; }
  std::unique_ptr<split_enumerator<saved_state_split, saved_state_enumeration>> create_enumerator(
      enumerator_context& context) const final {
    return restore_enumerator(context, {});
  }
  std::unique_ptr<split_enumerator<saved_state_split, saved_state_enumeration>> restore_enumerator(
      enumerator_context& context, saved_state_enumeration state) const final {
    return std::make_unique<saved_state_enumerator>(context, query_, std::move(state));
  }

 protected:
  explicit saved_state_source(saved_state_query query) : query_(std::move(query)) {}

  const saved_state_query& query() const noexcept { return query_; }

 private:
  saved_state_query query_;
};

}  // namespace millrace
