# What the engine is built upon, all of it from Debian 12 (scripts/setup installs it).

find_package(Threads REQUIRED)
find_package(CAF 0.17.6 REQUIRED)
if("undefined" IN_LIST MILLRACE_SANITIZE)
  # caf/detail/init_fun_factory.hpp:85 binds a reference to *nullptr for every actor that is spawned
  # from a function without arguments.
  set_property(TARGET CAF::core APPEND PROPERTY INTERFACE_COMPILE_OPTIONS -fno-sanitize=null)
endif()
find_package(Boost 1.81 CONFIG REQUIRED COMPONENTS headers program_options)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(tl-expected REQUIRED)
find_package(spdlog REQUIRED)
find_package(ZLIB REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto SSL)
find_library(MILLRACE_XXHASH xxhash REQUIRED DOC "The xxHash library")
find_library(MILLRACE_ISAL isal REQUIRED DOC "Intel's library ISA-L, for checksums")
find_library(MILLRACE_ROCKSDB rocksdb REQUIRED DOC "The RocksDB library")
find_library(MILLRACE_SQLITE sqlite3 REQUIRED DOC "The SQLite library")

# What headers that a user includes may include. MillraceConfig.cmake.in finds the same packages.
set(MILLRACE_PUBLIC_DEPENDENCIES tl::expected Boost::headers nlohmann_json::nlohmann_json
    Threads::Threads)
# What only our own .cpp files may include.
set(MILLRACE_PRIVATE_DEPENDENCIES Boost::program_options spdlog::spdlog ZLIB::ZLIB OpenSSL::Crypto
    ${MILLRACE_XXHASH} ${MILLRACE_ISAL} ${MILLRACE_ROCKSDB} ${MILLRACE_SQLITE} ${CMAKE_DL_LIBS})
# What only the layers marked CAF, and the applications, may include.
set(MILLRACE_CAF_DEPENDENCIES CAF::io CAF::core OpenSSL::SSL)
