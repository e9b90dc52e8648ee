#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The switch between the stacks of fibers, by itself: on this processor and, emulated, on AArch64,
# each with the assembly and with ucontext.

. "$LOOP_SRCDIR/tests/frame/tap.sh"

dir=$(mktemp -d "$LOOP_BUILDDIR/fiber-test.XXXXXX") || exit 99
trap 'rm -rf "$dir"' EXIT

cross=aarch64-linux-gnu-gcc
# Debian's and Fedora's names.
emulator=$(command -v qemu-aarch64-static || command -v qemu-aarch64)

# compile NAME COMPILER FLAG...
compile ()
{
  local name=$1
  shift
  "$@" -O2 -g -Wall -Wextra -Wno-unused-parameter -Werror -I"$LOOP_SRCDIR/libloop" -o "$dir/$name" \
    "$LOOP_SRCDIR/tests/frame/fiber-switch.c" "$LOOP_SRCDIR/libloop/loop-fiber-prepare.c" \
    "$LOOP_SRCDIR/libloop/loop-fiber-switch.S"
}

# try NAME RUNNER...: what COMPILE has made.
try ()
{
  local name=$1
  shift
  check "$name: registers and rounding are kept, in 200,000 switches" timeout 60 "$@" "$dir/$name" registers
  check "$name: a fiber begins with the rounding of who prepared it" timeout 60 "$@" "$dir/$name" begin
  check "$name: the stack can be unwound to its end" timeout 60 "$@" "$dir/$name" unwind
}

if [[ $(uname -m) =~ ^(x86_64|aarch64)$ ]]; then
  check "builds for this processor" compile native "${CC%% *}"
  try native env
  check "builds for this processor with ucontext" compile native-ucontext "${CC%% *}" -DLOOP_FIBER_UCONTEXT
  try native-ucontext env
else
  skip "this processor" "its registers are not known to fiber-switch.c"
fi

if ! command -v "$cross" >/dev/null; then
  skip "AArch64" "$cross is missing"
elif [ -z "$emulator" ]; then
  skip "AArch64" "qemu-aarch64-static is missing"
else
  check "builds for AArch64" compile aarch64 "$cross" -static
  try aarch64 "$emulator"
  check "builds for AArch64 with ucontext" compile aarch64-ucontext "$cross" -static -DLOOP_FIBER_UCONTEXT
  try aarch64-ucontext "$emulator"
fi
finish
