/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-event-loop-private.h"

#include <unistd.h>

/*
 * A loop that is alone on its private context does not ask GLib what there is to do. Whatever
 * comes to the context while it does not ask is served all the same.
 */

#define MANY 1000

typedef struct
{
  LoopEventLoop *loop;
  GMainContext *context;
  gboolean is_served;
  int n;
  int pipe[2];
  GPollFD poll_fd;
  GThread *thread;
  GSource *source;
  gboolean flag;
  void (*act) (gpointer f);
} Fixture;

static void
go_round (gpointer data)
{
  Fixture *f = data;

  /* One iteration with a poll each. */
  if (--f->n > 0)
    loop_event_loop_call_later (f->loop, 0.0001, go_round, f, NULL);
  else
    loop_event_loop_stop (f->loop);
}

static void
pass_iterations (Fixture *f, int n)
{
  f->n = n;
  loop_event_loop_call_soon (f->loop, go_round, f, NULL);
  loop_event_loop_run_forever (f->loop);
}

static void
act_when_alone (gpointer data)
{
  Fixture *f = data;

  if (--f->n > 0)
    {
      loop_event_loop_call_later (f->loop, 0.0001, act_when_alone, f, NULL);
      return;
    }

  ck_assert (f->loop->neighbours.is_alone);
  f->act (f);
}

/* Lets the loop find out that it is alone, has @act called, and waits for its effect. */
static void
check_served (Fixture *f, void (*act) (gpointer f))
{
  f->is_served = FALSE;
  f->n = 40;
  f->act = act;
  loop_event_loop_call_soon (f->loop, act_when_alone, f, NULL);
  run_until (f->loop, &f->is_served);
}

static void
set_up (Fixture *f)
{
  *f = (Fixture) { .loop = loop_event_loop_new () };
  f->context = loop_event_loop_get_context (f->loop);
}

static gboolean
serve (gpointer data)
{
  ((Fixture *) data)->is_served = TRUE;

  return G_SOURCE_REMOVE;
}

static void
attach (Fixture *f, GSource *source)
{
  g_source_set_callback (source, serve, f, NULL);
  g_source_attach (source, f->context);
  g_source_unref (source);
}

static void
attach_idle (gpointer f)
{
  attach (f, g_idle_source_new ());
}

static void
attach_timeout (gpointer f)
{
  attach (f, g_timeout_source_new (20));
}

START_TEST (test_attached_by_callback)
{
  Fixture f;

  set_up (&f);
  check_served (&f, attach_idle);
  check_served (&f, attach_timeout);
  g_object_unref (f.loop);
}
END_TEST

static gpointer
attach_from_thread (gpointer data)
{
  Fixture *f = data;

  g_usleep (20000);
  attach_idle (f);

  return NULL;
}

static void
start_thread (gpointer data)
{
  Fixture *f = data;

  f->thread = g_thread_new ("attacher", attach_from_thread, f);
}

START_TEST (test_attached_by_thread)
{
  Fixture f;

  set_up (&f);
  check_served (&f, start_thread);
  g_thread_join (f.thread);
  g_object_unref (f.loop);
}
END_TEST

static gboolean
count_idle (gpointer data)
{
  ++*(int *) data;

  return G_SOURCE_REMOVE;
}

/* A source without a descriptor and without a time, of which its prepare function alone knows. */
static gboolean
prepare_by_flag (GSource *source, int *timeout)
{
  *timeout = -1;

  return **(gboolean **) (source + 1);
}

static gboolean
dispatch_by_flag (GSource *source, GSourceFunc callback, gpointer user_data)
{
  **(gboolean **) (source + 1) = FALSE;
  callback (user_data);

  return G_SOURCE_CONTINUE;
}

static GSourceFuncs by_flag = { .prepare = prepare_by_flag, .dispatch = dispatch_by_flag };

static GSource *
attach_by_flag (Fixture *f, gboolean *flag, GSourceFunc function, gpointer data)
{
  GSource *source = g_source_new (&by_flag, sizeof (GSource) + sizeof (gboolean *));

  *(gboolean **) (source + 1) = flag;
  g_source_set_callback (source, function, data, NULL);
  g_source_attach (source, f->context);

  return source;
}

/* The iteration by hand runs what is more urgent than an idle source, and takes the wakeup of both. */
static void
attach_and_iterate (gpointer data)
{
  Fixture *f = data;
  int n = 0;

  f->flag = TRUE;
  f->source = attach_by_flag (f, &f->flag, count_idle, &n);
  attach_idle (f);

  ck_assert (g_main_context_iteration (f->context, FALSE));
  ck_assert_int_eq (n, 1);
  ck_assert (!f->is_served);
}

START_TEST (test_wakeup_taken_by_hand)
{
  Fixture f;

  set_up (&f);
  check_served (&f, attach_and_iterate);
  g_source_destroy (f.source);
  g_source_unref (f.source);
  g_object_unref (f.loop);
}
END_TEST

static void
set_flag (gpointer data)
{
  *(gboolean *) data = TRUE;
}

START_TEST (test_source_that_waits_for_a_callback)
{
  gboolean flag = FALSE;
  GSource *source;
  Fixture f;

  set_up (&f);
  source = attach_by_flag (&f, &flag, serve, &f);

  /* However long it was quiet: it is there, and so the loop is not alone. */
  for (int i = 0; i < 3; i++)
    {
      pass_iterations (&f, 300);
      ck_assert (!f.loop->neighbours.is_alone);

      f.is_served = FALSE;
      loop_event_loop_call_later (f.loop, 0.01, set_flag, &flag, NULL);
      run_until (f.loop, &f.is_served);
    }

  g_source_destroy (source);
  g_source_unref (source);
  check_served (&f, attach_idle);
  g_object_unref (f.loop);
}
END_TEST

static void
add_poll (gpointer data)
{
  Fixture *f = data;

  f->poll_fd = (GPollFD) { .fd = f->pipe[0], .events = G_IO_IN };
  g_main_context_add_poll (f->context, &f->poll_fd, G_PRIORITY_DEFAULT);
  f->is_served = TRUE;
}

static void
write_to_pipe (gpointer data)
{
  ck_assert_int_eq (write (((Fixture *) data)->pipe[1], "x", 1), 1);
}

/* A descriptor that belongs to the context and to no source keeps the loop from thinking itself alone. */
START_TEST (test_descriptor_without_source)
{
  Fixture f;

  set_up (&f);
  ck_assert_int_eq (pipe (f.pipe), 0);
  check_served (&f, add_poll);
  pass_iterations (&f, 300);
  ck_assert (!f.loop->neighbours.is_alone);

  loop_event_loop_call_later (f.loop, 0.01, write_to_pipe, &f, NULL);
  run_for (f.loop, 0.05);
  ck_assert_int_eq (f.poll_fd.revents & G_IO_IN, G_IO_IN);
  ck_assert (!f.loop->neighbours.is_alone);

  g_main_context_remove_poll (f.context, &f.poll_fd);
  close (f.pipe[0]);
  close (f.pipe[1]);
  check_served (&f, attach_idle);
  g_object_unref (f.loop);
}
END_TEST

/* GLib's own lock around its list of sources is one that TSan cannot see. */
#ifndef LOOP_WITH_TSAN

static gpointer
attach_many (gpointer data)
{
  Fixture *f = data;

  for (int i = 0; i < MANY; i++)
    {
      GSource *source = g_idle_source_new ();

      g_source_set_callback (source, count_idle, &f->n, NULL);
      g_source_attach (source, f->context);
      g_source_unref (source);
      if (i % 8 == 0)
        g_usleep (50);
    }
  loop_event_loop_call_soon_threadsafe (f->loop, stop_loop, f->loop, NULL, NULL, NULL);

  return NULL;
}

static void
spin (gpointer data)
{
  LoopEventLoop *loop = data;

  loop_event_loop_call_later (loop, 0.0, spin, loop, NULL);
}

/* Sources come and go while the loop looks whether there are any: none is passed over. */
START_TEST (test_attached_while_looking)
{
  Fixture f;

  set_up (&f);
  loop_event_loop_call_soon (f.loop, spin, f.loop, NULL);
  f.thread = g_thread_new ("attacher", attach_many, &f);
  loop_event_loop_run_forever (f.loop);
  g_thread_join (f.thread);

  run_for (f.loop, 0.1);
  ck_assert_int_eq (f.n, MANY);
  ck_assert (f.loop->neighbours.is_alone);
  g_object_unref (f.loop);
}
END_TEST

#endif

LOOP_TEST_MAIN ("context-alone",
                test_attached_by_callback,
                test_attached_by_thread,
                test_wakeup_taken_by_hand,
                test_source_that_waits_for_a_callback,
                test_descriptor_without_source
#ifndef LOOP_WITH_TSAN
                ,
                test_attached_while_looking
#endif
)
