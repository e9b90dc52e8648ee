/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "child-check.h"

#include <errno.h>
#include <sys/wait.h>

static void note (Child *self, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
note (Child *self, const char *format, ...)
{
  g_autofree char *event = NULL;
  va_list args;

  va_start (args, format);
  event = g_strdup_vprintf (format, args);
  va_end (args);
  if (!g_str_has_suffix (self->events->str, event) || !g_str_has_suffix (event, "data"))
    g_string_append_printf (self->events, "%s%s", self->events->len > 0 ? " " : "", event);
}

static void
child_made (LoopSubprocessTransport *transport, gpointer user_data)
{
  Child *self = user_data;

  ck_assert_ptr_null (self->transport);
  self->transport = g_object_ref (transport);
  note (self, "made");
  if (self->made != NULL)
    self->made (transport);
}

static void
child_lost (LoopSubprocessTransport *transport, const GError *exception, gpointer user_data)
{
  Child *self = user_data;

  ck_assert_ptr_eq (transport, self->transport);
  ck_assert_ptr_null (exception);
  ck_assert_uint_eq (self->n_exited, 1);
  ck_assert_uint_eq (self->n_lost, 0);
  self->n_lost++;
  note (self, "lost");
}

static void
child_pause (LoopSubprocessTransport *transport, gpointer user_data)
{
  ((Child *) user_data)->n_paused++;
}

static void
child_resume (LoopSubprocessTransport *transport, gpointer user_data)
{
  ((Child *) user_data)->n_resumed++;
}

static void
child_data (LoopSubprocessTransport *transport, int fd, const guint8 *data, gsize length, gpointer user_data)
{
  Child *self = user_data;

  ck_assert_uint_eq (self->n_lost, 0);
  ck_assert (fd == 1 || fd == 2);
  g_string_append_len (self->output[fd], (const char *) data, (gssize) length);
  note (self, "%d:data", fd);
}

static void
child_pipe_lost (LoopSubprocessTransport *transport, int fd, const GError *exception, gpointer user_data)
{
  Child *self = user_data;

  ck_assert_uint_eq (self->n_lost, 0);
  if (fd == 0 && exception != NULL)
    self->error = g_error_copy (exception);
  else
    ck_assert_ptr_null (exception);
  if (fd != 0)
    note (self, "%d:lost", fd);
}

static void
child_exited (LoopSubprocessTransport *transport, gpointer user_data)
{
  Child *self = user_data;

  ck_assert_uint_eq (self->n_exited, 0);
  self->n_exited++;
  ck_assert (loop_subprocess_transport_get_returncode (transport, &self->returncode));
  note (self, "exited");
}

static const LoopSubprocessProtocolVTable child_vtable = {
  .connection_made = child_made,
  .connection_lost = child_lost,
  .pause_writing = child_pause,
  .resume_writing = child_resume,
  .pipe_data_received = child_data,
  .pipe_connection_lost = child_pipe_lost,
  .process_exited = child_exited,
};

Child *
child_new (void)
{
  Child *self = g_new0 (Child, 1);

  self->events = g_string_new (NULL);
  for (int i = 0; i < 3; i++)
    self->output[i] = g_string_new (NULL);

  return self;
}

void
child_free (Child *self)
{
  g_clear_object (&self->transport);
  g_clear_error (&self->error);
  g_string_free (self->events, TRUE);
  for (int i = 0; i < 3; i++)
    g_string_free (self->output[i], TRUE);
  g_free (self);
}

GObject *
child_factory (gpointer child)
{
  return G_OBJECT (loop_subprocess_protocol_new (&child_vtable, child, NULL));
}

Child *
child_shell (Tcp *tcp, const char *command, LoopSubprocessOptions *options)
{
  Child *self = child_new ();
  g_autoptr (LoopFuture) future =
      loop_event_loop_subprocess_shell (tcp->loop, command, options, child_factory, self, NULL);
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  ck_assert_msg (loop_event_loop_run_until_complete (tcp->loop, future, &value, &error), "%s",
                 error != NULL ? error->message : "");
  ck_assert_ptr_eq (g_value_get_object (&value), self->transport);

  return self;
}

void
child_wait (Tcp *tcp, Child *self)
{
  LoopTransport *input = loop_subprocess_transport_get_pipe_transport (self->transport, 0);

  if (input != NULL)
    loop_transport_close (input);
  tcp_run_until (tcp->loop, self->n_lost == 1);
}

gboolean
child_has_none (void)
{
  siginfo_t info;

  return waitid (P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD;
}
