#!/bin/sh
# The native engine's loops and products under AddressSanitizer and UndefinedBehaviorSanitizer, under ThreadSanitizer, and
# as they are shipped, for each vector width that this machine can run. TensorFlow is not involved.
# Usage: tests/native/sanitize.sh [COMPILER...]
set -eu
here=$(cd "$(dirname "$0")" && pwd)
sources=$here/../../rnnapps/native
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

[ $# -gt 0 ] || set -- c++
for compiler in "$@"; do
  for width in "-march=native" "-march=native -mno-avx512f" "-march=native -mno-avx512f -mno-avx"; do
    files=
    for name in kernels weights simple_rnn gru lstm; do files="$files $sources/$name.cc"; done
    for how in "-O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all" \
      "-O2 -g -fsanitize=thread" "-O3"; do
      # shellcheck disable=SC2086
      "$compiler" -std=c++17 $how -D_GLIBCXX_ASSERTIONS $width -ffp-contract=fast -fno-math-errno -fno-trapping-math \
        -Wall -Wextra -Werror -I "$sources" "$here/sanitize.cc" $files -pthread -o "$build/sanitize"
      printf '%s %s %s: ' "$compiler" "$width" "$how"
      "$build/sanitize"
    done
  done
done
