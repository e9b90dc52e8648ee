#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What a debugger shows of a fiber: its own functions, and where it began, and no more than that.

. "$LOOP_SRCDIR/tests/frame/tap.sh"

command -v gdb >/dev/null || skip_all "gdb is missing"
[ -e "$LOOP_BUILDDIR/libloop/.libs/libloop-1.so" ] || skip_all "no shared library"

dir=$(mktemp -d "$LOOP_BUILDDIR/debugger-test.XXXXXX") || exit 99
trap 'rm -rf "$dir"' EXIT

build ()
{
  # shellcheck disable=SC2046
  "${CC%% *}" -g -O1 -fno-optimize-sibling-calls -I"$LOOP_SRCDIR" -I"$LOOP_BUILDDIR" \
    $($PKG_CONFIG --cflags gio-2.0) -o "$dir/program" "$LOOP_SRCDIR/tests/frame/fiber-debugger.c" \
    -L"$LOOP_BUILDDIR/libloop/.libs" -lloop-1 $($PKG_CONFIG --libs gio-2.0)
}

debug ()
{
  # No shell between the two, no settings of the user's, nothing from the network.
  timeout 60 env -u DEBUGINFOD_URLS HOME="$dir" gdb -nx -batch -iex 'set auto-load off' \
    -ex 'set startup-with-shell off' -ex 'set breakpoint pending on' "$@" "$dir/program" </dev/null 2>&1
}

check "a program with a fiber builds" build
output=$(debug -ex 'break marked' -ex 'run' -ex 'backtrace' -ex 'kill')
case $output in
*"ptrace: Operation not permitted"*|*"Could not trace the inferior"*)
  skip "frames" "no process may be traced here"
  finish
  ;;
esac

# The frames, as "number function".
frames=$(sed -nE 's/^#([0-9]+) +(0x[0-9a-f]+ in )?([a-zA-Z_0-9]+) \(.*/\1 \3/p' <<<"$output")
names=$(cut -d' ' -f2 <<<"$frames")

begins ()
{
  printf '%s\n' "$output"
  [ "$(head -n 6 <<<"$names")" = $'marked\nwait_and_mark\nwait_and_mark\nwait_and_mark\nwait_and_mark\nfunction_of_fiber' ]
}

# run_fiber() and loop_fiber_begin, or what ucontext has in its place. Not main(): that is on another stack.
ends ()
{
  printf '%s\n' "$output"
  [ "$(wc -l <<<"$names")" -le 9 ] && [ "$(sed -n 7p <<<"$names")" = run_fiber ] && ! grep -qx main <<<"$names" &&
    ! grep -qiE 'corrupt stack|Backtrace stopped|Cannot access memory' <<<"$output"
}

check "a fiber's frames are seen after a wait" begins
check "they end where the fiber began" ends

# In the middle of the switch to a new fiber too, at whatever instruction.
cat >"$dir/step" <<'END'
set pagination off
break loop_fiber_switch
run
delete
set $n = 0
while $n < 40
  backtrace
  echo end of backtrace\n
  stepi
  set $n = $n + 1
end
kill
END
every_instruction ()
{
  output=$(debug -x "$dir/step")
  printf '%s\n' "$output"
  # Either stack has an end that is known.
  awk '
    /^end of backtrace/ { ends[last ~ / main \(/ ? "main" : last ~ / loop_fiber_begin \(/ ? "fiber" : "lost"]++ }
    /^#/ { last = " " $0 }
    END { exit !(ends["main"] >= 10 && ends["fiber"] >= 10 && ends["main"] + ends["fiber"] == 40) }' <<<"$output"
}
if grep -q LOOP_FIBER_UCONTEXT "$LOOP_BUILDDIR/Makefile"; then
  skip "at every instruction of a switch" "the C library switches here"
else
  check "at every instruction of a switch" every_instruction
fi
finish
