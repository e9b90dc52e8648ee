#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Runs a Python test, or says why it cannot. Those of the frame, of loopctl and with programs of others need no PyGObject.
case $1 in
*/tests/frame/*|*/tests/loopctl/*|*/tests/peers/*)
  command -v "$PYTHON" >/dev/null || { echo "1..0 # SKIP Python 3 is missing"; exit 0; } ;;
*)
  [ -n "$HAVE_PYGOBJECT" ] || { echo "1..0 # SKIP PyGObject is missing"; exit 0; }
  [ -n "$LOOP_TYPELIB" ] || { echo "1..0 # SKIP built without introspection"; exit 0; } ;;
esac
exec "$PYTHON" "$@"
