/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-traceback-private.h"

#include "loop-clock-private.h"
#include "loop-fork-private.h"
#include "loop-symbols-private.h"

#include <execinfo.h>
#include <string.h>

/* Deep enough to get out of a library's layers into the program's. */
#define MAX_FRAMES 24

/* Addresses only: most are never asked for, and names are dear. */
typedef struct
{
  guint64 id;
  guint64 loop_id;
  gint64 time;
  char *text; /* of an interpreter's functions: a line for each, the innermost last; or NULL */
  int n_frames;
  gpointer frames[];
} LoopTraceback;

static void
traceback_free (gpointer data)
{
  LoopTraceback *self = data;

  if (self != NULL)
    g_free (self->text);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LoopTraceback, traceback_free)

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static GHashTable *tracebacks; /* guint64 → LoopTraceback */

LOOP_FORK_WATCH (LOOP_FORK_TRACEBACKS, .mutex = &mutex)

/* Takes @traceback. */
static void
keep (LoopTraceback *traceback)
{
  traceback->time = loop_clock_now ();

  pthread_mutex_lock (&mutex);
  if (tracebacks == NULL)
    tracebacks = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, traceback_free);
  g_hash_table_replace (tracebacks, &traceback->id, traceback);
  pthread_mutex_unlock (&mutex);
}

/* As below, of callers whom an interpreter knows. */
void
loop_traceback_record_text (guint64 loop_id, guint64 id, const char *text)
{
  LoopTraceback *traceback = g_malloc (sizeof (LoopTraceback));

  traceback->id = id;
  traceback->loop_id = loop_id;
  traceback->text = g_strdup (text);
  traceback->n_frames = 0;
  keep (traceback);
}

/* Remembers who calls now as the one that made @id, which belongs to a loop. */
void
loop_traceback_record (guint64 loop_id, guint64 id)
{
  gpointer frames[MAX_FRAMES];
  int n_frames = backtrace (frames, MAX_FRAMES);
  LoopTraceback *traceback = g_malloc (sizeof (LoopTraceback) + (gsize) n_frames * sizeof (gpointer));

  traceback->id = id;
  traceback->loop_id = loop_id;
  traceback->text = NULL;
  traceback->n_frames = n_frames;
  memcpy (traceback->frames, frames, (gsize) n_frames * sizeof (gpointer));
  keep (traceback);
}

void
loop_traceback_forget (guint64 id)
{
  pthread_mutex_lock (&mutex);
  if (tracebacks != NULL)
    g_hash_table_remove (tracebacks, &id);
  pthread_mutex_unlock (&mutex);
}

static gboolean
belongs_to_loop (gpointer key, gpointer value, gpointer loop_id)
{
  return ((LoopTraceback *) value)->loop_id == *(guint64 *) loop_id;
}

/* For a loop that leaves debug mode, or is closed. */
void
loop_traceback_forget_loop (guint64 loop_id)
{
  pthread_mutex_lock (&mutex);
  if (tracebacks != NULL)
    {
      g_hash_table_foreach_remove (tracebacks, belongs_to_loop, &loop_id);
      if (g_hash_table_size (tracebacks) == 0)
        g_clear_pointer (&tracebacks, g_hash_table_unref);
    }
  pthread_mutex_unlock (&mutex);
}

/* A copy, for names are not looked up under the lock: the dynamic linker has one of its own. */
static LoopTraceback *
dup_traceback (guint64 id)
{
  LoopTraceback *found;
  LoopTraceback *copy = NULL;

  pthread_mutex_lock (&mutex);
  found = tracebacks != NULL ? g_hash_table_lookup (tracebacks, &id) : NULL;
  if (found != NULL)
    {
      copy = g_memdup2 (found, sizeof (LoopTraceback) + (gsize) found->n_frames * sizeof (gpointer));
      copy->text = g_strdup (found->text);
    }
  pthread_mutex_unlock (&mutex);

  return copy;
}

/* A frame has the address that its callee returns to: one past the call. */
static gpointer
get_call (const LoopTraceback *self, int frame)
{
  return (char *) self->frames[frame] - 1;
}

/* What libloop calls within itself, nobody wants to know. */
static int
find_first_frame (const LoopTraceback *self)
{
  int first = 0;

  while (first < self->n_frames && loop_is_own_address (get_call (self, first)))
    first++;

  return first;
}

/*
 * loop_traceback_to_string:
 *
 * Returns: (nullable): a line for each caller, the innermost last, as asyncio has it; %NULL
 *   if it is not known who made @id
 */
char *
loop_traceback_to_string (guint64 id)
{
  g_autoptr (LoopTraceback) self = dup_traceback (id);
  g_autoptr (GString) text = NULL;
  int first;

  if (self == NULL)
    return NULL;
  if (self->text != NULL)
    return g_steal_pointer (&self->text);

  first = find_first_frame (self);
  text = g_string_new (NULL);
  for (int i = self->n_frames - 1; i >= first; i--)
    {
      g_autofree char *frame = loop_describe_address (get_call (self, i));

      g_string_append_printf (text, "  %s\n", frame);
    }

  return g_string_free (g_steal_pointer (&text), FALSE);
}

static char *
get_last_line (const char *text)
{
  g_autofree char *stripped = g_strchomp (g_strdup (text));
  const char *newline = strrchr (stripped, '\n');

  return g_strdup (g_strchug (newline != NULL ? (char *) newline + 1 : stripped));
}

/* Returns: (nullable): who called libloop to make @id */
char *
loop_traceback_get_origin (guint64 id)
{
  g_autoptr (LoopTraceback) self = dup_traceback (id);
  int first;

  if (self == NULL)
    return NULL;
  if (self->text != NULL)
    return get_last_line (self->text);

  first = find_first_frame (self);

  return first < self->n_frames ? loop_describe_address (get_call (self, first)) : NULL;
}

/* Returns: when @id was made, or 0 if that is not known */
gint64
loop_traceback_get_time (guint64 id)
{
  LoopTraceback *found;
  gint64 time;

  pthread_mutex_lock (&mutex);
  found = tracebacks != NULL ? g_hash_table_lookup (tracebacks, &id) : NULL;
  time = found != NULL ? found->time : 0;
  pthread_mutex_unlock (&mutex);

  return time;
}
