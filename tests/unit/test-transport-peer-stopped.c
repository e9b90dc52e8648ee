/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A peer in a process that is stopped in the middle of a transfer, and goes on later. */

#define CHUNK (64 * 1024)
#define SIZE (64 * 1024 * 1024)

static guint8
byte_at (gsize offset)
{
  return (guint8) (offset * 31 + offset / 251);
}

/* In the child: all that comes is what was sent. */
static void G_GNUC_NORETURN
read_all (int fd)
{
  static guint8 data[CHUNK];
  gsize n_bytes = 0;
  gssize n;

  /* The other end among them. */
  close_range (STDERR_FILENO + 1, (guint) fd - 1, 0);
  close_range ((guint) fd + 1, ~0U, 0);

  while ((n = recv (fd, data, sizeof data, 0)) > 0 || (n < 0 && errno == EINTR))
    {
      for (gssize i = 0; i < n; i++, n_bytes++)
        {
          if (data[i] != byte_at (n_bytes))
            _exit (2);
        }
    }
  _exit (n == 0 && n_bytes == SIZE ? 0 : 3);
}

static gsize n_written;

static void
write_up_to (TcpPeer *self, gsize size)
{
  while (self->n_paused == self->n_resumed && n_written < size)
    {
      guint8 data[CHUNK];

      for (gsize i = 0; i < sizeof data; i++)
        data[i] = byte_at (n_written + i);
      n_written += sizeof data;
      loop_transport_write (self->transport, data, sizeof data);
    }
}

/* As much as there is room for. */
static void
write_rest (TcpPeer *self)
{
  write_up_to (self, SIZE);
  if (n_written == SIZE)
    loop_transport_close (self->transport);
}

static gint64
get_rss (void)
{
  g_autofree char *text = NULL;
  long long size, resident;

  ck_assert (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL));
  ck_assert_int_eq (sscanf (text, "%lld %lld", &size, &resident), 2);

  return resident * sysconf (_SC_PAGESIZE);
}

START_TEST (test_stopped)
{
  g_auto (Tcp) tcp = tcp_new ();
  gsize n_before;
  int status;
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);
  pid_t child = fork ();

  ck_assert_int_ge (child, 0);
  if (child == 0)
    read_all (fd);
  tcp_raw_close (&tcp, fd);

  write_up_to (peer, SIZE / 64);
  tcp_run_until (tcp.loop, loop_transport_get_write_buffer_size (peer->transport) == 0);
  ck_assert_int_eq (kill (child, SIGSTOP), 0);
  ck_assert_int_eq (waitpid (child, &status, WUNTRACED), child);
  ck_assert (WIFSTOPPED (status));
  peer->resumed = write_rest;
  write_rest (peer);

  /* Once the buffers of the kernel are full nothing moves: not the data, not the memory, and not the loop. */
  do
    {
      n_before = n_written;
      tcp_run_for (tcp.loop, 0.5);
    }
  while (n_written != n_before);
  ck_assert_uint_eq (peer->n_paused, peer->n_resumed + 1);

  {
    g_autoptr (LoopMetrics) before = loop_event_loop_get_metrics (tcp.loop);
    g_autoptr (LoopMetrics) after = NULL;
    gint64 rss = get_rss ();
    gsize low, high;

    tcp_run_for (tcp.loop, 0.3);
    after = loop_event_loop_get_metrics (tcp.loop);
    ck_assert_uint_lt (loop_metrics_get_iterations (after) - loop_metrics_get_iterations (before), 10);
    ck_assert_int_lt (get_rss () - rss, 256 * 1024);
    loop_transport_get_write_buffer_limits (peer->transport, &low, &high);
    ck_assert_uint_le (loop_transport_get_write_buffer_size (peer->transport), high + CHUNK);
    ck_assert_uint_eq (n_written, n_before);
    ck_assert_uint_lt (n_written, SIZE);
  }

  ck_assert_int_eq (kill (child, SIGCONT), 0);
  tcp_run_until (tcp.loop, peer->n_lost == 1);
  ck_assert_ptr_null (peer->error);
  ck_assert_int_eq (waitpid (child, &status, 0), child);
  ck_assert (WIFEXITED (status));
  ck_assert_int_eq (WEXITSTATUS (status), 0);
}
END_TEST

LOOP_TEST_MAIN_TIMEOUT ("transport-peer-stopped", 60, test_stopped)
