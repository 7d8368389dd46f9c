#pragma once

/// All that a job needs.
#include "millrace/api/arguments.hpp"
#include "millrace/api/bounded_stream.hpp"
#include "millrace/api/broadcast_stream.hpp"
#include "millrace/api/connected_streams.hpp"
#include "millrace/api/data_stream.hpp"
#include "millrace/api/interval_joined_streams.hpp"
#include "millrace/api/iterative_stream.hpp"
#include "millrace/api/joined_streams.hpp"
#include "millrace/api/stream_environment.hpp"
#include "millrace/source/hybrid_source.hpp"
