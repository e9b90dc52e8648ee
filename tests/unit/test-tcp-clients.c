/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <stdlib.h>
#include <string.h>

/* Clients that others have written: curl against something like an HTTP server, nc against an echo. */

#define BODY_SIZE (1024 * 1024)

typedef struct
{
  LoopEventLoop *loop;
  char *command;
  char *output;
  int status;
} Client;

static void
stop_loop (gpointer loop)
{
  loop_event_loop_stop (loop);
}

static gpointer
run_client (gpointer data)
{
  Client *self = data;
  const char *argv[] = { "/bin/sh", "-c", self->command, NULL };
  g_autoptr (GError) error = NULL;

  if (!g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &self->output, NULL, &self->status,
                     &error))
    g_printerr ("%s\n", error->message);
  loop_event_loop_call_soon_threadsafe (self->loop, stop_loop, self->loop, NULL, NULL, NULL);

  return NULL;
}

/* Runs a command of the shell in a thread, and the loop meanwhile. "@" stands for the server's address. */
static char *
run_command (Tcp *tcp, const char *command)
{
  g_autofree char *address = g_strdup_printf ("127.0.0.1:%u", tcp->port);
  g_auto (GStrv) parts = g_strsplit (command, "@", -1);
  Client client = { .loop = tcp->loop, .command = g_strjoinv (address, parts), .status = -1 };
  GThread *thread = g_thread_new ("client", run_client, &client);

  ck_assert (loop_event_loop_run_forever (tcp->loop));
  g_thread_join (thread);
  ck_assert_msg (client.status == 0, "%s: status %d", client.command, client.status);
  g_free (client.command);

  return client.output;
}

static gboolean
has_program (const char *name)
{
  g_autofree char *path = g_find_program_in_path (name);

  return path != NULL;
}

static void
serve (Tcp *tcp)
{
  static const char *const hosts[] = { "127.0.0.1", NULL };

  tcp->server = tcp_serve (tcp, hosts, 0, NULL);
  tcp->port = tcp_server_port (tcp->server, 0);
}

/* --- HTTP, as far as it goes ---------------------------------------------------------------------- */

static void
respond (TcpPeer *self, const char *path, gsize n_uploaded)
{
  g_autoptr (GBytes) body = tcp_random_bytes (BODY_SIZE);
  g_autofree char *text = NULL;

  if (g_str_equal (path, "/large"))
    {
      /* Its end is that of the connection. */
      loop_transport_write (self->transport, (const guint8 *) "HTTP/1.0 200 OK\r\n\r\n", 19);
      loop_transport_write_bytes (self->transport, body);
      loop_transport_close (self->transport);
      return;
    }

  if (g_str_equal (path, "/upload"))
    text = g_strdup_printf ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n%010zu", n_uploaded);
  else
    text = g_strdup_printf ("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen (path), path);
  loop_transport_write (self->transport, (const guint8 *) text, strlen (text));
}

static void
answer_requests (TcpPeer *self, const guint8 *data, gsize length)
{
  while (!loop_transport_is_closing (self->transport))
    {
      g_autofree char *text = g_strndup ((const char *) self->received->data, self->received->len);
      const char *end = strstr (text, "\r\n\r\n");
      const char *field = strstr (text, "Content-Length: ");
      gsize n_body = field != NULL && field < end ? g_ascii_strtoull (field + 16, NULL, 10) : 0;
      gsize n_head = end != NULL ? (gsize) (end + 4 - text) : 0;
      g_auto (GStrv) words = NULL;

      if (end == NULL || self->received->len < n_head + n_body)
        break;

      words = g_strsplit (text, " ", 3);
      self->tag++;
      respond (self, words[1], n_body);
      g_byte_array_remove_range (self->received, 0, (guint) (n_head + n_body));
    }
}

static void
set_http (TcpPeer *peer, gpointer user_data)
{
  peer->data = answer_requests;
}

START_TEST (test_curl)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autofree char *output = NULL;

  tcp_skip_unless (has_program ("curl"), "there is no curl");
  tcp.set_up = set_http;
  serve (&tcp);
  output = run_command (&tcp, "curl -sS --noproxy '*' -m 15 http://@/hello");
  ck_assert_str_eq (output, "/hello");
}
END_TEST

/* Several requests through one connection. */
START_TEST (test_curl_keep_alive)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autofree char *output = NULL;

  tcp_skip_unless (has_program ("curl"), "there is no curl");
  tcp.set_up = set_http;
  serve (&tcp);
  output = run_command (&tcp, "curl -sS --noproxy '*' -m 15 http://@/one http://@/two http://@/three");
  ck_assert_str_eq (output, "/one/two/three");
  ck_assert_uint_eq (tcp.accepted->len, 1);
  ck_assert_int_eq (tcp_last_accepted (&tcp)->tag, 3);
}
END_TEST

START_TEST (test_curl_download)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) body = tcp_random_bytes (BODY_SIZE);
  g_autofree char *wanted = tcp_checksum (body);
  g_autofree char *output = NULL;

  tcp_skip_unless (has_program ("curl"), "there is no curl");
  tcp.set_up = set_http;
  serve (&tcp);
  output = run_command (&tcp, "curl -sS --noproxy '*' -m 15 http://@/large | sha256sum");
  ck_assert (g_str_has_prefix (output, wanted));
}
END_TEST

START_TEST (test_curl_upload)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autofree char *output = NULL;

  tcp_skip_unless (has_program ("curl"), "there is no curl");
  tcp.set_up = set_http;
  serve (&tcp);
  output = run_command (&tcp, "head -c 1000000 /dev/zero | tr '\\0' x | "
                              "curl -sS --noproxy '*' -m 15 -H Expect: -X POST -T - -H 'Transfer-Encoding:' "
                              "-H 'Content-Length: 1000000' http://@/upload");
  ck_assert_str_eq (output, "0001000000");
}
END_TEST

START_TEST (test_curl_in_parallel)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autofree char *output = NULL;

  tcp_skip_unless (has_program ("curl"), "there is no curl");
  tcp.set_up = set_http;
  serve (&tcp);
  output = run_command (&tcp, "for i in 1 2 3 4 5 6 7 8; do curl -sS --noproxy '*' -m 15 http://@/$i & done; wait");
  ck_assert_uint_eq (strlen (output), 16);
  for (char digit = '1'; digit <= '8'; digit++)
    ck_assert_ptr_nonnull (strchr (output, digit));
  ck_assert_uint_eq (tcp.accepted->len, 8);
}
END_TEST

static void
set_echo (TcpPeer *peer, gpointer user_data)
{
  peer->is_echo = TRUE;
}

/* nc closes its writing end, and waits for the rest. */
START_TEST (test_nc)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autofree char *command = NULL;
  g_autofree char *output = NULL;

  tcp_skip_unless (system ("nc -h 2>&1 | grep -q -e '-N '") == 0, "there is no nc that has -N");
  tcp.set_up = set_echo;
  serve (&tcp);
  command = g_strdup_printf ("head -c 3000000 /dev/zero | nc -N -w 10 127.0.0.1 %u | wc -c", tcp.port);
  output = run_command (&tcp, command);
  ck_assert_int_eq (atoi (output), 3000000);
  tcp_run_until (tcp.loop, tcp_last_accepted (&tcp)->n_lost == 1);
  ck_assert_str_eq (tcp_last_accepted (&tcp)->events->str, "made data eof lost");
}
END_TEST

LOOP_TEST_MAIN ("tcp-clients",
                test_curl,
                test_curl_keep_alive,
                test_curl_download,
                test_curl_upload,
                test_curl_in_parallel,
                test_nc)
