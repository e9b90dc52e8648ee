/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A window with a clock, and in it a server that tells the time to whoever connects. The
 * application iterates the main context, and so runs the loop; there is no thread.
 *
 *   gcc gtk.c -o gtk $(pkg-config --cflags --libs gtk4 libloop-1)
 */

#include <gtk/gtk.h>
#include <libloop/loop.h>

typedef struct
{
  LoopEventLoop *loop;
  GtkWidget *label;
} Clock;

static char *
tell_time (void)
{
  g_autoptr (GDateTime) now = g_date_time_new_now_local ();

  return g_date_time_format (now, "%T");
}

static void
tick (gpointer user_data)
{
  Clock *self = user_data;
  g_autofree char *time = tell_time ();

  gtk_label_set_text (GTK_LABEL (self->label), time);
  loop_event_loop_call_later (self->loop, 0.1, tick, self, NULL);
}

static void
connection_made (LoopTransport *transport, gpointer user_data)
{
  g_autofree char *time = tell_time ();

  loop_transport_write (transport, (const guint8 *) time, strlen (time));
  loop_transport_write (transport, (const guint8 *) "\n", 1);
  loop_transport_close (transport);
}

static const LoopProtocolVTable teller = { .connection_made = connection_made };

static GObject *
make_teller (gpointer user_data)
{
  return G_OBJECT (loop_protocol_new (&teller, NULL, NULL));
}

static void
print_address (LoopServer *server)
{
  g_autoptr (GPtrArray) sockets = loop_server_get_sockets (server);
  g_autoptr (GSocketAddress) address = g_socket_get_local_address (g_ptr_array_index (sockets, 0), NULL);
  g_autofree char *text = g_socket_connectable_to_string (G_SOCKET_CONNECTABLE (address));

  g_print ("The time is told at %s.\n", text);
}

static void
server_made (LoopFuture *future, gpointer user_data)
{
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  if (loop_future_result (future, &value, &error))
    print_address (g_value_get_object (&value));
  else
    g_printerr ("%s\n", error->message);
  g_object_unref (future);
}

static void
activate (GtkApplication *app, gpointer user_data)
{
  Clock *self = user_data;
  const char *hosts[] = { "127.0.0.1", NULL };
  GtkWidget *window = gtk_application_window_new (app);

  self->label = gtk_label_new (NULL);
  gtk_window_set_default_size (GTK_WINDOW (window), 240, 120);
  gtk_window_set_child (GTK_WINDOW (window), self->label);
  gtk_window_present (GTK_WINDOW (window));
  tick (self);

  loop_future_add_done_callback (loop_event_loop_create_server (self->loop, hosts, 0, NULL, make_teller, NULL, NULL),
                                 server_made, NULL, NULL);
}

int
main (int argc, char **argv)
{
  g_autoptr (GtkApplication) app = gtk_application_new (NULL, G_APPLICATION_DEFAULT_FLAGS);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new_for_context (NULL);
  Clock clock = { .loop = loop };
  int status;

  g_signal_connect (app, "activate", G_CALLBACK (activate), &clock);
  status = g_application_run (G_APPLICATION (app), argc, argv);
  loop_event_loop_close (loop);

  return status;
}
