/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/*
 * Bytes that came and were not asked for yet. An empty buffer owns no memory. What was looked
 * through for a separator in vain is not looked through again.
 */
typedef struct
{
  guint8 *memory;
  gsize capacity; /* 0 for memory that is only lent */
  gsize start;
  gsize end;
  gsize n_searched; /* from @start: no separator begins there */
} LoopReadBuffer;

#define LOOP_READ_BUFFER_NOT_FOUND G_MAXSIZE

G_GNUC_INTERNAL
void loop_read_buffer_clear (LoopReadBuffer *self);
G_GNUC_INTERNAL
void loop_read_buffer_append (LoopReadBuffer *self, const guint8 *data, gsize length);
G_GNUC_INTERNAL
void loop_read_buffer_prepend (LoopReadBuffer *self, const guint8 *data, gsize length);
G_GNUC_INTERNAL
void loop_read_buffer_borrow (LoopReadBuffer *self, const guint8 *data, gsize length);
G_GNUC_INTERNAL
void loop_read_buffer_keep (LoopReadBuffer *self);
G_GNUC_INTERNAL
GBytes *loop_read_buffer_take (LoopReadBuffer *self, gsize length);
G_GNUC_INTERNAL
void loop_read_buffer_drop (LoopReadBuffer *self, gsize length);
G_GNUC_INTERNAL
gsize loop_read_buffer_find (LoopReadBuffer *self, const guint8 *separator, gsize length);

static inline gsize
loop_read_buffer_get_size (const LoopReadBuffer *self)
{
  return self->end - self->start;
}

/* The next search is for another separator. */
static inline void
loop_read_buffer_forget_search (LoopReadBuffer *self)
{
  self->n_searched = 0;
}

G_END_DECLS
