/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host.h"
#include "signals.h"

#include <glib/gi18n.h>
#include <inttypes.h>

/* The programs that a host runs: it prints what they write, and how they end. */

typedef struct
{
  gatomicrefcount ref_count;
  CtlHost *host;
  LoopSubprocessTransport *process; /* while it is connected */
  guint64 id;
  guint64 stdin_id;
} Child;

/* A pipe of a child that is to be read again. */
typedef struct
{
  Child *child;
  int fd;
} Paused;

static void
child_unref (gpointer data)
{
  Child *self = data;

  if (g_atomic_ref_count_dec (&self->ref_count))
    g_free (self);
}

static void
paused_free (gpointer data)
{
  Paused *self = data;

  child_unref (self->child);
  g_free (self);
}

static void
child_connection_made (LoopSubprocessTransport *process, gpointer user_data)
{
  Child *self = user_data;
  LoopTransport *input = loop_subprocess_transport_get_pipe_transport (process, 0);

  self->process = process;
  self->id = loop_subprocess_transport_get_id (process);
  self->stdin_id = loop_transport_get_id (input);
  ctl_host_add_connection (self->host, input, self->id);
}

static void
resume (gpointer user_data)
{
  Paused *self = user_data;
  LoopTransport *transport;

  if (self->child->process == NULL)
    return;

  transport = loop_subprocess_transport_get_pipe_transport (self->child->process, self->fd);
  loop_transport_resume_reading (transport);
}

static void
child_pipe_data_received (LoopSubprocessTransport *process,
                          int fd,
                          const guint8 *data,
                          gsize length,
                          gpointer user_data)
{
  Child *self = user_data;
  Paused *paused = g_new (Paused, 1);

  g_atomic_ref_count_inc (&self->ref_count);
  *paused = (Paused) { self, fd };
  if (ctl_host_print_received (self->host, self->id, fd == 2 ? " stderr" : "", data, length, resume, paused,
                               paused_free))
    loop_transport_pause_reading (loop_subprocess_transport_get_pipe_transport (process, fd));
}

static void
child_pipe_connection_lost (LoopSubprocessTransport *process, int fd, const GError *exception, gpointer user_data)
{
  Child *self = user_data;

  if (fd != 0)
    return;

  ctl_host_remove_connection (self->host, self->stdin_id);
  ctl_host_remove_connection (self->host, self->id);
}

static char *
describe_end (guint64 id, int returncode)
{
  g_autofree char *name = NULL;

  if (returncode >= 0)
    return g_strdup_printf (_ ("#%" PRIu64 " exited with code %d"), id, returncode);

  name = ctl_signal_get_name (-returncode);

  return g_strdup_printf (_ ("#%" PRIu64 " was ended by %s"), id, name);
}

/* By then all that it has written was received. */
static void
child_connection_lost (LoopSubprocessTransport *process, const GError *exception, gpointer user_data)
{
  Child *self = user_data;
  g_autofree char *text = NULL;
  int returncode;

  self->process = NULL;
  loop_subprocess_transport_get_returncode (process, &returncode);
  text = describe_end (self->id, returncode);
  ctl_host_print (self->host, text);
}

static const LoopSubprocessProtocolVTable child = {
  .connection_made = child_connection_made,
  .connection_lost = child_connection_lost,
  .pipe_data_received = child_pipe_data_received,
  .pipe_connection_lost = child_pipe_connection_lost,
};

/* For a factory. */
GObject *
ctl_child_new (gpointer host)
{
  Child *self = g_new0 (Child, 1);

  g_atomic_ref_count_init (&self->ref_count);
  self->host = host;

  return G_OBJECT (loop_subprocess_protocol_new (&child, self, child_unref));
}
