#include "sim/transactional_sink.hpp"

#include "millrace/operators/typed_factory.hpp"
#include "millrace/state/operator_state.hpp"

namespace millrace::sim {

void committed_rows::commit(std::uint64_t checkpoint, std::uint32_t subtask,
                            const std::vector<row>& its) {
  const auto [at, is_new] = transactions.try_emplace({checkpoint, subtask}, its);
  if (!is_new && at->second != its) is_ambiguous = true;
}

std::vector<row> committed_rows::rows() const {
  std::vector<row> all;
  for (const auto& [id, its] : transactions) all.insert(all.end(), its.begin(), its.end());
  return all;
}

namespace {

struct transaction {
  std::uint64_t checkpoint = 0;
  std::vector<row> rows;
};

class transactional_sink final : public producing<row> {
 public:
  explicit transactional_sink(std::shared_ptr<committed_rows> target)
      : target_(std::move(target)) {}

  void open(operator_context& context) override {
    subtask_ = context.runtime().subtask_index();
    kept_ =
        context.operator_state().get_list_state(list_state_descriptor<transaction>("transactions"));
    // What is in a restored checkpoint is of it, or of one before it: it is complete.
    for (const auto& t : kept_.get()) target_->commit(t.checkpoint, subtask_, t.rows);
    kept_.clear();
  }
  void process(std::size_t, batch& rows, rows_access) override {
    for (const auto& r : rows_of<row>(rows)) open_.push_back(r);
  }
  void snapshot_state(checkpoint_id id) override {
    prepared_.push_back({id.number, std::exchange(open_, {})});
    kept_.update(prepared_);
  }
  void on_checkpoint_complete(checkpoint_id id) override {
    std::erase_if(prepared_, [&](const transaction& t) {
      if (t.checkpoint > id.number) return false;
      target_->commit(t.checkpoint, subtask_, t.rows);
      return true;
    });
  }

 private:
  std::shared_ptr<committed_rows> target_;
  std::uint32_t subtask_ = 0;
  std::vector<row> open_;
  std::vector<transaction> prepared_;
  operator_list_state<transaction> kept_;
};

}  // namespace

operator_factory_ptr make_transactional_sink(std::shared_ptr<committed_rows> target) {
  return make_factory<row, row>(
      [target = std::move(target)] { return std::make_unique<transactional_sink>(target); });
}

}  // namespace millrace::sim
