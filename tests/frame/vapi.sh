#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The tests in Vala call all that the library exports: nothing is missing from the VAPI.

. "$LOOP_SRCDIR/tests/frame/tap.sh"

[ -n "$VALAC" ] || skip_all "valac is missing"
[ -n "$HAVE_VALA" ] || skip_all "built without introspection or vapigen"

# Vala refers and frees by itself, and a class takes the place of a table of functions.
not_called='_get_type$|_ref$|_unref$|^loop_((buffered|datagram|subprocess)_)?protocol_new$'
# What a program adds to the inspector are functions of GDBus in C.
not_called+='|^loop_inspector_add_interface$'
# Vala has no event loop of its own, and no names of its own for functions.
not_called+='|^loop_event_loop_(set_interpreter_hooks|make_socket_transport|name_(reader|writer))$'
not_called+='|^loop_inspector_set_interpreter$|^loop_(handle|protocol)_set_static_name$|^loop_interpreter_'

exported ()
{
  nm -D --defined-only "$LOOP_BUILDDIR/libloop/.libs/libloop-1.so" | awk '$3 ~ /^loop_/ { print $3 }'
}

called ()
{
  # shellcheck disable=SC2086
  (cd "$LOOP_BUILDDIR" && nm -D --undefined-only ${LOOP_VALA_TESTS//.vala/}) | awk '$2 ~ /^loop_/ { print $2 }'
}

all_called ()
{
  same "$(exported | grep -vE "$not_called")" "$(called | grep -vE "$not_called")"
}

check "exported (<) is called in Vala (>)" all_called
finish
