#pragma once

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

namespace millrace {

/// Base of what a job's program shares between its subtasks: the factories of operators and
/// routers. Counts its references itself, so that the many types of them that a job has cost the
/// compiler no control blocks. Const once made, and used by any thread.
class shared_description : public boost::intrusive_ref_counter<shared_description> {
 public:
  shared_description() = default;
  shared_description(const shared_description&) = delete;
  shared_description& operator=(const shared_description&) = delete;
  virtual ~shared_description() = default;
};

}  // namespace millrace
