#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs a GJS test, or says why it cannot. A critical message ends it, also one at exit.
[ -n "$GJS" ] || { echo "1..0 # SKIP gjs is missing"; exit 0; }
[ -n "$LOOP_TYPELIB" ] || { echo "1..0 # SKIP built without introspection"; exit 0; }
G_DEBUG=fatal-criticals exec "$GJS" --module "$@"
