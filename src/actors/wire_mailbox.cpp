#include <caf/all.hpp>

#include "millrace/actors/wire.hpp"

MILLRACE_WIRE_TYPES(MILLRACE_MAILBOX_TEMPLATES)
