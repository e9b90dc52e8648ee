#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# <libloop/loop.h> as an outsider meets it: alone, strictly C11 and C++17; its parts not at all.

. "$LOOP_SRCDIR/tests/frame/tap.sh"

dir=$(mktemp -d "$LOOP_BUILDDIR/header-test.XXXXXX") || exit 99
trap 'rm -rf "$dir"' EXIT

# Other people's headers are not on trial.
flags=$($PKG_CONFIG --cflags gio-2.0 gio-unix-2.0 | sed 's/-I/-isystem /g')
flags="-I$LOOP_SRCDIR -I$LOOP_BUILDDIR $flags"
strict="-pedantic -Wall -Wextra -Wno-unused-parameter -Werror -fsyntax-only"
c_compiler=${CC%% *}
case $c_compiler in
*clang*) cxx_compiler=clang++ ;;
*) cxx_compiler=g++ ;;
esac

cat >"$dir/alone.c" <<'END'
#include <libloop/loop.h>
int main (void) { return loop_check_version (LOOP_MAJOR_VERSION, 0, 0) != NULL; }
END
cp "$dir/alone.c" "$dir/alone.cc"
cat "$dir/alone.c" - >"$dir/twice.c" <<'END'
#include <libloop/loop.h>
END
(echo '#define LOOP_VERSION_MIN_REQUIRED LOOP_VERSION_1_0'
 echo '#define LOOP_VERSION_MAX_ALLOWED LOOP_VERSION_1_0'
 cat "$dir/alone.c") >"$dir/version.c"
# <linux/loop.h> owns some of the prefix.
(echo '#include <linux/loop.h>'; cat "$dir/alone.c") >"$dir/linux.c"

# shellcheck disable=SC2086
c () { $c_compiler -std=c11 $strict $flags "$@"; }
# shellcheck disable=SC2086
cxx () { $cxx_compiler -std=c++17 $strict $flags "$@"; }
refused () { ! c "$1" 2>"$dir/errors" && grep -q 'can be included directly' "$dir/errors"; }

check "C11" c "$dir/alone.c"
if command -v "$cxx_compiler" >/dev/null; then
  check "C++17" cxx "$dir/alone.cc"
fi
check "included twice" c "$dir/twice.c"
check "with a version asked for" c "$dir/version.c"
check "beside <linux/loop.h>" c "$dir/linux.c"
for header in $LOOP_PUBLIC_HEADERS; do
  [ "$header" = libloop/loop.h ] && continue
  echo "#include <$header>" >"$dir/part.c"
  check "<$header> refuses to be included directly" refused "$dir/part.c"
done
finish
