// Precompiled for the layers and applications that use CAF.
#pragma once

#include <caf/all.hpp>
#include <caf/io/all.hpp>

#include "std.hpp"
