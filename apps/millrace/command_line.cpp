#include "command_line.hpp"

#include <cstddef>
#include <string_view>

#include "millrace/core/edit_distance.hpp"

namespace po = boost::program_options;

namespace millrace::cli {

namespace {

constexpr const char* positional_key = "positional argument";

std::vector<std::string> names_of(const po::options_description& options) {
  std::vector<std::string> names;
  for (const auto& option : options.options()) {
    const auto [long_names, count] = option->long_names();
    for (std::size_t i = 0; i < count; ++i) names.push_back("--" + long_names[i]);
  }
  return names;
}

/// The position of the first argument that is neither an option nor an option's value.
std::size_t first_positional(const std::vector<std::string>& arguments,
                             const po::options_description& options) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& word = arguments[i];
    if (word == "--" || word.size() < 2 || word[0] != '-') return i;
    const bool is_long = word.starts_with("--");
    const std::size_t equals = word.find('=');
    const std::string name = is_long ? word.substr(2, equals - 2) : word.substr(0, 2);
    const bool value_inside = is_long ? equals != std::string::npos : word.size() > 2;
    const auto* option = options.find_nothrow(name, false);
    if (option != nullptr && option->semantic()->max_tokens() > 0 && !value_inside) ++i;
  }
  return arguments.size();
}

}  // namespace

std::string did_you_mean(const std::string& word, const std::vector<std::string>& known) {
  const std::vector<std::string_view> words(known.begin(), known.end());
  const std::string_view nearest = nearest_word(word, words);
  return nearest.empty() ? "" : " (did you mean '" + std::string(nearest) + "'?)";
}

result<parsed_line> parse_line(const std::vector<std::string>& arguments,
                               const po::options_description& options, positional_rule rule) {
  using style = po::command_line_style::style_t;
  // Abbreviations would make every new option a danger for somebody's script.
  constexpr int exact = style::unix_style & ~style::allow_guessing;
  parsed_line line;
  std::vector<std::string> ours = arguments;
  if (rule == positional_rule::end_options) {
    const std::size_t end = first_positional(arguments, options);
    ours.resize(end);
    line.positional.assign(arguments.begin() + static_cast<std::ptrdiff_t>(end), arguments.end());
    if (!line.positional.empty() && line.positional.front() == "--") {
      line.positional.erase(line.positional.begin());
    }
  }
  try {
    po::options_description all;
    all.add(options).add_options()(positional_key, po::value<std::vector<std::string>>());
    const auto positions = po::positional_options_description().add(positional_key, -1);
    po::store(po::command_line_parser(ours).options(all).positional(positions).style(exact).run(),
              line.options);
    po::notify(line.options);
    if (line.options.count(positional_key) > 0) {
      line.positional = line.options[positional_key].as<std::vector<std::string>>();
    }
    return line;
  } catch (const po::unknown_option& unknown) {
    const std::string name = unknown.get_option_name();
    return fail(errc::invalid_argument,
                "unknown option '" + name + "'" + did_you_mean(name, names_of(options)));
  } catch (const po::error& problem) {
    return fail(errc::invalid_argument, problem.what());
  }
}

}  // namespace millrace::cli
