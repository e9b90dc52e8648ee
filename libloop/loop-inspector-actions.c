/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-inspector-interpreter-private.h"
#include "loop-inspector-private.h"

#include "loop-future-private.h"
#include "loop-server-private.h"
#include "loop-subprocess-transport-private.h"
#include "loop-transport-private.h"

#include <signal.h>

/*
 * What a client may have a loop do. An action is posted to the loop's thread, and its
 * call is answered when it is done, or earlier when that takes too long: the action then
 * stays posted, and is done exactly once.
 */

/* How long a loop whose callback blocks it is waited for. */
#define BLOCKED_MS 100

/* How long a loop that should do it at once is waited for. */
#define TIMEOUT_MS 1000

#define CHECK_INTERVAL_MS 25

typedef struct _Action Action;

typedef struct
{
  const char *method;
  void (*perform) (Action *action);
} ActionType;

struct _Action
{
  gatomicrefcount ref_count;
  const ActionType *type;
  LoopInspector *inspector;
  guint64 loop_id;
  LoopEventLoop *loop; /* for the loop thread, in perform */
  guint64 id;
  char *message; /* or NULL */
  gboolean enabled;
  gint32 signum;
  double seconds;

  int is_done;
  GError *error; /* set before is_done */

  /* The inspector thread's. */
  GDBusMethodInvocation *invocation;
  GSource *check;
  gint64 posted;
};

static void
action_unref (gpointer data)
{
  Action *self = data;

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_clear_error (&self->error);
  g_free (self->message);
  g_object_unref (self->inspector);
  g_free (self);
}

static Action *
action_ref (Action *self)
{
  g_atomic_ref_count_inc (&self->ref_count);

  return self;
}

static void
fail_not_found (Action *self, const char *what)
{
  g_set_error (&self->error, LOOP_INSPECTOR_ERROR, LOOP_INSPECTOR_ERROR_NOT_FOUND, "There is no %s %" G_GUINT64_FORMAT,
               what, self->id);
}

/* Makes handles of all calls in @queue that are none yet, so that each can be cancelled. */
static void
unpack_calls (LoopEventLoop *loop, LoopReadyQueue *queue)
{
  LoopReadyQueue unpacked;
  LoopReadyItem *item;

  loop_ready_queue_init (&unpacked);

  loop_event_loop_enter (loop);
  while ((item = loop_ready_queue_pop (queue)) != NULL)
    {
      if (item->kind == LOOP_ITEM_CALLS)
        {
          LoopHandle *handle = loop_event_loop_next_call (loop, (LoopCallBatch *) item, queue);

          if (handle->item.handle_state == LOOP_HANDLE_INCOMING)
            handle->item.handle_state = LOOP_HANDLE_READY;
          item = &handle->item;
        }
      loop_ready_queue_push (&unpacked, item);
    }
  loop_ready_queue_splice (queue, &unpacked);
  loop_event_loop_leave (loop);
}

static LoopHandle *
find_in_queue (LoopEventLoop *loop, LoopReadyQueue *queue, guint64 id)
{
  unpack_calls (loop, queue);

  for (LoopReadyItem *item = queue->head.next; item != &queue->head; item = item->next)
    {
      LoopHandle *handle = (LoopHandle *) item;

      if (item->kind == LOOP_ITEM_HANDLE && handle->id == id && handle->item.handle_state == LOOP_HANDLE_READY)
        return handle;
    }

  return NULL;
}

static LoopHandle *
find_handle (LoopEventLoop *loop, guint64 id)
{
  LoopHandle *handle = find_in_queue (loop, &loop->batch, id);

  if (handle == NULL)
    handle = find_in_queue (loop, &loop->ready, id);

  if (handle != NULL)
    return handle;

  LOOP_TIMER_QUEUE_FOREACH (&loop->timers, entry)
  {
    if (entry->handle->parent.id == id)
      return &entry->handle->parent;
  }

  return NULL;
}

static gpointer
find_object (LoopEventLoop *loop, LoopRegistryKind kind, gsize offset, guint64 id)
{
  GObject *object = NULL;

  /* Futures may be dropped, and so leave, in any thread. */
  loop_event_loop_enter (loop);
  LOOP_REGISTRY_FOREACH (&loop->registry, kind, node)
    {
      if (node->id == id)
        {
          object = g_object_ref ((GObject *) ((char *) node - offset));
          break;
        }
    }
  loop_event_loop_leave (loop);

  return object;
}

static LoopFuture *
find_future (LoopEventLoop *loop, LoopRegistryKind kind, guint64 id)
{
  return find_object (loop, kind, G_STRUCT_OFFSET (LoopFuture, node), id);
}

static void
perform_cancel (Action *self)
{
  g_autoptr (LoopFuture) future = NULL;
  LoopHandle *handle;

  /* Handles that other threads have posted may be meant as well. */
  loop_event_loop_drain_incoming (self->loop);
  handle = find_handle (self->loop, self->id);
  if (handle != NULL)
    {
      loop_handle_cancel (handle);
      return;
    }

  future = find_future (self->loop, LOOP_REGISTRY_FUTURES, self->id);
  if (future == NULL)
    future = find_future (self->loop, LOOP_REGISTRY_TASKS, self->id);
  if ((future == NULL || !loop_future_cancel_with_message (future, self->message)) &&
      !loop_inspector_cancel_of_interpreter (self->loop_id, self->id, self->message))
    fail_not_found (self, "pending handle, timer, future or task");
}

static LoopServer *
find_open_server (Action *self)
{
  LoopServer *server = find_object (self->loop, LOOP_REGISTRY_SERVERS, G_STRUCT_OFFSET (LoopServer, node), self->id);

  if (server != NULL && server->listeners == NULL)
    g_clear_object (&server);

  return server;
}

static LoopTransport *
find_transport (Action *self)
{
  return find_object (self->loop, LOOP_REGISTRY_TRANSPORTS, G_STRUCT_OFFSET (LoopTransport, node), self->id);
}

static LoopSubprocessTransport *
find_subprocess (Action *self)
{
  return find_object (self->loop, LOOP_REGISTRY_SUBPROCESSES, G_STRUCT_OFFSET (LoopSubprocessTransport, node),
                      self->id);
}

static void
perform_close_server (Action *self)
{
  g_autoptr (LoopServer) server = find_open_server (self);

  if (server != NULL)
    loop_server_close (server);
  else
    fail_not_found (self, "open server");
}

static void
perform_start_server (Action *self)
{
  g_autoptr (LoopServer) server = find_open_server (self);

  if (server != NULL)
    loop_server_listen (server, &self->error);
  else
    fail_not_found (self, "open server");
}

/* The connections of a server outlive it. */
static void
end_clients (Action *self, void (*end) (LoopServer *server))
{
  g_autoptr (LoopServer) server =
      find_object (self->loop, LOOP_REGISTRY_SERVERS, G_STRUCT_OFFSET (LoopServer, node), self->id);

  if (server != NULL)
    end (server);
  else
    fail_not_found (self, "server");
}

static void
perform_close_clients (Action *self)
{
  end_clients (self, loop_server_close_clients);
}

static void
perform_abort_clients (Action *self)
{
  end_clients (self, loop_server_abort_clients);
}

static void
perform_close_transport (Action *self)
{
  g_autoptr (LoopTransport) transport = find_transport (self);

  if (transport != NULL)
    loop_transport_close (transport);
  else
    fail_not_found (self, "transport");
}

static void
perform_abort_transport (Action *self)
{
  g_autoptr (LoopTransport) transport = find_transport (self);

  if (transport != NULL)
    loop_transport_abort (transport);
  else
    fail_not_found (self, "transport");
}

/* Has a transport read, or not read. One that has no end to read from, or is about to close it, pauses nothing. */
static void
set_reading (Action *self, gboolean reads)
{
  g_autoptr (LoopTransport) transport = find_transport (self);
  LoopTransportDescription description = { .fd = -1 };

  if (transport == NULL)
    {
      fail_not_found (self, "transport");
      return;
    }

  if (reads)
    loop_transport_resume_reading (transport);
  else
    loop_transport_pause_reading (transport);

  LOOP_TRANSPORT_GET_CLASS (transport)->describe (transport, &description);
  if (loop_transport_is_closing (transport) || (!reads && !description.is_read_paused))
    g_set_error (&self->error, LOOP_INSPECTOR_ERROR, LOOP_INSPECTOR_ERROR_INVALID_ARGUMENT,
                 "Transport %" G_GUINT64_FORMAT " %s", self->id,
                 loop_transport_is_closing (transport) ? "is closing" : "is only written to");
}

static void
perform_pause_reading (Action *self)
{
  set_reading (self, FALSE);
}

static void
perform_resume_reading (Action *self)
{
  set_reading (self, TRUE);
}

/* All that asyncio has a close() for. */
static void
perform_close (Action *self)
{
  g_autoptr (LoopTransport) transport = find_transport (self);
  g_autoptr (LoopServer) server = find_open_server (self);
  g_autoptr (LoopSubprocessTransport) process = find_subprocess (self);

  if (transport != NULL)
    loop_transport_close (transport);
  else if (server != NULL)
    loop_server_close (server);
  else if (process != NULL)
    loop_subprocess_transport_close (process);
  else
    fail_not_found (self, "transport, open server or subprocess");
}

static void
perform_signal_subprocess (Action *self)
{
  g_autoptr (LoopSubprocessTransport) process = find_subprocess (self);

  if (process != NULL)
    loop_subprocess_transport_send_signal (process, self->signum, &self->error);
  else
    fail_not_found (self, "subprocess");
}

static void
perform_terminate_subprocess (Action *self)
{
  self->signum = SIGTERM;
  perform_signal_subprocess (self);
}

static void
perform_kill_subprocess (Action *self)
{
  self->signum = SIGKILL;
  perform_signal_subprocess (self);
}

static void
perform_set_debug (Action *self)
{
  loop_event_loop_set_debug (self->loop, self->enabled);
}

static void
perform_set_slow_callback_duration (Action *self)
{
  loop_event_loop_set_slow_callback_duration (self->loop, self->seconds);
}

static void
perform_stop (Action *self)
{
  loop_event_loop_stop (self->loop);
}

static const ActionType action_types[] = {
  { "Cancel", perform_cancel },
  { "CancelWithMessage", perform_cancel },
  { "Close", perform_close },
  { "CloseServer", perform_close_server },
  { "StartServer", perform_start_server },
  { "CloseClients", perform_close_clients },
  { "AbortClients", perform_abort_clients },
  { "CloseTransport", perform_close_transport },
  { "AbortTransport", perform_abort_transport },
  { "PauseReading", perform_pause_reading },
  { "ResumeReading", perform_resume_reading },
  { "TerminateSubprocess", perform_terminate_subprocess },
  { "KillSubprocess", perform_kill_subprocess },
  { "SignalSubprocess", perform_signal_subprocess },
  { "SetDebug", perform_set_debug },
  { "SetSlowCallbackDuration", perform_set_slow_callback_duration },
  { "Stop", perform_stop },
};

static void
take_state (LoopEventLoop *loop, gpointer user_data)
{
  loop_state_snapshot_take (user_data, loop);
}

/* Answers the call; what becomes of the action afterwards, nobody hears. */
static void
answer (Action *self, const char *outcome, const GError *error)
{
  LoopStateSnapshot snapshot = { .id = self->loop_id, .state = "running" };
  GDBusMethodInvocation *invocation = g_steal_pointer (&self->invocation);

  g_ptr_array_remove_fast (self->inspector->actions, self);

  if (self->check != NULL)
    {
      g_source_destroy (self->check);
      g_clear_pointer (&self->check, g_source_unref);
    }

  if (error != NULL)
    {
      g_dbus_method_invocation_return_gerror (invocation, error);
      return;
    }

  loop_inspector_with_loop (self->loop_id, take_state, &snapshot, NULL);
  g_dbus_method_invocation_return_value (
      invocation, g_variant_new ("(s@a{sv})", outcome, loop_state_snapshot_to_variant (&snapshot)));
}

static gboolean
answer_done (gpointer user_data)
{
  Action *self = user_data;

  if (self->invocation != NULL)
    answer (self, "done", self->error);

  return G_SOURCE_REMOVE;
}

static gboolean
check_action (gpointer user_data)
{
  Action *self = user_data;
  LoopStateSnapshot snapshot = { .state = "" };
  gint64 waited_ms = (g_get_monotonic_time () - self->posted) / 1000;

  /* It is on its way to answer_done(). */
  if (__atomic_load_n (&self->is_done, __ATOMIC_ACQUIRE))
    return G_SOURCE_CONTINUE;

  if (waited_ms >= TIMEOUT_MS)
    {
      answer (self, "timeout", NULL);
      return G_SOURCE_REMOVE;
    }

  if (waited_ms >= BLOCKED_MS && loop_inspector_with_loop (self->loop_id, take_state, &snapshot, NULL) &&
      g_str_equal (snapshot.state, "blocked"))
    {
      answer (self, "queued", NULL);
      return G_SOURCE_REMOVE;
    }

  return G_SOURCE_CONTINUE;
}

/* On the loop thread: the action was performed, or will not be any more. */
static void
finish_action (Action *self)
{
  GSource *source = g_idle_source_new ();

  __atomic_store_n (&self->is_done, TRUE, __ATOMIC_RELEASE);

  g_source_set_priority (source, G_PRIORITY_DEFAULT);
  g_source_set_callback (source, answer_done, action_ref (self), action_unref);
  pthread_mutex_lock (&self->inspector->mutex);
  if (!self->inspector->is_over)
    g_source_attach (source, self->inspector->context);
  pthread_mutex_unlock (&self->inspector->mutex);
  g_source_unref (source);
}

/* What the library says of an error is for programs; clients know few kinds of them. */
static void
translate_error (Action *self)
{
  LoopInspectorError code = LOOP_INSPECTOR_ERROR_FAILED;

  if (self->error == NULL || self->error->domain == LOOP_INSPECTOR_ERROR)
    return;

  if (g_error_matches (self->error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    code = LOOP_INSPECTOR_ERROR_NOT_FOUND;
  else if (g_error_matches (self->error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT))
    code = LOOP_INSPECTOR_ERROR_INVALID_ARGUMENT;

  self->error->domain = LOOP_INSPECTOR_ERROR;
  self->error->code = (int) code;
}

static void
run_action (gpointer data)
{
  Action *self = data;

  self->type->perform (self);
  translate_error (self);
  finish_action (self);
}

static void
drop_action (gpointer data)
{
  Action *self = data;

  if (!self->is_done)
    {
      g_set_error_literal (&self->error, LOOP_INSPECTOR_ERROR, LOOP_INSPECTOR_ERROR_CLOSED, "The event loop is closed");
      finish_action (self);
    }

  action_unref (self);
}

/* Under the lock of the list of loops, so that the loop cannot go away. */
static void
post_action (LoopEventLoop *loop, gpointer user_data)
{
  Action *self = user_data;

  if (loop->id != self->loop_id || loop->incoming == NULL)
    return;

  self->loop = loop;
  if (!loop_incoming_post_callback (loop->incoming, loop, run_action, action_ref (self), drop_action, "inspector",
                                    NULL))
    {
      action_unref (self);
      self->loop = NULL;
    }
}

static gboolean
parse_arguments (Action *self, GVariant *parameters, GError **error)
{
  if (g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(t)")))
    g_variant_get (parameters, "(t)", &self->id);
  else if (g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(ts)")))
    g_variant_get (parameters, "(ts)", &self->id, &self->message);
  else if (g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(ti)")))
    g_variant_get (parameters, "(ti)", &self->id, &self->signum);
  else if (g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(b)")))
    g_variant_get (parameters, "(b)", &self->enabled);
  else if (g_variant_is_of_type (parameters, G_VARIANT_TYPE ("(d)")))
    g_variant_get (parameters, "(d)", &self->seconds);

  /* Written so that a NaN is refused too. */
  if (!(self->seconds >= 0.0))
    {
      g_set_error (error, LOOP_INSPECTOR_ERROR, LOOP_INSPECTOR_ERROR_INVALID_ARGUMENT,
                   "A duration must not be negative; %g is not possible", self->seconds);
      return FALSE;
    }

  return TRUE;
}

static const ActionType *
find_type (const char *method)
{
  for (guint i = 0; i < G_N_ELEMENTS (action_types); i++)
    {
      if (g_str_equal (action_types[i].method, method))
        return &action_types[i];
    }

  g_assert_not_reached ();
}

/* Performs a call of org.libloop.Control1. */
void
loop_inspector_control (LoopInspector *self, guint64 loop_id, GDBusMethodInvocation *invocation)
{
  Action *action;
  GError *error = NULL;

  if (self->access != LOOP_INSPECTOR_ACCESS_CONTROL)
    {
      g_dbus_method_invocation_return_error_literal (invocation, LOOP_INSPECTOR_ERROR,
                                                     LOOP_INSPECTOR_ERROR_ACCESS_DENIED, "The inspector is read-only");
      return;
    }

  action = g_new0 (Action, 1);
  g_atomic_ref_count_init (&action->ref_count);
  action->type = find_type (g_dbus_method_invocation_get_method_name (invocation));
  action->inspector = g_object_ref (self);
  action->loop_id = loop_id;
  action->invocation = invocation;
  action->posted = g_get_monotonic_time ();
  g_ptr_array_add (self->actions, action);

  if (!parse_arguments (action, g_dbus_method_invocation_get_parameters (invocation), &error))
    {
      answer (action, NULL, error);
      g_error_free (error);
      action_unref (action);
      return;
    }

  /* Before it is posted: the answer may come at once. */
  action->check = g_timeout_source_new (CHECK_INTERVAL_MS);
  g_source_set_callback (action->check, check_action, action_ref (action), action_unref);
  g_source_attach (action->check, self->context);

  loop_event_loop_foreach (post_action, action);

  if (action->loop == NULL)
    {
      error = g_error_new (LOOP_INSPECTOR_ERROR, LOOP_INSPECTOR_ERROR_NOT_FOUND,
                           "There is no open loop %" G_GUINT64_FORMAT, loop_id);
      answer (action, NULL, error);
      g_error_free (error);
    }

  action_unref (action);
}

/* The inspector stops: those who wait are told. */
void
loop_inspector_give_up_actions (LoopInspector *self)
{
  g_autoptr (GError) error =
      g_error_new_literal (LOOP_INSPECTOR_ERROR, LOOP_INSPECTOR_ERROR_CLOSED, "The inspector is stopped");

  while (self->actions->len > 0)
    answer (g_ptr_array_index (self->actions, self->actions->len - 1), NULL, error);
}
