/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * Ids are unique in the process, never reused and never pointers. A loop takes them
 * in blocks, so that its own thread pays no atomic instruction for each.
 */
typedef struct
{
  guint64 next;
  guint64 end;
} LoopIdBlock;

G_GNUC_INTERNAL
guint64 loop_id_reserve (guint n);

static inline guint64
loop_id_block_take (LoopIdBlock *self)
{
  if (G_UNLIKELY (self->next == self->end))
    {
      self->next = loop_id_reserve (256);
      self->end = self->next + 256;
    }

  return self->next++;
}

G_END_DECLS
