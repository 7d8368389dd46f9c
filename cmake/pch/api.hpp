// Precompiled for jobs, and for the tests that build some.
#pragma once

#include "millrace/millrace.hpp"
#include "std.hpp"
