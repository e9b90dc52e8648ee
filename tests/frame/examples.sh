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

check "processes: one of them crashes, the others count prime numbers" \
  prints "A worker crashed, the others have found 78498 prime numbers below 1000000." \
  "$LOOP_BUILDDIR/docs/examples/processes"

# exits_upon SIGNAL: which is said, and the status is 0.
exits_upon ()
{
  local line pid
  coproc example { exec timeout --foreground 60 "$LOOP_BUILDDIR/docs/examples/signals"; }
  pid=$!
  read -r -t 30 line <&"${example[0]}" || return
  echo "it said: $line"
  [[ $line =~ \ ([0-9]+)\.$ ]] || return
  kill "-$1" "${BASH_REMATCH[1]}"
  read -r -t 30 line <&"${example[0]}"
  same "Got signal SIG$1: exit." "$line" && wait "$pid"
}

for signal in INT TERM; do
  check "signals: SIG$signal ends the loop" exits_upon "$signal"
done

# started FILE: what is written to it, when there is a line.
started ()
{
  timeout 30 tail -n +1 -f "$1" 2>/dev/null | head -n 1
}

# On a display of its own.
clock_tells_time ()
{
  local folder status=1 display line time=
  folder=$(mktemp -d) || return
  : >"$folder/display"
  : >"$folder/clock"

  Xvfb -displayfd 3 -screen 0 640x480x24 -noreset 3>"$folder/display" >/dev/null 2>&1 &
  local server=$!
  display=$(started "$folder/display")
  DISPLAY=:$display GDK_BACKEND=x11 GSK_RENDERER=cairo GTK_A11Y=none \
    timeout 60 "$LOOP_BUILDDIR/docs/examples/gtk" >"$folder/clock" 2>&1 &
  local clock=$!
  line=$(started "$folder/clock")
  echo "it said: $line"

  if [[ $line =~ ^The\ time\ is\ told\ at\ 127\.0\.0\.1:([0-9]+)\.$ ]] &&
    exec 4<>"/dev/tcp/127.0.0.1/${BASH_REMATCH[1]}"; then
    read -r -t 20 time <&4
    exec 4>&-
    echo "the time is: $time"
    [[ ! $time =~ ^[0-2][0-9]:[0-5][0-9]:[0-6][0-9]$ ]] || status=0
  fi

  kill "$clock" "$server"
  wait
  rm -r "$folder"
  return "$status"
}

name="gtk: a window with a clock, and a server in it"
if [ ! -x "$LOOP_BUILDDIR/docs/examples/gtk" ]; then
  skip "$name" "GTK 4 is missing"
elif ! command -v Xvfb >/dev/null; then
  skip "$name" "Xvfb is missing"
else
  check "$name" clock_tells_time
fi

# One client after another is answered, then the server ends.
# echoes COMMAND...
echoes ()
{
  local line port word
  coproc server { exec timeout 60 "$@" 0; }
  read -r -t 30 line <&"${server[0]}" || return
  port=${line##* }
  for word in hello again; do
    exec 5<>"/dev/tcp/127.0.0.1/$port" || return
    echo "$word" >&5
    read -r -t 30 line <&5
    exec 5>&-
    [ "$line" = "$word" ] || return
  done
  # shellcheck disable=SC2154 # coproc sets it; and timeout, which it is, passes the signal on
  kill -TERM "$server_PID"
  read -r -t 30 line <&"${server[0]}"
  [ "$line" = closed ]
}

if [ -n "$GJS" ] && [ -n "$LOOP_TYPELIB" ]; then
  check "echo.js: a server in JavaScript" echoes "$GJS" -m "$LOOP_SRCDIR/docs/examples/echo.js"
else
  skip "echo.js: a server in JavaScript" "no GJS, or no introspection"
fi

if [ -n "$HAVE_VALA" ]; then
  check "echo.vala: a server in Vala" echoes "$LOOP_BUILDDIR/docs/examples/echo"
else
  skip "echo.vala: a server in Vala" "no valac, or no introspection"
fi

finish
