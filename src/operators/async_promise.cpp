#include "millrace/operators/async_promise.hpp"

namespace millrace {

error error_of(std::exception_ptr thrown) {
  try {
    std::rethrow_exception(std::move(thrown));
  } catch (const failure& e) {
    return e.what_failed();
  } catch (const std::exception& e) {
    return {errc::user_function, e.what()};
  } catch (...) {
    return {errc::user_function, "threw something that is no std::exception"};
  }
}

}  // namespace millrace
