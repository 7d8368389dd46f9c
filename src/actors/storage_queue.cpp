#include "millrace/actors/storage_queue.hpp"

#include <memory>
#include <utility>

#include "millrace/core/mutant.hpp"

namespace millrace {

void storage_queue::add(task what) {
  tasks_.push_back(std::move(what));
  if (tasks_.size() == 1) begin_next();
}

void storage_queue::add(work what, std::function<void(const status&)> done) {
  add({[what = std::move(what)] { return what; }, std::move(done)});
}

void storage_queue::begin_next() {
  auto what = tasks_.front().begin();
  if (const auto& name = tasks_.front().insist_on; !name.empty())
    return insistent_.run(name, std::move(what), [this](const status& how) { on_done(how); });
  auto outcome = std::make_shared<status>();
  io_.submit([what = std::move(what), outcome] { *outcome = what(); },
             [this, outcome] { on_done(*outcome); });
}

void storage_queue::on_done(const status& how) {
  if (!how && how.error().code == errc::stale && !MILLRACE_MUTANT(replaced_goes_on))
    return hooks_.on_replaced(how.error());
  const auto done = std::move(tasks_.front().done);
  done(how);
  tasks_.pop_front();
  if (!tasks_.empty()) return begin_next();
  hooks_.on_idle();
}

}  // namespace millrace
