#include "millrace/state/database_image.hpp"

#include <filesystem>
#include <system_error>
#include <utility>

namespace millrace {

database_image::database_image(std::string directory, std::vector<database_file> files)
    : directory_(std::move(directory)), files_(std::move(files)) {}

database_image::~database_image() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

}  // namespace millrace
