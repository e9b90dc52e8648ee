/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host-request.h"

#include "signals.h"
#include "value.h"

/* What can be asked of a host: calls, tasks, jobs and signal handlers. */

/* Takes @words. */
static gboolean
parse_action (CtlRequest *self, char **words, GError **error)
{
  self->words = words;
  self->action = ctl_action_new (self->host, (const char *const *) words, error);

  return self->action != NULL;
}

static gboolean
parse_call (CtlRequest *self, GVariant *parameters, GError **error)
{
  char **words;

  g_variant_get (parameters, "(^as)", &words);

  return parse_action (self, words, error);
}

static void
perform_call_soon (CtlRequest *self)
{
  const char *name = ctl_action_get_name (self->action);
  LoopHandle *handle = loop_event_loop_call_soon_full (self->host->loop, ctl_action_run,
                                                       g_steal_pointer (&self->action), ctl_action_free, &self->error);

  if (handle != NULL)
    loop_handle_set_name (handle, name);
  ctl_request_done_with_id (self, handle != NULL ? loop_handle_get_id (handle) : 0);
}

/* A loop that is busy takes a handle at once, to run it later. It is named before it can run. */
static gboolean
call_soon_if_busy (CtlRequest *self)
{
  g_autoptr (GVariant) state = loop_inspector_dup_state (self->host->inspector, self->host->loop);
  g_autoptr (LoopHandle) handle = NULL;
  const char *name = ctl_action_get_name (self->action);

  if (ctl_value_get_id (state, "handle") == 0)
    return FALSE;

  if (loop_event_loop_call_soon_threadsafe (self->host->loop, ctl_action_run, g_steal_pointer (&self->action),
                                            ctl_action_free, &handle, &self->error))
    {
      loop_handle_set_name (handle, name);
      self->result = g_variant_ref_sink (g_variant_new ("(t)", loop_handle_get_id (handle)));
      ctl_request_answer (self, state);
    }
  else
    {
      ctl_request_fail (self);
    }

  return TRUE;
}

static gboolean
parse_timer (CtlRequest *self, GVariant *parameters, GError **error)
{
  char **words;

  g_variant_get (parameters, "(d^as)", &self->seconds, &words);

  return parse_action (self, words, error);
}

static void
perform_timer (CtlRequest *self)
{
  const char *name = ctl_action_get_name (self->action);
  CtlAction *action = g_steal_pointer (&self->action);
  LoopTimerHandle *timer;

  if (g_str_equal (self->method->name, "CallAt"))
    timer = loop_event_loop_call_at_full (self->host->loop, self->seconds, ctl_action_run, action, ctl_action_free,
                                          &self->error);
  else
    timer = loop_event_loop_call_later_full (self->host->loop, self->seconds, ctl_action_run, action, ctl_action_free,
                                             &self->error);

  if (timer != NULL)
    loop_timer_handle_set_name (timer, name);
  ctl_request_done_with_id (self, timer != NULL ? loop_timer_handle_get_id (timer) : 0);
}

static gboolean
parse_task (CtlRequest *self, GVariant *parameters, GError **error)
{
  g_variant_get (parameters, "(^as)", &self->words);
  self->work = ctl_work_new (self->host, (const char *const *) self->words, error);

  return self->work != NULL;
}

static void
perform_create_task (CtlRequest *self)
{
  ctl_request_done_with_id (self, ctl_work_spawn (g_steal_pointer (&self->work), &self->error));
}

static void
perform_run_in_executor (CtlRequest *self)
{
  g_autoptr (LoopFuture) future = loop_event_loop_run_in_executor (self->host->loop, NULL, ctl_action_run_in_thread,
                                                                   g_steal_pointer (&self->action), ctl_action_free);

  ctl_request_done_with_id (self, loop_future_get_id (future));
}

static gboolean
parse_process (CtlRequest *self, GVariant *parameters, GError **error)
{
  return parse_call (self, parameters, error) && ctl_action_can_run_in_process (self->action, error);
}

static void
perform_run_in_process (CtlRequest *self)
{
  ctl_request_done_with_id (self,
                            ctl_host_run_in_process (self->host, (const char *const *) self->words, &self->error));
}

static gboolean
parse_signal_handler (CtlRequest *self, GVariant *parameters, GError **error)
{
  const char *name;
  char **words;

  g_variant_get (parameters, "(&s^as)", &name, &words);

  return parse_action (self, words, error) && ctl_signal_parse (name, &self->signum, error);
}

static void
perform_add_signal_handler (CtlRequest *self)
{
  loop_event_loop_add_signal_handler (self->host->loop, self->signum, ctl_action_run, g_steal_pointer (&self->action),
                                      ctl_action_free, &self->error);
  ctl_request_done (self, g_variant_new ("(i)", self->signum));
}

static gboolean
parse_signal (CtlRequest *self, GVariant *parameters, GError **error)
{
  const char *name;

  g_variant_get (parameters, "(&s)", &name);

  return ctl_signal_parse (name, &self->signum, error);
}

static void
perform_remove_signal_handler (CtlRequest *self)
{
  g_autofree char *name = ctl_signal_get_name (self->signum);

  if (!loop_event_loop_remove_signal_handler (self->host->loop, self->signum))
    g_set_error (&self->error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "Signal %s has no handler", name);
  ctl_request_done (self, g_variant_new ("(i)", self->signum));
}

const CtlHostMethod ctl_host_call_methods[] = {
  { "CallSoon", parse_call, perform_call_soon, call_soon_if_busy },
  { "CallLater", parse_timer, perform_timer },
  { "CallAt", parse_timer, perform_timer },
  { "CreateTask", parse_task, perform_create_task },
  { "RunInExecutor", parse_call, perform_run_in_executor },
  { "RunInProcess", parse_process, perform_run_in_process },
  { "AddSignalHandler", parse_signal_handler, perform_add_signal_handler },
  { "RemoveSignalHandler", parse_signal, perform_remove_signal_handler },
  { NULL },
};
