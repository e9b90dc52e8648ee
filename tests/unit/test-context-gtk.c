/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <stdio.h>

#if defined(HAVE_GTK) && !defined(LOOP_WITH_ASAN) && !defined(LOOP_WITH_TSAN)

#include "display.h"
#include "loop-event-loop-private.h"
#include "loop-steps.h"

#include <gtk/gtk.h>

/*
 * A loop inside a GTK application, whose window draws all the while: once with the application's own
 * iteration of the default context, and once with the loop's.
 */

typedef struct
{
  GtkApplication *app;
  LoopEventLoop *loop;
  GtkWidget *area;
  void (*begin) (gpointer scene);
  gboolean by_loop;

  int n_frames; /* that were drawn */
  int n_idle;
  guint64 n_calls;
  int frames_wanted;
  gboolean is_work_done;
  gboolean is_chain_on;
  GMainLoop *dialog_loop;
} Scene;

static void
quit (Scene *self)
{
  if (self->by_loop)
    loop_event_loop_stop (self->loop);
  else
    g_application_quit (G_APPLICATION (self->app));
}

static void
draw (GtkDrawingArea *area, cairo_t *cr, int width, int height, gpointer data)
{
  Scene *self = data;

  self->n_frames++;
  cairo_set_source_rgb (cr, (self->n_frames % 60) / 60.0, 0.3, 0.3);
  cairo_paint (cr);
}

static gboolean
draw_again (GtkWidget *area, GdkFrameClock *clock, gpointer data)
{
  Scene *self = data;

  gtk_widget_queue_draw (area);
  if (self->is_work_done && self->n_frames >= self->frames_wanted)
    quit (self);

  return G_SOURCE_CONTINUE;
}

static void
activate (GtkApplication *app, gpointer data)
{
  Scene *self = data;
  GtkWidget *window = gtk_application_window_new (app);

  self->area = gtk_drawing_area_new ();
  gtk_drawing_area_set_draw_func (GTK_DRAWING_AREA (self->area), draw, self, NULL);
  gtk_widget_add_tick_callback (self->area, draw_again, self, NULL);
  gtk_window_set_default_size (GTK_WINDOW (window), 100, 100);
  gtk_window_set_child (GTK_WINDOW (window), self->area);
  gtk_window_present (GTK_WINDOW (window));
  self->begin (self);
}

/* Until the work is done and so many frames were drawn. */
static void
run_scene (Scene *self, LoopEventLoop *loop, gboolean by_loop)
{
  g_autoptr (GError) error = NULL;

  self->loop = loop;
  self->by_loop = by_loop;
  self->app = gtk_application_new ("org.libloop.Test", G_APPLICATION_NON_UNIQUE);
  g_signal_connect (self->app, "activate", G_CALLBACK (activate), self);

  if (by_loop)
    {
      ck_assert (g_application_register (G_APPLICATION (self->app), NULL, &error));
      g_application_activate (G_APPLICATION (self->app));
      ck_assert (loop_event_loop_run_forever (loop));
    }
  else
    {
      ck_assert_int_eq (g_application_run (G_APPLICATION (self->app), 0, NULL), 0);
    }

  g_list_free_full (g_list_copy (gtk_application_get_windows (self->app)), (GDestroyNotify) gtk_window_destroy);
  g_object_unref (self->app);
}

/* --- Timers, futures and servers -------------------------------------------------------------- */

typedef struct
{
  Scene scene;
  Tcp *tcp;
  TcpPeer *client;
  int n_ticks;
  gsize n_bytes;
} Work;

#define N_TICKS 50
#define MANY_BYTES (4 * 1024 * 1024)

static void
check_done (Work *self)
{
  self->scene.is_work_done = self->n_ticks == N_TICKS && self->client != NULL && self->client->n_bytes == self->n_bytes;
}

static void
tick (gpointer data)
{
  Work *self = data;

  ck_assert_ptr_eq (loop_event_loop_get_running (), self->scene.loop);
  if (++self->n_ticks < N_TICKS)
    loop_event_loop_call_later (self->scene.loop, 0.0023, tick, self, NULL);
  check_done (self);
}

static void
received (TcpPeer *peer, const guint8 *data, gsize length)
{
  check_done (peer->user_data);
}

static void
connected (LoopFuture *future, gpointer data)
{
  Work *self = data;
  g_autofree guint8 *bytes = g_malloc0 (MANY_BYTES);
  g_autoptr (GError) error = NULL;

  ck_assert_msg (loop_future_result (future, NULL, &error), "%s", error != NULL ? error->message : "");
  self->n_bytes = MANY_BYTES;
  loop_transport_write (self->client->transport, bytes, MANY_BYTES);
  g_object_unref (future);
}

static void
served (LoopFuture *future, gpointer data)
{
  Work *self = data;
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  ck_assert_msg (loop_future_result (future, &value, &error), "%s", error != NULL ? error->message : "");
  self->tcp->server = g_value_dup_object (&value);
  g_object_unref (future);
  self->tcp->port = tcp_server_port (self->tcp->server, 0);
  self->client = tcp_add_client (self->tcp);
  self->client->is_discarding = TRUE;
  self->client->data = received;
  self->client->user_data = self;
  loop_future_add_done_callback (loop_event_loop_create_connection (self->scene.loop, "127.0.0.1", self->tcp->port,
                                                                    NULL, tcp_peer_factory, self->client, NULL),
                                 connected, self, NULL);
}

static void
be_echo (TcpPeer *peer, gpointer data)
{
  peer->is_echo = peer->is_discarding = TRUE;
}

static void
begin_work (gpointer data)
{
  Work *self = data;
  const char *hosts[] = { "127.0.0.1", NULL };

  loop_event_loop_call_soon (self->scene.loop, tick, self, NULL);
  loop_future_add_done_callback (
      loop_event_loop_create_server (self->scene.loop, hosts, 0, NULL, tcp_accept_factory, self->tcp, NULL), served,
      self, NULL);
}

static void
check_work (gboolean by_loop)
{
  Work self = { .scene = { .begin = begin_work, .frames_wanted = 10 } };
  g_auto (Tcp) tcp = { NULL };

  /* GTK keeps the descriptors that it opens. */
  gtk_init ();
  tcp = tcp_new_for_context (g_main_context_default ());
  tcp.set_up = be_echo;
  self.tcp = &tcp;
  run_scene (&self.scene, tcp.loop, by_loop);
  ck_assert_int_eq (self.n_ticks, N_TICKS);
  ck_assert_uint_eq (self.client->n_bytes, MANY_BYTES);
  ck_assert_int_ge (self.scene.n_frames, 10);
}

START_TEST (test_work) { check_work (FALSE); }
END_TEST

START_TEST (test_work_run_forever) { check_work (TRUE); }
END_TEST

/* --- Fairness --------------------------------------------------------------------------------- */

#define SECONDS 0.5
#define TRIES 5

static void
chain (gpointer data)
{
  Scene *self = data;

  self->n_calls++;
  if (!self->is_work_done)
    loop_event_loop_call_soon (self->loop, chain, self, NULL);
}

static gboolean
idle (gpointer data)
{
  Scene *self = data;

  self->n_idle++;
  /* It leaves the processor to others, as idle work does that waits for something. */
  g_usleep (500);

  return self->is_work_done ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

static void
end_of_measurement (gpointer data)
{
  ((Scene *) data)->is_work_done = TRUE;
}

/* Once the window is there. */
static void
measure (gpointer data)
{
  Scene *self = data;

  self->n_frames = 0;
  loop_event_loop_call_later (self->loop, SECONDS, end_of_measurement, self, NULL);
  g_idle_add_full (G_PRIORITY_LOW, idle, self, NULL);
  if (self->is_chain_on)
    loop_event_loop_call_soon (self->loop, chain, self, NULL);
}

static void
begin_measurement (gpointer data)
{
  Scene *self = data;

  loop_event_loop_call_later (self->loop, 0.2, measure, self, NULL);
}

static int
count_frames (gboolean is_chain_on, gboolean by_loop)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (NULL);
  Scene self = { .begin = begin_measurement, .is_chain_on = is_chain_on };

  run_scene (&self, loop, by_loop);
  ck_assert_int_gt (self.n_idle, 5);
  if (is_chain_on)
    ck_assert_uint_gt (self.n_calls, 10000);

  return self.n_frames;
}

/* As many frames as with nothing to do, or nearly: fifty of sixty. Others may take the processor from one or the other. */
static void
check_fairness (gboolean by_loop)
{
  int with = 0;
  int without = 1;

  for (int i = 0; i < TRIES && with * 60 < without * 50; i++)
    {
      without = count_frames (FALSE, by_loop);
      with = count_frames (TRUE, by_loop);
    }
  ck_assert_int_gt (without, 0);
  ck_assert_msg (with * 60 >= without * 50, "%d frames where there should be %d", with, without);
}

START_TEST (test_fairness) { check_fairness (FALSE); }
END_TEST

START_TEST (test_fairness_run_forever) { check_fairness (TRUE); }
END_TEST

/* --- A modal dialog, run by a callback of the loop -------------------------------------------- */

static void
close_dialog (gpointer data)
{
  Scene *self = data;

  note_step ('q');
  g_main_loop_quit (self->dialog_loop);
}

static void
show_dialog (gpointer data)
{
  Scene *self = data;
  GtkWidget *dialog = gtk_window_new ();
  int n_before = self->n_frames;

  self->dialog_loop = g_main_loop_new (NULL, FALSE);
  gtk_window_set_modal (GTK_WINDOW (dialog), TRUE);
  gtk_window_set_transient_for (GTK_WINDOW (dialog), GTK_WINDOW (gtk_widget_get_root (self->area)));
  gtk_window_present (GTK_WINDOW (dialog));

  loop_event_loop_call_soon (self->loop, step_run, step_new ('a'), step_destroy);
  loop_event_loop_call_later (self->loop, 0.3, close_dialog, self, NULL);
  g_main_loop_run (self->dialog_loop);
  ck_assert_int_gt (self->n_frames, n_before);

  gtk_window_destroy (GTK_WINDOW (dialog));
  g_main_loop_unref (self->dialog_loop);
  note_step ('d');
  self->is_work_done = TRUE;
}

static void
begin_dialog (gpointer data)
{
  Scene *self = data;

  loop_event_loop_call_later (self->loop, 0.05, show_dialog, self, NULL);
}

static void
check_dialog (gboolean by_loop)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (NULL);
  Scene self = { .begin = begin_dialog, .frames_wanted = 5 };

  run_scene (&self, loop, by_loop);
  check_steps ("aAqd");
}

START_TEST (test_dialog) { check_dialog (FALSE); }
END_TEST

START_TEST (test_dialog_run_forever) { check_dialog (TRUE); }
END_TEST

int
main (void)
{
  const TTest *tests[] = { test_work,   test_work_run_forever,  test_fairness, test_fairness_run_forever,
                           test_dialog, test_dialog_run_forever };
  g_autoptr (GError) error = NULL;
  int status;

  if (!display_start (&error))
    {
      printf ("1..0 # SKIP there is no display: %s\n", error->message);
      return 0;
    }

  status = loop_check_main ("context-gtk", 60, tests, G_N_ELEMENTS (tests));
  display_stop ();

  return status;
}

#else

int
main (void)
{
#ifdef HAVE_GTK
  puts ("1..0 # SKIP GTK is not built with sanitizers");
#else
  puts ("1..0 # SKIP GTK 4 is missing");
#endif

  return 0;
}

#endif
