#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Each lock of the process is taken around a fork: the child would wait for ever for one that a
# thread had which it does not have.

. "$LOOP_SRCDIR/tests/frame/tap.sh"

cd "$LOOP_SRCDIR/libloop" || exit 99

with_lock ()
{
  grep -lE '^static (pthread_mutex_t|pthread_rwlock_t) .*INITIALIZER' -- *.c
}

watched ()
{
  grep -l '^LOOP_FORK_WATCH (' -- *.c
}

of_glib ()
{
  grep -nE '^(static (GMutex|GRecMutex|GRWLock|GCond) |(static )?G_LOCK_DEFINE)' -- *.c
}

check "who has a lock (<) has it watched (>)" same "$(with_lock)" "$(watched)"
check "none is GLib's, which nobody can take around a fork" same "" "$(of_glib)"
finish
