#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs a test that was compiled from Vala, or says why it cannot.
[ -n "$VALAC" ] || { echo "1..0 # SKIP valac is missing"; exit 0; }
[ -n "$HAVE_VALA" ] || { echo "1..0 # SKIP built without introspection or vapigen"; exit 0; }
program=${1#"$LOOP_SRCDIR/"}
exec "$LOOP_BUILDDIR/${program%.vala}" --tap
