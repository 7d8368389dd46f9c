#pragma once

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "millrace/source/hybrid_enumerator.hpp"

namespace millrace {

/// The sources of a hybrid_source.
template <class T>
class typed_hybrid_chain final : public hybrid_chain {
 public:
  /// Shared by all that read it.
  using source_ptr = std::shared_ptr<const source_base<T>>;
  /// Makes a source when its turn has come.
  using maker = std::function<source_ptr(const switch_context&)>;

  /// Appends a source that ends as `ends` says. Throws `failure(invalid_argument)` if the one
  /// before never ends.
  void add(boundedness ends, bool is_parallel, maker make) {
    if (!links_.empty() && ends_ == boundedness::unbounded)
      throw failure(
          errc::invalid_argument,
          "a hybrid source goes on when a source has ended, but the one before this never "
          "does");
    ends_ = ends;
    is_parallel_ |= is_parallel;
    links_.push_back(std::move(make));
  }

  /// How the last source ends, and with it the whole.
  boundedness ends() const noexcept { return ends_; }
  /// Whether any of them is: the others then have idle readers.
  bool is_parallel() const noexcept { return is_parallel_; }
  std::uint32_t size() const noexcept override { return static_cast<std::uint32_t>(links_.size()); }
  /// The nth source, from 0. Throws `failure`: `protocol` if there is none, `user_function` if its
  /// maker returned none.
  source_ptr at(std::uint32_t index, const switch_context& how) const {
    if (index >= links_.size())
      throw failure(errc::protocol, "the hybrid source has no source " + std::to_string(index));
    auto made = links_[index](how);
    if (!made)
      throw failure(errc::user_function, "the function that makes source " +
                                             std::to_string(index + 1) +
                                             " of the hybrid source returned none");
    return made;
  }
  std::shared_ptr<const enumerator_factory> enumerators_of(
      std::uint32_t index, const switch_context& how) const override {
    return at(index, how);
  }

 private:
  std::vector<maker> links_;
  boundedness ends_ = boundedness::bounded;
  bool is_parallel_ = false;
};

/// Reads the source that the enumerator says, with a reader of that source. It knows splits by
/// their ids; the operator knows them by their hybrid_split_name, so that it tells those of sources
/// whose turn has not come, which hold back event time like any other, from those that are read.
template <class T>
class hybrid_reader final : public source_reader_base<T>,
                            private reader_context,
                            private split_listener {
 public:
  hybrid_reader(reader_context& context, std::shared_ptr<const typed_hybrid_chain<T>> chain)
      : context_(context), chain_(std::move(chain)) {}

  void start() override { tell(hybrid_enumerator_message::kind::hello, {}); }

  poll_status poll(source_output<T>& out) override {
    if (!present_) return poll_status::idle;
    const auto how = poll_present(out);
    if (how != poll_status::finished) return how;
    if (index_ + 1 == chain_->size()) {
      if (!early_.empty())
        throw failure(errc::protocol, "the hybrid source ends, but splits of source " +
                                          std::to_string(early_.begin()->first + 1) +
                                          " were not read");
      return poll_status::finished;
    }
    tell(hybrid_enumerator_message::kind::finished, {});
    end_present();
    return poll_status::idle;
  }

  void add_encoded_splits(std::vector<encoded_split> splits) override {
    std::vector<encoded_split> of_present;
    for (auto& split : unwrap(splits)) {
      auto& to = present_ && split.index == index_ ? of_present : early_[split.index];
      to.push_back(std::move(split.split));
    }
    if (!of_present.empty()) present_->add_encoded_splits(std::move(of_present));
    if (can_pause_splits() && !early_.empty()) present_->pause_splits({});
  }
  /// The enumerator names the source in an event of its own.
  void no_more_splits() override {}

  void on_event(byte_view event) override {
    auto message = decode_hybrid_reader_message(event);
    if (message.what == hybrid_reader_message::kind::switch_to)
      return switch_to(message.index, {message.at_ms, std::move(message.bytes)});
    if (!present_ || message.index != index_) return;
    if (message.what == hybrid_reader_message::kind::no_more_splits)
      present_->no_more_splits();
    else
      present_->on_event(message.bytes);
  }

  std::vector<encoded_split> encode_snapshot(checkpoint_id checkpoint) override {
    std::vector<encoded_split> all;
    if (present_) all = wrap(index_, present_->encode_snapshot(checkpoint));
    for (const auto& [index, splits] : early_) {
      auto wrapped = wrap(index, splits);
      std::move(wrapped.begin(), wrapped.end(), std::back_inserter(all));
    }
    return all;
  }

  std::string split_name(const encoded_split& split) const override {
    return unwrap({split}).front().name();
  }
  bool can_pause_splits() const noexcept override {
    return present_ && present_->can_pause_splits();
  }
  void pause_splits(const std::set<std::string>& names) override {
    const auto prefix = hybrid_split_name(index_, {});
    std::set<std::string> ids;
    // Splits of later sources hold back their whole alignment group until the present one is read:
    // it must not wait for the group.
    if (!early_.empty()) return present_->pause_splits(ids);
    for (auto at = names.lower_bound(prefix); at != names.end() && at->starts_with(prefix); ++at)
      ids.insert(at->substr(prefix.size()));
    present_->pause_splits(ids);
  }

  source_progress progress() const noexcept override {
    return present_ && chain_->size() == 1 ? present_->progress() : source_progress{};
  }
  void on_checkpoint_complete(checkpoint_id checkpoint) override {
    if (present_) present_->on_checkpoint_complete(checkpoint);
  }
  void on_checkpoint_aborted(checkpoint_id checkpoint) override {
    if (present_) present_->on_checkpoint_aborted(checkpoint);
  }
  void finish() override {
    if (present_) present_->finish();
  }
  void close() noexcept override {
    if (present_) present_->close();
    for (auto& reader : ended_) reader->close();
  }

 private:
  operator_context& task() noexcept override { return context_.task(); }
  void wake_at(std::chrono::steady_clock::time_point when) override { context_.wake_at(when); }
  void request_split() override { tell(hybrid_enumerator_message::kind::split_request, {}); }
  void send_event(std::vector<std::byte> event) override {
    tell(hybrid_enumerator_message::kind::event, std::move(event));
  }
  void on_begin_split(const std::string& id) override {
    listener_->on_begin_split(hybrid_split_name(index_, id));
  }
  void on_end_split(const std::string& id) override {
    listener_->on_end_split(hybrid_split_name(index_, id));
  }

  /// Listens only meanwhile: the next reader may be of a hybrid source, too, and one that has ended
  /// must not come between.
  poll_status poll_present(source_output<T>& out) {
    listener_ = out.listener();
    if (listener_ == nullptr) return present_->poll(out);
    out.listen(this);
    const auto how = present_->poll(out);
    out.listen(listener_);
    return how;
  }

  void tell(hybrid_enumerator_message::kind what, std::vector<std::byte> bytes) {
    hybrid_enumerator_message message{what, index_, std::nullopt, std::move(bytes)};
    if (!early_.empty()) message.restored = early_.begin()->first;
    context_.send_event(encode_message(message));
  }

  void switch_to(std::uint32_t index, const switch_context& how) {
    index_ = index;
    source_ = chain_->at(index, how);
    present_ = source_->make_reader(*this);
    if (auto early = early_.extract(index); !early.empty())
      present_->add_encoded_splits(std::move(early.mapped()));
    present_->start();
  }

  /// It is closed with the operator: what it had given to I/O may still come back to it.
  void end_present() {
    present_->finish();
    ended_.push_back(std::move(present_));
    sources_.push_back(std::move(source_));
  }

  reader_context& context_;
  split_listener* listener_ = nullptr;  // the operator's, while the output has this one
  std::shared_ptr<const typed_hybrid_chain<T>> chain_;
  std::uint32_t index_ = 0;
  std::shared_ptr<const source_base<T>> source_;
  std::unique_ptr<source_reader_base<T>> present_;  // null between two sources
  std::vector<std::unique_ptr<source_reader_base<T>>> ended_;
  std::vector<std::shared_ptr<const source_base<T>>> sources_;  // of those
  std::map<std::uint32_t, std::vector<encoded_split>> early_;   // splits of sources not read yet
};

/// A source that is followed by another when it has ended, such as files by a stream that goes on
/// where they end (Flink's HybridSource). All readers finish one before the next begins.
///
///     hybrid_source<std::string>(make_text_files("/history", {})).then(make_text_socket("h", 1,
///     {}))
template <class T>
class hybrid_source final : public source_base<T> {
 public:
  /// Shared by all that read it.
  using source_ptr = std::shared_ptr<const source_base<T>>;

  /// Begins with `first`.
  explicit hybrid_source(source_ptr first) { then(std::move(first)); }

  /// Throws `failure(invalid_argument)` if what is there so far never ends.
  hybrid_source& then(source_ptr next) {
    const auto ends = next->ends();
    const bool is_parallel = next->is_parallel();
    chain_->add(ends, is_parallel,
                [next = std::move(next)](const switch_context&) { return next; });
    return *this;
  }
  /// The next source depends on how the one before ended: `make` takes a `const switch_context&`
  /// and returns the source, which ends as `ends` says. It is called in the job master and by every
  /// reader, and must return the same source for the same context.
  template <std::invocable<const switch_context&> Make>
  hybrid_source& then(boundedness ends, Make make) {
    chain_->add(ends, true, std::move(make));
    return *this;
  }

  boundedness ends() const noexcept override { return chain_->ends(); }
  bool is_parallel() const noexcept override { return chain_->is_parallel(); }
  std::unique_ptr<source_reader_base<T>> make_reader(reader_context& context) const override {
    return std::make_unique<hybrid_reader<T>>(context, chain_);
  }
  std::unique_ptr<split_enumerator_base> make_enumerator(
      enumerator_context& context) const override {
    return std::make_unique<hybrid_enumerator>(context, chain_);
  }
  std::unique_ptr<split_enumerator_base> remake_enumerator(enumerator_context& context,
                                                           byte_view snapshot) const override {
    return std::make_unique<hybrid_enumerator>(context, chain_, snapshot);
  }

 private:
  std::shared_ptr<typed_hybrid_chain<T>> chain_ = std::make_shared<typed_hybrid_chain<T>>();
};

}  // namespace millrace
