#include "sim/transactional_sink.hpp"

#include "millrace/operators/typed_factory.hpp"
#include "millrace/state/operator_state.hpp"

namespace millrace::sim {

void committed_rows::commit(const prepared_id& which, const std::vector<row>& its) {
  const auto [at, is_new] = transactions.try_emplace({which.checkpoint, which.subtask}, its);
  if (!is_new && at->second != its) is_ambiguous = true;
  if (prepared.erase(which) == 0 && is_new) has_lost = true;
}

void committed_rows::give_up_before(std::uint32_t subtask, std::uint32_t attempt) {
  prepared.erase(prepared.lower_bound({subtask, 0, 0}),
                 prepared.lower_bound({subtask, attempt, 0}));
}

std::vector<row> committed_rows::rows() const {
  std::vector<row> all;
  for (const auto& [id, its] : transactions) all.insert(all.end(), its.begin(), its.end());
  return all;
}

namespace {

struct transaction {
  std::uint64_t checkpoint = 0;
  std::uint32_t attempt = 0;
  std::vector<row> rows;
};

class transactional_sink final : public producing<row> {
 public:
  explicit transactional_sink(std::shared_ptr<committed_rows> target)
      : target_(std::move(target)) {}

  void open(operator_context& context) override {
    subtask_ = context.runtime().subtask_index();
    attempt_ = context.runtime().attempt();
    kept_ =
        context.operator_state().get_list_state(list_state_descriptor<transaction>("transactions"));
    // What is in a restored checkpoint is of it, or of one before it: it is complete.
    for (const auto& t : kept_.get()) commit(t);
    kept_.clear();
    target_->give_up_before(subtask_, attempt_);
  }
  void process(std::size_t, batch& rows, rows_access) override {
    for (const auto& r : rows_of<row>(rows)) open_.push_back(r);
  }
  void snapshot_state(checkpoint_id id) override {
    prepared_.push_back({id.number, attempt_, std::exchange(open_, {})});
    target_->prepared.insert({subtask_, attempt_, id.number});
    kept_.update(prepared_);
  }
  void on_checkpoint_complete(checkpoint_id id) override {
    std::erase_if(prepared_, [&](const transaction& t) {
      if (t.checkpoint > id.number) return false;
      commit(t);
      return true;
    });
  }

 private:
  void commit(const transaction& t) {
    target_->commit({subtask_, t.attempt, t.checkpoint}, t.rows);
  }

  std::shared_ptr<committed_rows> target_;
  std::uint32_t subtask_ = 0;
  std::uint32_t attempt_ = 0;
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
