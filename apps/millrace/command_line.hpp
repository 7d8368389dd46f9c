#pragma once

#include <boost/program_options.hpp>
#include <string>
#include <vector>

#include "millrace/core/error.hpp"

namespace millrace::cli {

/// What follows a command's name, split into options and the rest.
struct parsed_line {
  boost::program_options::variables_map options;
  std::vector<std::string> positional;
};

enum class positional_rule {
  anywhere,     ///< Options may follow positional arguments; "--" ends the options.
  end_options,  ///< The first positional argument ends the options: the rest is the job's.
};

/// Errors (`invalid_argument`) name the option and suggest the nearest one.
result<parsed_line> parse_line(const std::vector<std::string>& arguments,
                               const boost::program_options::options_description& options,
                               positional_rule rule);

/// " (did you mean 'list'?)" with the nearest of `known`, or nothing if none is near.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& known);

}  // namespace millrace::cli
