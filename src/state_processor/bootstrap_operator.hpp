#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "millrace/state_processor/written_subtask.hpp"
#include "millrace/stream/operator.hpp"

namespace millrace {

/// Where the state of a bootstrapped operator goes.
struct bootstrap_target {
  std::string path;          ///< Of the savepoint.
  std::string uid;           ///< Of the operator in the job that is to start from it.
  std::uint32_t number = 0;  ///< Unlike for the other operators of the savepoint.
  /// State of a subtask that is smaller is kept in the metadata.
  std::uint64_t memory_threshold_bytes = 0;
};

/// What operators that make state for a savepoint have in common: at the end of their input they
/// take a snapshot of their own state, have it stored, and say where it is (Flink's
/// StateBootstrapWrapperOperator). Derived classes fill the state.
class bootstrap_operator : public producing<written_subtask> {
 public:
  explicit bootstrap_operator(bootstrap_target target);
  ~bootstrap_operator() override;

  void open(operator_context& context) override;
  bool finish() final;
  bool is_busy() const noexcept final { return is_waiting_; }

 protected:
  /// No more records come: closes the user's function.
  virtual void finish_function() = 0;

 private:
  enum class phase : std::uint8_t {
    filling,  ///< Records come.
    taking,   ///< The snapshot of the state is being written, a slice at each step.
    storing,  ///< It is with the I/O threads, or stored.
  };

  void store();

  bootstrap_target target_;
  operator_context* context_ = nullptr;
  phase phase_ = phase::filling;
  bool is_waiting_ = false;  // for I/O
  std::shared_ptr<written_subtask> written_;
};

}  // namespace millrace
