/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-sock-private.h"

#include <errno.h>

/* The operations of one direction that wait for one descriptor: what its watch belongs to. */
struct _LoopSockQueue
{
  guint ref_count;
  LoopEventLoop *loop;
  int fd;
  guint8 interest;
  gboolean is_watched;
  LoopSockFuture *first; /* each with a reference */
  LoopSockFuture *last;
};

typedef struct
{
  LoopFutureClass parent_class;
} LoopSockFutureClass;

G_DEFINE_FINAL_TYPE (LoopSockFuture, loop_sock_future, LOOP_TYPE_FUTURE)

/* --- The queue -------------------------------------------------------------------------------- */

static void
queue_unref (LoopSockQueue *self)
{
  if (--self->ref_count == 0)
    g_free (self);
}

/* Takes an operation out. It has still the reference that the queue had. */
static void
queue_remove (LoopSockQueue *self, LoopSockFuture *future)
{
  LoopSockFuture **place = &self->first;
  LoopSockFuture *previous = NULL;

  while (*place != future)
    {
      previous = *place;
      place = &previous->next;
    }

  *place = future->next;
  if (self->last == future)
    self->last = previous;
  future->next = NULL;
  future->queue = NULL;
}

/* Without an operation there is no watch, and no queue. */
static void
queue_end_if_empty (LoopSockQueue *self)
{
  if (self->first != NULL || !self->is_watched)
    return;

  self->is_watched = FALSE;
  loop_fd_watcher_unclaim (self->loop, self->fd, self->interest);
  queue_unref (self);
}

/* All but the future itself. */
static void
clear (LoopSockFuture *self)
{
  if (self->data != NULL && self->kind->clear != NULL)
    self->kind->clear (self);
  self->data = NULL;
}

/* Finishes an operation that is in no queue. Takes what there is of a result. */
static void
finish (LoopSockFuture *self, LoopSockProgress progress, GValue *result, GError *error)
{
  LoopFuture *base = &self->parent_instance;

  if (progress == LOOP_SOCK_FAILED)
    loop_future_fail (base, error);
  else if (G_IS_VALUE (result))
    loop_future_fulfil_value (base, result);
  else
    loop_future_fulfil (base);
  clear (self);
}

static LoopSockProgress
try (LoopSockFuture *self, GValue *result, GError **error)
{
  LoopSockProgress progress;

  if (self->socket != NULL && g_socket_is_closed (self->socket))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "The socket was closed during %s", self->kind->name);
      return LOOP_SOCK_FAILED;
    }

  progress = self->kind->attempt != NULL ? self->kind->attempt (self, result, error) : LOOP_SOCK_DONE;
  g_assert ((progress == LOOP_SOCK_FAILED) == (error != NULL && *error != NULL));

  return progress;
}

static void
queue_ready (gpointer owner)
{
  LoopSockQueue *self = owner;

  self->ref_count++;

  while (self->first != NULL)
    {
      LoopSockFuture *future = self->first;
      gboolean is_blunt = future->kind->is_blunt;
      g_auto (GValue) result = G_VALUE_INIT;
      GError *error = NULL;
      LoopSockProgress progress = try (future, &result, &error);

      if (progress == LOOP_SOCK_AGAIN)
        break;

      queue_remove (self, future);
      queue_end_if_empty (self);
      if (progress != LOOP_SOCK_LATER)
        finish (future, progress, &result, error);
      g_object_unref (future);

      /* The next one is woken when the first has taken what it wants, and something is left. */
      if (is_blunt)
        break;
    }

  queue_unref (self);
}

static void
queue_failed (gpointer owner, const GError *error)
{
  LoopSockQueue *self = owner;
  LoopSockFuture *future;

  self->is_watched = FALSE;
  while ((future = self->first) != NULL)
    {
      queue_remove (self, future);
      finish (future, LOOP_SOCK_FAILED, NULL, g_error_copy (error));
      g_object_unref (future);
    }
  queue_unref (self);
}

/* What is pending stays so, as all futures of a loop that was closed. */
static void
queue_closed (gpointer owner)
{
  LoopSockQueue *self = owner;
  LoopSockFuture *future;

  self->is_watched = FALSE;
  while ((future = self->first) != NULL)
    {
      queue_remove (self, future);
      clear (future);
      g_object_unref (future);
    }
  queue_unref (self);
}

static const LoopFdClaim claim = {
  .name = "socket operation",
  .ready = queue_ready,
  .failed = queue_failed,
  .closed = queue_closed,
};

/* Returns: (nullable): the one that an operation has to join */
static LoopSockQueue *
lookup_queue (LoopSockFuture *self)
{
  return loop_fd_watcher_lookup_claim (self->parent_instance.loop, self->fd, self->kind->interest, &claim);
}

static LoopSockQueue *
queue_new (LoopEventLoop *loop, int fd, guint8 interest, GError **error)
{
  LoopSockQueue *self = g_new0 (LoopSockQueue, 1);

  self->ref_count = 1;
  self->loop = loop;
  self->fd = fd;
  self->interest = interest;
  self->is_watched = loop_fd_watcher_claim (loop, fd, interest, &claim, self, error);

  if (!self->is_watched)
    g_clear_pointer (&self, queue_unref);

  return self;
}

/* --- The future ------------------------------------------------------------------------------- */

static gboolean
loop_sock_future_cancel (LoopFuture *future, const char *message)
{
  LoopSockFuture *self = (LoopSockFuture *) future;
  LoopSockQueue *queue = self->queue;

  if (!loop_future_is_pending (future))
    return FALSE;

  g_object_ref (self);
  if (queue != NULL)
    {
      queue_remove (queue, self);
      queue_end_if_empty (queue);
      g_object_unref (self);
    }
  loop_future_finish_cancelled (future, message);
  clear (self);
  g_object_unref (self);

  return TRUE;
}

static void
loop_sock_future_give_back (LoopFuture *future)
{
  LoopSockFuture *self = (LoopSockFuture *) future;

  /* Only once: afterwards it is somebody else's. */
  if (self->kept == NULL || future->loop->is_closed)
    return;

  self->kind->give_back (self);
  g_assert (self->kept == NULL);
}

static void
loop_sock_future_finalize (GObject *object)
{
  LoopSockFuture *self = (LoopSockFuture *) object;

  g_assert (self->queue == NULL);

  clear (self);
  if (self->kept != NULL)
    self->unkeep (self->kept);
  g_clear_object (&self->socket);

  G_OBJECT_CLASS (loop_sock_future_parent_class)->finalize (object);
}

static void
loop_sock_future_class_init (LoopSockFutureClass *klass)
{
  LoopFutureClass *future_class = (LoopFutureClass *) klass;

  G_OBJECT_CLASS (klass)->finalize = loop_sock_future_finalize;
  future_class->cancel = loop_sock_future_cancel;
  future_class->give_back = loop_sock_future_give_back;
}

static void
loop_sock_future_init (LoopSockFuture *self)
{
}

/* --- Making and starting ---------------------------------------------------------------------- */

/* What asyncio checks. */
static gboolean
check (LoopSockFuture *self, GError **error)
{
  LoopEventLoop *loop = self->parent_instance.loop;

  if (!loop_event_loop_check_usable (loop, error))
    return FALSE;

  if (self->socket != NULL && g_socket_is_closed (self->socket))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "The socket is closed");
      return FALSE;
    }

  /* A GSocket's descriptor never blocks, but whoever uses it as well may not know. */
  if (self->socket != NULL && loop->debug && g_socket_get_blocking (self->socket))
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "The socket must be non-blocking");
      return FALSE;
    }

  return loop_fd_watcher_check_free (loop, self->fd, error);
}

static LoopSockFuture *
make (LoopEventLoop *loop, GSocket *socket, int fd, const LoopSockKind *kind, gpointer data)
{
  LoopSockFuture *self = g_object_new (loop_sock_future_get_type (), NULL);
  GError *error = NULL;

  loop_future_set_up (&self->parent_instance, loop, kind->name);
  self->kind = kind;
  g_set_object (&self->socket, socket);
  self->fd = fd;
  self->data = data;

  if (!check (self, &error))
    loop_sock_future_fail (self, error);

  return self;
}

LoopSockFuture *
loop_sock_future_new (LoopEventLoop *loop, GSocket *socket, const LoopSockKind *kind, gpointer data)
{
  return make (loop, socket, g_socket_get_fd (socket), kind, data);
}

LoopSockFuture *
loop_sock_future_new_for_fd (LoopEventLoop *loop, int fd, const LoopSockKind *kind)
{
  return make (loop, NULL, fd, kind, NULL);
}

void
loop_sock_future_fail (LoopSockFuture *self, GError *error)
{
  g_assert (self->queue == NULL);

  finish (self, LOOP_SOCK_FAILED, NULL, error);
}

void
loop_sock_future_start (LoopSockFuture *self)
{
  LoopSockQueue *queue;
  g_auto (GValue) result = G_VALUE_INIT;
  GError *error = NULL;
  LoopSockProgress progress = LOOP_SOCK_AGAIN;

  if (!loop_future_is_pending (&self->parent_instance))
    return;

  queue = lookup_queue (self);
  if (queue == NULL && !self->kind->is_blunt)
    progress = try (self, &result, &error);

  if (queue == NULL && progress == LOOP_SOCK_AGAIN)
    {
      queue = queue_new (self->parent_instance.loop, self->fd, self->kind->interest, &error);
      if (queue == NULL)
        progress = LOOP_SOCK_FAILED;
    }

  if (progress == LOOP_SOCK_DONE || progress == LOOP_SOCK_FAILED)
    {
      finish (self, progress, &result, error);
      return;
    }

  self->has_waited = TRUE;
  if (progress == LOOP_SOCK_LATER)
    return;

  self->queue = queue;
  if (queue->last != NULL)
    queue->last->next = self;
  else
    queue->first = self;
  queue->last = g_object_ref (self);
}

LoopSockProgress
loop_sock_progress_from_errno (int saved_errno, GError **error, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list arguments;

  if (saved_errno == EAGAIN)
    return LOOP_SOCK_AGAIN;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  loop_set_error_from_errno (error, saved_errno, "%s", text);

  return LOOP_SOCK_FAILED;
}

GSocketAddress *
loop_sock_address_from_native (const struct sockaddr_storage *address, socklen_t length)
{
  return length > 0 ? g_socket_address_new_from_native ((gpointer) address, length) : NULL;
}

/* --- What nobody wanted ----------------------------------------------------------------------- */

static GQuark
returns_quark (void)
{
  static GQuark quark;

  if (G_UNLIKELY (quark == 0))
    quark = g_quark_from_static_string ("loop-sock-returns");

  return quark;
}

static void
clear_return (gpointer data)
{
  LoopSockReturn *self = data;

  if (self->item != NULL)
    self->notify (self->item);
}

/* While it is changed it is nobody else's. */
static GArray *
steal_returns (GSocket *socket)
{
  GArray *array = g_object_steal_qdata (G_OBJECT (socket), returns_quark ());

  if (array == NULL)
    {
      array = g_array_new (FALSE, FALSE, sizeof (LoopSockReturn));
      g_array_set_clear_func (array, clear_return);
    }

  return array;
}

static void
put_returns (GSocket *socket, GArray *array)
{
  if (array->len > 0)
    g_object_set_qdata_full (G_OBJECT (socket), returns_quark (), array, (GDestroyNotify) g_array_unref);
  else
    g_array_unref (array);
}

static void
insert_return (GSocket *socket, LoopSockReturn value)
{
  GArray *array = steal_returns (socket);
  guint place = 0;

  while (place < array->len && g_array_index (array, LoopSockReturn, place).id < value.id)
    place++;
  g_array_insert_val (array, place, value);
  put_returns (socket, array);
}

/* Takes @item, which the next operation gets: it may wait already. */
void
loop_sock_future_return (LoopSockFuture *self, gpointer item, GDestroyNotify notify)
{
  LoopSockQueue *queue;

  insert_return (self->socket, (LoopSockReturn) { self->parent_instance.node.id, item, notify });

  queue = g_socket_is_closed (self->socket) ? NULL : lookup_queue (self);
  if (queue != NULL)
    queue_ready (queue);
}

LoopSockReturn
loop_sock_future_take_returned (LoopSockFuture *self)
{
  LoopSockReturn taken = { 0 };
  GArray *array;

  if (G_LIKELY (g_object_get_qdata (G_OBJECT (self->socket), returns_quark ()) == NULL))
    return taken;

  array = steal_returns (self->socket);
  taken = g_array_index (array, LoopSockReturn, 0);
  g_array_index (array, LoopSockReturn, 0).item = NULL;
  g_array_remove_index (array, 0);
  put_returns (self->socket, array);

  return taken;
}

void
loop_sock_future_untake_returned (LoopSockFuture *self, LoopSockReturn taken)
{
  insert_return (self->socket, taken);
}
