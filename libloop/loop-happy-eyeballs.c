/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-fd-watcher-private.h"
#include "loop-happy-eyeballs-private.h"
#include "loop-resolver-private.h"
#include "loop-socket-private.h"

#include <errno.h>
#include <unistd.h>

/*
 * Connects to the first of several addresses that answers: RFC 8305, section 5.
 *
 * The next address is tried when the last one has failed, or when it has not answered for a while. The first that is
 * connected wins, and all others are closed in that moment. Without a delay there is one attempt at a time.
 *
 * What an event of a watch may lead to does not free the attempts, only loop_happy_eyeballs_free() does.
 */
typedef struct
{
  LoopWatch watch;
  LoopHappyEyeballs *race;
  const LoopResolvedAddress *address;
  int fd;        /* or -1: it has failed, or was given up */
  GError *error; /* why it has failed */
} Attempt;

struct _LoopHappyEyeballs
{
  LoopEventLoop *loop;
  LoopFuture *future;         /* once it is done, nobody wants the connection; not referenced */
  GPtrArray *addresses;       /* LoopResolvedAddress */
  GPtrArray *local_addresses; /* or NULL */
  GPtrArray *attempts;        /* those that were begun, in the order of the addresses */
  double delay;               /* negative: there is none */
  LoopTimerHandle *timer;     /* for the next attempt, or NULL */
  LoopHappyEyeballsFunc done;
  gpointer user_data;
};

static void try_next_address (LoopHappyEyeballs *self);

static void
attempt_close (Attempt *self)
{
  LoopEventLoop *loop = self->race->loop;

  loop_event_loop_enter (loop);
  if (self->watch.fd >= 0)
    loop_poller_remove (&loop->poller, &self->watch);
  loop_event_loop_leave (loop);

  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
}

static void
attempt_free (gpointer data)
{
  Attempt *self = data;

  attempt_close (self);
  g_clear_error (&self->error);
  g_free (self);
}

static void
stop_timer (LoopHappyEyeballs *self)
{
  if (self->timer != NULL)
    loop_timer_handle_cancel (self->timer);
  g_clear_pointer (&self->timer, loop_timer_handle_unref);
}

static void
close_all (LoopHappyEyeballs *self)
{
  stop_timer (self);
  for (guint i = 0; i < self->attempts->len; i++)
    attempt_close (g_ptr_array_index (self->attempts, i));
}

static gboolean
is_under_way (LoopHappyEyeballs *self)
{
  for (guint i = 0; i < self->attempts->len; i++)
    {
      const Attempt *attempt = g_ptr_array_index (self->attempts, i);

      if (attempt->fd >= 0)
        return TRUE;
    }

  return FALSE;
}

/* Takes @error. */
static void
attempt_failed (Attempt *self, GError *error)
{
  LoopHappyEyeballs *race = self->race;

  attempt_close (self);
  self->error = error;

  /* The one after it does not have to wait; those after others have been begun. */
  if (self == g_ptr_array_index (race->attempts, race->attempts->len - 1))
    try_next_address (race);
  else if (race->attempts->len == race->addresses->len && !is_under_way (race))
    race->done (-1, race->user_data);
}

static void
attempt_succeeded (Attempt *self)
{
  LoopHappyEyeballs *race = self->race;
  int fd = self->fd;

  loop_event_loop_enter (race->loop);
  loop_poller_remove (&race->loop->poller, &self->watch);
  loop_event_loop_leave (race->loop);
  self->fd = -1;

  close_all (race);
  race->done (fd, race->user_data);
}

static GError *
make_connect_error (const LoopResolvedAddress *address, int saved_errno)
{
  g_autofree char *text =
      loop_resolved_address_to_string ((const struct sockaddr *) &address->address, address->length);
  GError *error = NULL;

  loop_set_error_from_errno (&error, saved_errno, "Could not connect to %s", text);

  return error;
}

static Attempt *
from_watch (const LoopWatch *watch)
{
  return (Attempt *) ((char *) watch - G_STRUCT_OFFSET (Attempt, watch));
}

static void
attempt_writable (LoopWatch *watch)
{
  Attempt *self = from_watch (watch);
  int status = 0;
  socklen_t length = sizeof status;

  if (!loop_future_is_pending (self->race->future))
    {
      /* Cancelled, and about to be taken apart. */
      close_all (self->race);
      return;
    }

  if (getsockopt (self->fd, SOL_SOCKET, SO_ERROR, &status, &length) < 0)
    status = errno;

  if (status != 0)
    attempt_failed (self, make_connect_error (self->address, status));
  else
    attempt_succeeded (self);
}

static void
attempt_watch_failed (LoopWatch *watch, GError *error)
{
  attempt_failed (from_watch (watch), g_error_copy (error));
}

static void
attempt_describe (const LoopWatch *watch, gboolean is_writer, LoopDescription *description)
{
  description->id = watch->id;
  description->kind = "connection";
  description->name = "create_connection";
  description->fd = watch->fd;
}

static const LoopWatchClass attempt_watch_class = {
  .readable = attempt_writable,
  .writable = attempt_writable,
  .failed = attempt_watch_failed,
  .describe = attempt_describe,
};

static gboolean
bind_local (LoopHappyEyeballs *self, int fd, int family, GError **error)
{
  g_autofree char *text = NULL;
  int saved_errno = EADDRNOTAVAIL;

  if (self->local_addresses == NULL)
    return TRUE;

  for (guint i = 0; i < self->local_addresses->len; i++)
    {
      const LoopResolvedAddress *local = g_ptr_array_index (self->local_addresses, i);

      if (local->family != family)
        continue;
      if (bind (fd, (const struct sockaddr *) &local->address, local->length) == 0)
        return TRUE;

      saved_errno = errno;
      g_free (text);
      text = loop_resolved_address_to_string ((const struct sockaddr *) &local->address, local->length);
    }

  loop_set_error_from_errno (error, saved_errno, "Could not bind to %s",
                             text != NULL ? text : "a local address of the family of the remote one");

  return FALSE;
}

/* Returns: %FALSE with an error if it failed at once */
static gboolean
attempt_start (Attempt *self, GError **error)
{
  LoopEventLoop *loop = self->race->loop;
  const LoopResolvedAddress *address = self->address;
  gboolean is_watched;

  self->fd = loop_socket_new (address->family, address->proto, error);
  if (self->fd < 0 || !bind_local (self->race, self->fd, address->family, error))
    return FALSE;

  loop_fd_watcher_evict (loop, self->fd);

  /* Even one that succeeds at once is only looked at in the next iteration. An interrupted
   * call goes on by itself, as POSIX has it. */
  if (connect (self->fd, (const struct sockaddr *) &address->address, address->length) < 0 && errno != EINPROGRESS &&
      errno != EINTR)
    {
      g_propagate_error (error, make_connect_error (address, errno));
      return FALSE;
    }

  loop_event_loop_enter (loop);
  is_watched = loop_poller_add (&loop->poller, &self->watch, self->fd, LOOP_INTEREST_WRITE, error);
  loop_event_loop_leave (loop);

  return is_watched;
}

static void
delay_is_over (gpointer data)
{
  LoopHappyEyeballs *self = data;

  g_clear_pointer (&self->timer, loop_timer_handle_unref);
  if (loop_future_is_pending (self->future))
    try_next_address (self);
}

static void
start_timer (LoopHappyEyeballs *self)
{
  if (self->delay < 0 || self->attempts->len == self->addresses->len)
    return;

  self->timer = loop_timer_handle_ref (loop_event_loop_schedule_at (self->loop, loop_clock_after (self->delay),
                                                                    delay_is_over, self, NULL, "happy eyeballs"));
}

static void
try_next_address (LoopHappyEyeballs *self)
{
  stop_timer (self);

  while (self->attempts->len < self->addresses->len)
    {
      Attempt *attempt = g_new0 (Attempt, 1);

      attempt->race = self;
      attempt->address = g_ptr_array_index (self->addresses, self->attempts->len);
      attempt->fd = -1;
      loop_watch_init (&attempt->watch, &attempt_watch_class, loop_event_loop_next_id (self->loop));
      g_ptr_array_add (self->attempts, attempt);

      if (attempt_start (attempt, &attempt->error))
        {
          start_timer (self);
          return;
        }

      attempt_close (attempt);
    }

  if (!is_under_way (self))
    self->done (-1, self->user_data);
}

static guint
get_family_index (GArray *families, int family)
{
  for (guint i = 0; i < families->len; i++)
    if (g_array_index (families, int, i) == family)
      return i;

  g_array_append_val (families, family);

  return families->len - 1;
}

typedef struct
{
  guint round;
  guint family;
  guint place; /* in its family */
  LoopResolvedAddress *address;
} Ranked;

static int
compare_ranked (gconstpointer a, gconstpointer b)
{
  const Ranked *first = a;
  const Ranked *second = b;

  if (first->round != second->round)
    return first->round < second->round ? -1 : 1;
  if (first->family != second->family)
    return first->family < second->family ? -1 : 1;

  return first->place < second->place ? -1 : 1;
}

/*
 * Puts addresses of different families in turn: RFC 8305, section 4. Families come in the order in which they were
 * found, and of the first there are @first_family_count before another has its turn.
 */
void
loop_happy_eyeballs_interleave (GPtrArray *addresses, guint first_family_count)
{
  g_autoptr (GArray) families = g_array_new (FALSE, FALSE, sizeof (int));
  g_autoptr (GArray) counts = g_array_new (FALSE, TRUE, sizeof (guint));
  g_autoptr (GArray) ranked = g_array_new (FALSE, FALSE, sizeof (Ranked));

  g_assert (first_family_count > 0);

  for (guint i = 0; i < addresses->len; i++)
    {
      Ranked item = { .address = g_ptr_array_index (addresses, i) };
      guint n_ahead;

      item.family = get_family_index (families, item.address->family);
      g_array_set_size (counts, families->len);
      item.place = g_array_index (counts, guint, item.family)++;
      n_ahead = item.family == 0 ? first_family_count - 1 : 0;
      item.round = item.place < n_ahead ? 0 : item.place - n_ahead + 1;
      g_array_append_val (ranked, item);
    }

  g_array_sort (ranked, compare_ranked);
  for (guint i = 0; i < addresses->len; i++)
    addresses->pdata[i] = g_array_index (ranked, Ranked, i).address;
}

/*
 * loop_happy_eyeballs_new:
 * @future: when it is done, connecting ends
 * @addresses: LoopResolvedAddress, at least one
 * @local_addresses: (nullable): what to bind to
 * @delay: seconds until the next address is tried, or negative: only when the last one has failed
 */
LoopHappyEyeballs *
loop_happy_eyeballs_new (LoopFuture *future,
                         GPtrArray *addresses,
                         GPtrArray *local_addresses,
                         double delay,
                         LoopHappyEyeballsFunc done,
                         gpointer user_data)
{
  LoopHappyEyeballs *self = g_new0 (LoopHappyEyeballs, 1);

  g_assert (addresses->len > 0);

  self->loop = loop_future_get_loop (future);
  self->future = future;
  self->addresses = g_ptr_array_ref (addresses);
  self->local_addresses = local_addresses != NULL ? g_ptr_array_ref (local_addresses) : NULL;
  self->attempts = g_ptr_array_new_with_free_func (attempt_free);
  self->delay = delay;
  self->done = done;
  self->user_data = user_data;

  return self;
}

void
loop_happy_eyeballs_start (LoopHappyEyeballs *self)
{
  try_next_address (self);
}

/* Returns: (transfer full) (element-type GError): of those that have failed, in the order of the addresses */
GPtrArray *
loop_happy_eyeballs_dup_errors (LoopHappyEyeballs *self)
{
  GPtrArray *errors = g_ptr_array_new_with_free_func ((GDestroyNotify) g_error_free);

  for (guint i = 0; i < self->attempts->len; i++)
    {
      const Attempt *attempt = g_ptr_array_index (self->attempts, i);

      if (attempt->error != NULL)
        g_ptr_array_add (errors, g_error_copy (attempt->error));
    }

  return errors;
}

/* Closes all that is under way. Not to be called from the callback. */
void
loop_happy_eyeballs_free (LoopHappyEyeballs *self)
{
  stop_timer (self);
  g_ptr_array_unref (self->attempts);
  g_ptr_array_unref (self->addresses);
  g_clear_pointer (&self->local_addresses, g_ptr_array_unref);
  g_free (self);
}
