/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-stream-read-private.h"

#include "loop-future-spares-private.h"
#include "loop-stream-reader-private.h"

typedef struct
{
  LoopFutureClass parent_class;
} LoopStreamReadClass;

static GType loop_stream_read_get_type (void);

G_DEFINE_FINAL_TYPE (LoopStreamRead, loop_stream_read, LOOP_TYPE_FUTURE)

static void
loop_stream_read_reset (LoopFuture *base)
{
  LoopStreamRead *self = (LoopStreamRead *) base;

  /* What was given stays so: a done callback may have made use of it and never have asked for the result. */
  if (self->given != NULL)
    g_object_unref (self->reader);
  self->reader = NULL;
  g_clear_pointer (&self->given, g_bytes_unref);
  g_clear_pointer (&self->separator, g_bytes_unref);
}

static void
loop_stream_read_finalize (GObject *object)
{
  loop_stream_read_reset (LOOP_FUTURE (object));

  G_OBJECT_CLASS (loop_stream_read_parent_class)->finalize (object);
}

static gboolean
loop_stream_read_cancel (LoopFuture *base, const char *message)
{
  LoopStreamRead *self = (LoopStreamRead *) base;

  if (!loop_future_is_pending (base))
    return FALSE;

  g_object_ref (base);
  if (self->reader != NULL)
    loop_stream_reader_forget (self->reader, self);
  loop_future_finish_cancelled (base, message);
  g_object_unref (base);

  return TRUE;
}

/* Whoever has read will not use it: the next one gets it. */
static void
loop_stream_read_give_back (LoopFuture *base)
{
  LoopStreamRead *self = (LoopStreamRead *) base;
  g_autoptr (LoopStreamReader) reader = NULL;
  g_autoptr (GBytes) given = NULL;

  if (loop_future_is_pending (base))
    {
      loop_stream_read_cancel (base, NULL);
      return;
    }

  given = g_steal_pointer (&self->given);
  if (given == NULL)
    return;

  /* The error that there was not more of it is nobody's any more. */
  base->is_retrieved = TRUE;

  reader = g_steal_pointer (&self->reader);
  loop_stream_reader_put_back (reader, given);
}

static void
loop_stream_read_class_init (LoopStreamReadClass *klass)
{
  LoopFutureClass *future_class = (LoopFutureClass *) klass;

  G_OBJECT_CLASS (klass)->finalize = loop_stream_read_finalize;

  future_class->cancel = loop_stream_read_cancel;
  future_class->give_back = loop_stream_read_give_back;
  future_class->spare_type = G_TYPE_FROM_CLASS (klass);
  future_class->get_spares = loop_future_get_spare_reads;
  future_class->reset = loop_stream_read_reset;
}

static void
loop_stream_read_init (LoopStreamRead *self)
{
}

LoopStreamRead *
loop_stream_read_new (LoopStreamReader *reader, LoopEventLoop *loop, LoopReadKind kind, gsize n)
{
  static const char *const names[] = { "read", "read", "readexactly", "readuntil", "readline" };
  LoopStreamRead *self = NULL;

  if (loop->thread == loop_thread_self () && !loop->is_closed)
    self = (LoopStreamRead *) loop_future_spares_take (loop_future_get_spare_reads (loop));
  if (self == NULL)
    self = g_object_new (loop_stream_read_get_type (), NULL);

  loop_future_set_up (&self->parent_instance, loop, names[kind]);
  self->reader = reader;
  self->kind = kind;
  self->n = n;

  return self;
}

const guint8 *
loop_stream_read_get_separator (LoopStreamRead *self, gsize *length)
{
  if (self->separator != NULL)
    return g_bytes_get_data (self->separator, length);

  *length = 1;

  return (const guint8 *) "\n";
}

static void
hold (LoopStreamRead *self, GBytes *bytes)
{
  /* Nothing need not come back. */
  if (g_bytes_get_size (bytes) == 0)
    return;

  self->given = g_bytes_ref (bytes);
  g_object_ref (self->reader);
}

/* Takes @bytes. */
void
loop_stream_read_give (LoopStreamRead *self, GBytes *bytes)
{
  GValue value = G_VALUE_INIT;

  hold (self, bytes);
  g_value_init (&value, G_TYPE_BYTES);
  g_value_take_boxed (&value, bytes);
  loop_future_fulfil_value (&self->parent_instance, &value);
}

/* It fails, though there were @bytes. Takes @error. */
void
loop_stream_read_give_partial (LoopStreamRead *self, GBytes *bytes, GError *error)
{
  hold (self, bytes);
  loop_future_fail (&self->parent_instance, error);
}
