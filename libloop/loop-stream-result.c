/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-stream-result-private.h"

/**
 * LoopStreamResult:
 *
 * The two halves of a connection: see [func@open_connection].
 */
struct _LoopStreamResult
{
  LoopStreamReader *reader;
  LoopStreamWriter *writer;
};

G_DEFINE_BOXED_TYPE (LoopStreamResult, loop_stream_result, loop_stream_result_ref, loop_stream_result_unref)

LoopStreamResult *
loop_stream_result_new (LoopStreamReader *reader, LoopStreamWriter *writer)
{
  LoopStreamResult *self = g_atomic_rc_box_new (LoopStreamResult);

  self->reader = g_object_ref (reader);
  self->writer = g_object_ref (writer);

  return self;
}

/**
 * loop_stream_result_ref:
 * @self: a connection
 *
 * Takes a reference; from any thread.
 *
 * Returns: (transfer full): @self
 */
LoopStreamResult *
loop_stream_result_ref (LoopStreamResult *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
loop_stream_result_clear (gpointer data)
{
  LoopStreamResult *self = data;

  g_object_unref (self->reader);
  g_object_unref (self->writer);
}

/**
 * loop_stream_result_unref:
 * @self: (transfer full): a connection
 *
 * Drops a reference; from any thread.
 */
void
loop_stream_result_unref (LoopStreamResult *self)
{
  g_atomic_rc_box_release_full (self, loop_stream_result_clear);
}

/**
 * loop_stream_result_get_reader:
 * @self: a connection
 *
 * Gets what to read from.
 *
 * Returns: (transfer none): the reader
 */
LoopStreamReader *
loop_stream_result_get_reader (LoopStreamResult *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->reader;
}

/**
 * loop_stream_result_get_writer:
 * @self: a connection
 *
 * Gets what to write to. When it is freed the connection is closed: take a reference.
 *
 * Returns: (transfer none): the writer
 */
LoopStreamWriter *
loop_stream_result_get_writer (LoopStreamResult *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->writer;
}
