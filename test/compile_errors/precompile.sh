#!/usr/bin/env bash
# precompile.sh COMPILER INCLUDE_DIR FOLDER: precompiles the public headers for check.sh, which reads
# them once for each case otherwise.
set -euo pipefail

compiler=$1 include=$2 folder=$3
mkdir -p "$folder"
echo '#include "millrace/millrace.hpp"' > "$folder/headers.hpp"
"$compiler" -std=c++20 -I"$include" -x c++-header "$folder/headers.hpp" -o "$folder/headers.hpp.gch"
