#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The examples of the documentation do what they say.

. "$LOOP_SRCDIR/tests/frame/tap.sh"

# prints LINE COMMAND...
prints ()
{
  local expected=$1
  shift
  same "$expected" "$(timeout 60 "$@" 2>&1)"
}

check "fibers: 100,000 of them sleep and wait for each other" \
  prints "The sum of 1 to 100000 is 5000050000." "$LOOP_BUILDDIR/docs/examples/fibers"

finish
