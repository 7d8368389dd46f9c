// The API calls for the cluster in this process, which is a layer above: these tests bring theirs.

#include "support/local_runner.hpp"

namespace millrace {

result<std::shared_ptr<job_runner>> make_embedded_runner(const configuration&, std::uint32_t) {
  return std::make_shared<test::local_runner>();
}

}  // namespace millrace
