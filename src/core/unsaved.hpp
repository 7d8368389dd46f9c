#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "millrace/core/codec_traits.hpp"
#include "millrace/core/memory_size.hpp"

namespace millrace {

/// A part of a value that can be made again from the rest of it: neither encoded nor copied, and
/// one pointer small where there is none.
template <class T>
class unsaved {
 public:
  unsaved() = default;
  unsaved(const unsaved&) noexcept {}
  unsaved(unsaved&&) noexcept = default;
  unsaved& operator=(const unsaved&) noexcept {
    held_.reset();
    return *this;
  }
  unsaved& operator=(unsaved&&) noexcept = default;

  explicit operator bool() const noexcept { return held_ != nullptr; }
  T* operator->() noexcept { return held_.get(); }
  T& operator*() noexcept { return *held_; }
  const T& operator*() const noexcept { return *held_; }
  T& get_or_make() {
    if (!held_) held_ = std::make_unique<T>();
    return *held_;
  }
  void reset() noexcept { held_.reset(); }

 private:
  std::unique_ptr<T> held_;
};

template <class T>
struct codec<unsaved<T>> {
  static constexpr std::string_view type_name = "unsaved";
  static constexpr std::size_t min_size = 0;

  static void write(byte_writer&, const unsaved<T>&) {}
  static bool read(byte_reader&, unsaved<T>& value) {
    value.reset();
    return true;
  }
  static std::size_t heap_bytes(const unsaved<T>& value) {
    return value ? sizeof(T) + millrace::heap_bytes(*value) : 0;
  }
};

}  // namespace millrace
