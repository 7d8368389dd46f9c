#pragma once

/// All that a job needs which reads or writes snapshots of others, besides "millrace/millrace.hpp".
#include "millrace/state_processor/savepoint_reader.hpp"
#include "millrace/state_processor/savepoint_writer.hpp"
