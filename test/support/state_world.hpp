#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "millrace/state/keyed_state_backend.hpp"
#include "millrace/state/state_backend.hpp"
#include "support/native_snapshots.hpp"
#include "support/virtual_clock.hpp"

namespace millrace::test {

inline constexpr std::uint32_t test_max_parallelism = 16;

/// Makes keyed state of one backend, with a clock that stands still.
class state_world {
 public:
  explicit state_world(std::shared_ptr<state_backend> backend) : backend_(std::move(backend)) {}

  template <class Key>
  std::unique_ptr<keyed_state_backend<Key>> make(key_group_range groups = {
                                                     0, test_max_parallelism - 1}) {
    auto env = environment(groups);
    auto store = backend_->open_store(env);
    if (!store) throw failure(store.error());
    return std::make_unique<keyed_state_backend<Key>>(std::move(env), std::move(*store));
  }

  /// Keyed state that goes on with the files of a native snapshot of another.
  template <class Key>
  std::unique_ptr<keyed_state_backend<Key>> make_from(const native_snapshot& saved,
                                                      key_group_range groups = {
                                                          0, test_max_parallelism - 1}) {
    const auto env = environment(groups);
    auto image = backend_->bring(distant_image(saved.image));
    if (!image) throw failure(image.error());
    auto store = backend_->open_image(env, *image);
    if (!store) throw failure(store.error());
    auto made = std::make_unique<keyed_state_backend<Key>>(env, std::move(*store));
    made->adopt_tables((*image)->tables);
    for (const auto& [group, bytes] : saved.beside)
      if (auto done = made->restore_key_group(group, bytes); !done) throw failure(done.error());
    return made;
  }

  virtual_clock time;

 private:
  keyed_state_environment environment(key_group_range groups) const {
    return {.operator_name = "counter",
            .operator_uid = "uid-of-counter",
            .groups = groups,
            .max_parallelism = test_max_parallelism,
            .time = &time};
  }

  std::shared_ptr<state_backend> backend_;
};

inline std::vector<std::byte> copy_of(const chunked_bytes& bytes) {
  const auto whole = bytes.whole();
  return {whole.part.begin(), whole.part.end()};
}

/// Snapshots of all key groups of a backend, by group.
inline std::vector<std::vector<std::byte>> snapshot_of(keyed_state_backend_base& state) {
  std::vector<std::vector<std::byte>> groups(state.max_parallelism());
  const auto snapshot = state.begin_snapshot();
  auto budget = snapshot_budget::unlimited();
  while (!snapshot->write(budget)) {
  }
  for (const auto& [group, bytes] : snapshot->take()) groups[group] = copy_of(bytes);
  return groups;
}

/// Gives a backend its own groups of a snapshot.
inline status restore(keyed_state_backend_base& state,
                      const std::vector<std::vector<std::byte>>& groups) {
  for (auto g = state.groups().first; g <= state.groups().last; ++g) {
    if (auto done = state.restore_key_group(g, groups[g]); !done) return done;
  }
  return {};
}

}  // namespace millrace::test
