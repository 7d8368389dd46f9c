#include "millrace/stream/operator_failure.hpp"

#include <typeinfo>

namespace millrace {

void rethrow_as_operator_failure(const std::string& operator_name) {
  try {
    throw;
  } catch (const operator_failure&) {
    throw;
  } catch (const failure& e) {
    throw operator_failure(operator_name, e.what_failed());
  } catch (const std::exception& e) {
    throw operator_failure(operator_name, {errc::user_function, e.what()});
  } catch (...) {
    throw operator_failure(operator_name,
                           {errc::user_function, "threw something that is no std::exception"});
  }
}

}  // namespace millrace
