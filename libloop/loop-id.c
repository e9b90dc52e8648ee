/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-id-private.h"

/* Returns the first of @n ids that nobody else gets; from any thread. */
guint64
loop_id_reserve (guint n)
{
  static guint64 next_id = 1;

  return __atomic_fetch_add (&next_id, n, __ATOMIC_RELAXED);
}
