#include "millrace/state/rocksdb_ttl_filter.hpp"

#include <string>

#include "millrace/core/codec.hpp"

namespace millrace {

class rocksdb_ttl_filter::filter final : public rocksdb::CompactionFilter {
 public:
  filter(std::int64_t ttl_ms, const clock& time) : ttl_ms_(ttl_ms), time_(time) {}

  const char* Name() const override { return "millrace.ttl"; }
  bool Filter(int, const rocksdb::Slice&, const rocksdb::Slice& value, std::string*,
              bool*) const override {
    std::int64_t touched_ms = 0;
    if (value.size() < sizeof(touched_ms)) return false;
    codec<std::int64_t>::load(reinterpret_cast<const std::byte*>(value.data()), touched_ms);
    const auto now_ms = time_.wall_ms();
    return now_ms > touched_ms && now_ms - touched_ms >= ttl_ms_;
  }

 private:
  std::int64_t ttl_ms_;
  const clock& time_;
};

std::unique_ptr<rocksdb::CompactionFilter> rocksdb_ttl_filter::CreateCompactionFilter(
    const rocksdb::CompactionFilter::Context&) {
  const auto ttl_ms = ttl_ms_.load();
  return ttl_ms > 0 ? std::make_unique<filter>(ttl_ms, time_) : nullptr;
}

}  // namespace millrace
