#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Generates configure and friends in the source tree. Does not run configure.
set -e
cd "$(dirname "$0")"
# autopoint and aclocal expect both folders to exist.
mkdir -p build-aux m4
exec autoreconf --install --force "$@"
