# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# TAP for bash: sourced by the tests of this folder.

tap_count=0
tap_failed=0

# check NAME COMMAND...: passes when the command does; what it prints explains a failure.
check ()
{
  local name=$1 output
  shift
  tap_count=$((tap_count + 1))
  if output=$("$@" 2>&1); then
    echo "ok $tap_count - $name"
  else
    tap_failed=$((tap_failed + 1))
    echo "not ok $tap_count - $name"
    printf '%s\n' "$output" | sed 's/^/# /'
  fi
}

# same TEXT TEXT: both are lists, one item per line.
same ()
{
  diff <(printf '%s\n' "$1" | sort -u) <(printf '%s\n' "$2" | sort -u)
}

# skip NAME REASON: instead of a check that cannot be made here.
skip ()
{
  tap_count=$((tap_count + 1))
  echo "ok $tap_count - $1 # SKIP $2"
}

skip_all ()
{
  echo "1..0 # SKIP $1"
  exit 0
}

finish ()
{
  echo "1..$tap_count"
  exit $((tap_failed > 0))
}
