/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-subprocess.h"

#include "loop-event-loop-private.h"
#include "loop-future-private.h"
#include "loop-subprocess-options.h"
#include "loop-subprocess-protocol.h"
#include "loop-subprocess-result-private.h"
#include "loop-subprocess-transport.h"
#include "loop-transport.h"

/*
 * One call of subprocess_communicate. The protocol of the process has it, and so have the
 * callbacks of both futures: that of the caller, and that of the start.
 */
typedef struct
{
  guint ref_count;
  LoopFuture *future; /* until it is done */
  LoopCloseHook hook;
  LoopSubprocessTransport *transport; /* while the process runs; not referenced */
  GBytes *input;
  GByteArray *output[2];
} Communication;

static Communication *
communication_ref (Communication *self)
{
  self->ref_count++;

  return self;
}

static void
communication_unref (gpointer data)
{
  Communication *self = data;

  if (--self->ref_count > 0)
    return;

  g_assert (self->future == NULL);

  g_clear_pointer (&self->input, g_bytes_unref);
  for (int i = 0; i < 2; i++)
    g_byte_array_unref (self->output[i]);
  g_free (self);
}

static gboolean
is_awaited (Communication *self)
{
  return self->future != NULL && loop_future_is_pending (self->future);
}

/* Of the caller's future: if the process still runs, it was cancelled. */
static void
communication_done (LoopFuture *future, gpointer user_data)
{
  Communication *self = user_data;

  loop_close_hook_remove (&self->hook);
  g_clear_object (&self->future);
  if (self->transport != NULL)
    loop_subprocess_transport_close (self->transport);
}

static void
communication_loop_closed (LoopCloseHook *hook)
{
  Communication *self = (Communication *) ((char *) hook - G_STRUCT_OFFSET (Communication, hook));
  g_autoptr (LoopFuture) future = g_steal_pointer (&self->future);

  self->transport = NULL;
  loop_future_fail (future, g_error_new_literal (LOOP_ERROR, LOOP_ERROR_CLOSED,
                                                 "The event loop was closed before the process had ended"));
}

static void
connection_made (LoopSubprocessTransport *transport, gpointer user_data)
{
  Communication *self = user_data;
  LoopTransport *input = loop_subprocess_transport_get_pipe_transport (transport, 0);

  self->transport = transport;
  if (!is_awaited (self))
    {
      loop_subprocess_transport_close (transport);
      return;
    }

  if (input == NULL)
    return;

  if (self->input != NULL && g_bytes_get_size (self->input) > 0)
    loop_transport_write_bytes (input, self->input);
  if (!loop_transport_is_closing (input))
    loop_transport_write_eof (input);
}

static void
pipe_data_received (LoopSubprocessTransport *transport, int fd, const guint8 *data, gsize length, gpointer user_data)
{
  Communication *self = user_data;

  g_byte_array_append (self->output[fd - 1], data, (guint) length);
}

static void
connection_lost (LoopSubprocessTransport *transport, const GError *exception, gpointer user_data)
{
  Communication *self = user_data;
  g_autoptr (LoopSubprocessResult) result = NULL;

  self->transport = NULL;
  if (!is_awaited (self))
    return;

  result = g_object_new (LOOP_TYPE_SUBPROCESS_RESULT, NULL);
  loop_subprocess_transport_get_returncode (transport, &result->returncode);
  for (int i = 0; i < 2; i++)
    {
      if (loop_subprocess_transport_get_pipe_transport (transport, i + 1) != NULL)
        result->output[i] = g_byte_array_free_to_bytes (g_byte_array_ref (self->output[i]));
    }
  loop_future_fulfil_object (self->future, result);
}

static const LoopSubprocessProtocolVTable vtable = {
  .connection_made = connection_made,
  .connection_lost = connection_lost,
  .pipe_data_received = pipe_data_received,
};

static void
started (LoopFuture *start, gpointer user_data)
{
  Communication *self = user_data;
  GError *error = NULL;

  if (loop_future_result (start, NULL, &error))
    return;

  if (is_awaited (self))
    loop_future_fail (self->future, error);
  else
    g_error_free (error);
}

static GObject *
give_protocol (gpointer user_data)
{
  return g_object_ref (user_data);
}

/**
 * loop_event_loop_subprocess_communicate:
 * @self: an event loop
 * @argv: (array zero-terminated=1) (element-type filename): the program and its arguments
 * @options: (nullable): options
 * @input: (nullable): what the process is to read, if its standard input is a pipe, as it
 *   is by default; the pipe is closed then
 *
 * Runs a process to its end: see [method@EventLoop.subprocess_exec]. What it writes to
 * pipes is gathered. Cancelling the future kills the process.
 *
 * Returns: (transfer full): a future for a [class@SubprocessResult]; it fails with an I/O
 *   error that names the program. That the process fails, or does not read its input, is
 *   no error
 */
LoopFuture *
loop_event_loop_subprocess_communicate (LoopEventLoop *self,
                                        const char *const *argv,
                                        LoopSubprocessOptions *options,
                                        GBytes *input)
{
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopFuture) start = NULL;
  g_autoptr (LoopSubprocessProtocol) protocol = NULL;
  Communication *communication;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (argv != NULL && argv[0] != NULL, NULL);
  g_return_val_if_fail (options == NULL || LOOP_IS_SUBPROCESS_OPTIONS (options), NULL);

  communication = g_new0 (Communication, 1);
  communication->ref_count = 1;
  communication->input = input != NULL ? g_bytes_ref (input) : NULL;
  for (int i = 0; i < 2; i++)
    communication->output[i] = g_byte_array_new ();

  protocol = loop_subprocess_protocol_new (&vtable, communication, communication_unref);
  start = loop_event_loop_subprocess_exec (self, argv, options, give_protocol, protocol, NULL);
  /* Refused at once, by a loop that is closed for example. */
  if (!loop_future_is_pending (start))
    return g_steal_pointer (&start);

  future = loop_future_new (self, "subprocess_communicate");
  communication->future = g_object_ref (future);
  communication->hook.closed = communication_loop_closed;
  loop_event_loop_add_close_hook (self, &communication->hook);
  loop_future_add_done_callback (future, communication_done, communication_ref (communication), communication_unref);
  loop_future_add_done_callback (start, started, communication_ref (communication), communication_unref);

  return g_steal_pointer (&future);
}
