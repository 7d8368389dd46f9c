#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "millrace/connectors/index_splits.hpp"
#include "millrace/source/source_reader_operator.hpp"

namespace millrace {

/// Makes records from their indices: `fill` appends `count` of them to `rows`.
template <class M, class T>
concept record_maker = std::copy_constructible<M> &&
    requires(M& maker, operator_context& context, row_vector<T>& rows, std::uint64_t n) {
  maker.open(context);
  maker.fill(rows, n, n, n);
  maker.finish();
  maker.close();
};

/// Reads index_splits.
template <class T, record_maker<T> Maker>
class indexed_reader final : public source_reader_base<T> {
 public:
  indexed_reader(reader_context& context, Maker maker, std::optional<double> per_second)
      : context_(context), maker_(std::move(maker)), cursor_(per_second) {}

  void start() override { maker_.open(context_.task()); }

  poll_status poll(source_output<T>& out) override {
    const auto run = cursor_.next(context_, out.room());
    if (!run) return cursor_.status();
    out.begin_split(run->split);
    maker_.fill(out.rows(), run->first, run->stride, run->count);
    out.flush();
    if (cursor_.advance(context_, *run)) out.end_split(run->split);
    return cursor_.status() == poll_status::finished ? poll_status::finished : poll_status::more;
  }

  void add_encoded_splits(std::vector<encoded_split> splits) override {
    cursor_.add(context_, decode_splits<index_split>(splits));
  }
  std::vector<encoded_split> encode_snapshot(checkpoint_id) override {
    return encode_splits(cursor_.splits());
  }
  void no_more_splits() override { cursor_.no_more(); }
  source_progress progress() const noexcept override { return cursor_.progress(); }
  void finish() override { maker_.finish(); }
  void close() noexcept override { maker_.close(); }

 private:
  reader_context& context_;
  Maker maker_;
  index_cursor cursor_;
};

/// A source of records that are made from their indices.
template <class T, record_maker<T> Maker>
class indexed_source final : public source_base<T> {
 public:
  indexed_source(Maker maker, indices_description how)
      : maker_(std::move(maker)), how_(std::move(how)) {}

  boundedness ends() const noexcept override { return how_.ends; }
  bool is_parallel() const noexcept override { return how_.is_parallel; }
  std::unique_ptr<source_reader_base<T>> make_reader(reader_context& context) const override {
    return std::make_unique<indexed_reader<T, Maker>>(context, maker_, how_.per_second);
  }
  std::unique_ptr<split_enumerator_base> make_enumerator(
      enumerator_context& context) const override {
    return make_index_enumerator(context, how_, {});
  }
  std::unique_ptr<split_enumerator_base> remake_enumerator(enumerator_context& context,
                                                           byte_view snapshot) const override {
    return make_index_enumerator(context, how_, snapshot);
  }

 private:
  Maker maker_;
  indices_description how_;
};

}  // namespace millrace
