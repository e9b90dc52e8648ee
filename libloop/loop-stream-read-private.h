/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-future-private.h"
#include "loop-stream-reader.h"

G_BEGIN_DECLS

typedef enum
{
  LOOP_READ_SOME,    /* at least a byte, at most @n */
  LOOP_READ_ALL,     /* to the end */
  LOOP_READ_EXACTLY, /* @n bytes */
  LOOP_READ_UNTIL,   /* up to a separator, which belongs to it */
  LOOP_READ_LINE,    /* the same, and the end does as well */
} LoopReadKind;

/* The future of one read. */
typedef struct
{
  LoopFuture parent_instance;

  LoopStreamReader *reader; /* ours once it is done */
  LoopReadKind kind;
  gsize n;
  GBytes *separator; /* or NULL: a line feed */
  GBytes *given;     /* what went out of the reader with it, and may come back */
} LoopStreamRead;

G_GNUC_INTERNAL
LoopStreamRead *loop_stream_read_new (LoopStreamReader *reader, LoopEventLoop *loop, LoopReadKind kind, gsize n);
G_GNUC_INTERNAL
const guint8 *loop_stream_read_get_separator (LoopStreamRead *self, gsize *length);
G_GNUC_INTERNAL
void loop_stream_read_give (LoopStreamRead *self, GBytes *bytes);
G_GNUC_INTERNAL
void loop_stream_read_give_partial (LoopStreamRead *self, GBytes *bytes, GError *error);

/* Whether it waits, and somebody would learn of its end. */
static inline gboolean
loop_stream_read_is_awaited (LoopStreamRead *self)
{
  LoopFuture *future = &self->parent_instance;

  return loop_future_is_pending (future) && (future->first_callback != NULL || G_OBJECT (future)->ref_count > 1);
}

G_END_DECLS
