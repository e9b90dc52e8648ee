#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Exported = declared for export in an installed header = documented.

. "$LOOP_SRCDIR/tests/frame/tap.sh"

library=$LOOP_BUILDDIR/libloop/.libs/libloop-1.so
[ -e "$library" ] || skip_all "no shared library"

headers=()
for header in $LOOP_PUBLIC_HEADERS; do
  for dir in "$LOOP_BUILDDIR" "$LOOP_SRCDIR"; do
    [ -e "$dir/$header" ] && { headers+=("$dir/$header"); break; }
  done
done
sources=("$LOOP_SRCDIR"/libloop/*.c)

exported=$(nm -D --defined-only "$library" | awk '{ print $NF }')

# Comments and macro definitions go; then every declaration behind one of our macros is a line.
declarations=$(for header in "${headers[@]}"; do
  sed -e ':join; /\\$/ { N; s/\\\n//; b join }' "$header" |
    awk '
      { gsub (/\/\*([^*]|\*+[^*\/])*\*+\//, "") }
      /\/\*/ { sub (/\/\*.*/, ""); inside = 1; print; next }
      inside && /\*\// { sub (/.*\*\//, ""); inside = 0 }
      !inside && !/^[ \t]*#/ { print }' |
    tr '\n' ' ' | sed 's/LOOP_\(AVAILABLE\|DEPRECATED\)_IN_\|LOOP_DECLARE_/\n&/g' |
    sed -n 's/^LOOP_\(AVAILABLE\|DEPRECATED\)_IN_[A-Z0-9_]*\(_FOR *([^)]*)\)\? *//p
            s/^LOOP_DECLARE_/G_DECLARE_/p'
  echo
done)

declared=$(sed -nE '
  s/^G_DECLARE_[A-Z_]+ *\( *[A-Za-z0-9]+ *, *([a-z0-9_]+).*/\1_get_type/p; t
  s/^[^;(]*[ *]([a-z0-9_]+) *\(.*/\1/p; t
  s/^[^;(]*[ *]([a-z0-9_]+) *;.*/\1/p' <<<"$declarations")

# A gtk-doc block: "/**" and, on the next line, " * name:".
documented=$(awk '
  previous ~ /^ *\/\*\*$/ && match ($0, /^ *\* [A-Za-z_][A-Za-z0-9_]*:/) {
    sub (/^ *\* /, ""); sub (/:.*/, ""); print
  }
  { previous = $0 }' "${headers[@]}" "${sources[@]}" | sort -u)

# What a *_get_type() returns is documented as a type, not as a function.
types=$(sed -nE 's/^G_DECLARE_[A-Z_]+ *\( *([A-Za-z0-9]+).*/\1/p' <<<"$declarations")
functions=$(grep -v '_get_type$' <<<"$exported")

all_documented ()
{
  local undocumented
  undocumented=$(comm -23 <(sort -u <<<"$1" | grep .) <(echo "$documented"))
  [ -z "$undocumented" ] || { echo "no gtk-doc block:"; echo "$undocumented"; return 1; }
}

only_ours ()
{
  ! grep -Ev '^_?loop_' <<<"$exported"
}

# What GLib 2.74 offers there blocks when it accepts, and makes threads and memory without a bound.
no_listener ()
{
  ! nm -D --undefined-only "$library" | grep -E ' g_(socket_(listener|service|client)|threaded_socket_service|dbus_server)_'
}

check "the library exports something" test -n "$exported"
check "exported (<) = declared (>)" same "$exported" "$declared"
check "every exported symbol starts with loop_" only_ours
check "servers and connections are not built on GSocketListener, GSocketClient or GDBusServer" no_listener
check "every exported function is documented" all_documented "$functions"
check "every declared type is documented" all_documented "$types"
finish
