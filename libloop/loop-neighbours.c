/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-neighbours-private.h"

#include <errno.h>
#include <unistd.h>

/* Looking costs as much as some iterations: it is not done before so many were quiet. */
#define MIN_QUIET 16
#define MAX_QUIET 4096

/* How many numbers are looked for at a time: each costs some 40 ns. */
#define MAX_IDS 1024

__thread guint loop_neighbours_n_polls __attribute__ ((tls_model ("initial-exec")));

static int
count_poll (GPollFD *fds, guint n_fds, int timeout)
{
  loop_neighbours_n_polls++;

  return g_poll (fds, n_fds, timeout);
}

/* Returns: how often the context was woken since the wakeup was last cleared, and clears it */
static guint64
take_wakeups (LoopNeighbours *self)
{
  guint64 n = 0;
  gssize n_read;

  do
    n_read = read (self->wakeup_fd, &n, sizeof n);
  while (n_read < 0 && errno == EINTR);

  return n_read == sizeof n ? n : 0;
}

static GSourceFuncs probe_funcs = { NULL };

/* Returns: the number of a source that was attached and destroyed right now */
static guint
probe (LoopNeighbours *self)
{
  GSource *source = g_source_new (&probe_funcs, sizeof (GSource));
  guint id = g_source_attach (source, self->context);

  g_source_destroy (source);
  g_source_unref (source);

  return id;
}

/*
 * @own is attached to the private context. Where GLib does not wake it as is needed, the
 * loop is never thought alone.
 */
void
loop_neighbours_init (LoopNeighbours *self, GSource *own, int wakeup_fd)
{
  guint64 n_before;

  self->context = g_source_get_context (own);
  self->wakeup_fd = wakeup_fd;
  self->next_id = g_source_get_id (own) + 1;
  self->others = g_array_new (FALSE, FALSE, sizeof (guint));
  g_main_context_set_poll_func (self->context, count_poll);

  n_before = take_wakeups (self);
  probe (self);
  self->n_wakeups_of_probe = take_wakeups (self);
  if (n_before > 0)
    g_main_context_wakeup (self->context);

  loop_neighbours_expect (self);
}

void
loop_neighbours_clear (LoopNeighbours *self)
{
  g_clear_pointer (&self->others, g_array_unref);
}

/* To be told when the context was woken, and when others may have iterated it. */
void
loop_neighbours_expect (LoopNeighbours *self)
{
  self->is_alone = FALSE;
  self->n_polls_seen = loop_neighbours_n_polls;
  self->n_quiet = 0;
  self->n_quiet_needed = self->n_wakeups_of_probe > 0 ? MIN_QUIET : G_MAXUINT;
}

static void
forget_gone (LoopNeighbours *self)
{
  guint n = 0;

  for (guint i = 0; i < self->others->len; i++)
    {
      guint id = g_array_index (self->others, guint, i);

      if (g_main_context_find_source_by_id (self->context, id) != NULL)
        g_array_index (self->others, guint, n++) = id;
    }

  g_array_set_size (self->others, n);
}

/* Finds out whether the loop is alone. Afterwards whoever comes is noticed by the wakeup. */
void
loop_neighbours_look (LoopNeighbours *self)
{
  guint end;

  self->n_quiet = 0;

  if (self->n_wakeups_of_probe == 0)
    return;

  forget_gone (self);
  if (self->others->len > 0)
    {
      self->n_quiet_needed = MIN (self->n_quiet_needed * 2, MAX_QUIET);
      return;
    }

  if (take_wakeups (self) > 0)
    {
      g_main_context_wakeup (self->context);
      return;
    }

  end = probe (self);
  /* Should another thread have attached something meanwhile, its number may be after ours. */
  if (take_wakeups (self) != self->n_wakeups_of_probe)
    {
      g_main_context_wakeup (self->context);
      return;
    }

  for (guint n = 0; self->next_id != end && n < MAX_IDS; n++, self->next_id++)
    {
      if (self->next_id != 0 && g_main_context_find_source_by_id (self->context, self->next_id) != NULL)
        g_array_append_val (self->others, self->next_id);
    }

  if (self->next_id != end)
    {
      self->n_quiet_needed = 1;
    }
  else
    {
      self->next_id = end + 1;
      self->is_alone = self->others->len == 0;
      self->n_quiet_needed = MIN_QUIET;
    }
}
