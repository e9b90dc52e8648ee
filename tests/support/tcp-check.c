/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "tcp-check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* --- Peers -------------------------------------------------------------------------------------- */

static void
peer_clear (gpointer data)
{
  TcpPeer *self = data;

  g_clear_object (&self->transport);
  g_clear_error (&self->error);
  g_string_free (self->events, TRUE);
  g_byte_array_unref (self->received);
}

void
tcp_peer_unref (gpointer data)
{
  g_rc_box_release_full (data, peer_clear);
}

static void
peer_log (TcpPeer *self, const char *event)
{
  g_string_append_printf (self->events, "%s%s", self->events->len > 0 ? " " : "", event);
}

/* A test may have dropped the reference. */
static void
check_transport (TcpPeer *self, LoopTransport *transport)
{
  ck_assert (LOOP_IS_TRANSPORT (transport));
  if (self->transport != NULL)
    ck_assert_ptr_eq (transport, self->transport);
}

static void
peer_connection_made (LoopTransport *transport, gpointer user_data)
{
  TcpPeer *self = user_data;

  ck_assert_uint_eq (self->n_made, 0);
  ck_assert_uint_eq (self->n_lost, 0);

  self->n_made++;
  self->transport = g_object_ref (transport);
  peer_log (self, "made");
  if (self->made != NULL)
    self->made (self);
}

static void
peer_data_received (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data)
{
  TcpPeer *self = user_data;

  ck_assert_uint_eq (self->n_made, 1);
  ck_assert_uint_eq (self->n_eof, 0);
  ck_assert_uint_eq (self->n_lost, 0);
  ck_assert_uint_gt (length, 0);
  check_transport (self, transport);
  ck_assert_msg (loop_transport_is_reading (transport), "data came while the transport was not reading");

  self->n_data++;
  self->n_bytes += length;
  if (!self->is_discarding)
    g_byte_array_append (self->received, data, (guint) length);
  if (!g_str_has_suffix (self->events->str, "data"))
    peer_log (self, "data");
  if (self->is_echo)
    loop_transport_write (transport, data, length);
  if (self->data != NULL)
    self->data (self, data, length);
}

static gboolean
peer_eof_received (LoopTransport *transport, gpointer user_data)
{
  TcpPeer *self = user_data;

  ck_assert_uint_eq (self->n_made, 1);
  ck_assert_uint_eq (self->n_eof, 0);
  ck_assert_uint_eq (self->n_lost, 0);
  check_transport (self, transport);

  self->n_eof++;
  peer_log (self, "eof");
  if (self->eof != NULL)
    self->eof (self);

  return self->keep_open;
}

static void
peer_connection_lost (LoopTransport *transport, const GError *exception, gpointer user_data)
{
  TcpPeer *self = user_data;

  ck_assert_uint_eq (self->n_made, 1);
  ck_assert_uint_eq (self->n_lost, 0);
  check_transport (self, transport);
  ck_assert (loop_transport_is_closing (transport));

  self->n_lost++;
  self->error = exception != NULL ? g_error_copy (exception) : NULL;
  peer_log (self, "lost");
  if (self->lost != NULL)
    self->lost (self);
}

static void
peer_pause_writing (LoopTransport *transport, gpointer user_data)
{
  TcpPeer *self = user_data;

  ck_assert_uint_eq (self->n_made, 1);
  ck_assert_uint_eq (self->n_lost, 0);
  ck_assert_uint_eq (self->n_paused, self->n_resumed);
  self->n_paused++;
  if (self->paused != NULL)
    self->paused (self);
}

static void
peer_resume_writing (LoopTransport *transport, gpointer user_data)
{
  TcpPeer *self = user_data;

  ck_assert_uint_eq (self->n_lost, 0);
  ck_assert_uint_eq (self->n_paused, self->n_resumed + 1);
  self->n_resumed++;
  if (self->resumed != NULL)
    self->resumed (self);
}

static const LoopProtocolVTable peer_vtable = {
  .connection_made = peer_connection_made,
  .connection_lost = peer_connection_lost,
  .pause_writing = peer_pause_writing,
  .resume_writing = peer_resume_writing,
  .data_received = peer_data_received,
  .eof_received = peer_eof_received,
};

static TcpPeer *
peer_new (void)
{
  TcpPeer *self = g_rc_box_new0 (TcpPeer);

  self->events = g_string_new (NULL);
  self->received = g_byte_array_new ();

  return self;
}

/* Each peer has one protocol, which keeps it alive. */
static LoopProtocol *
peer_take_protocol (TcpPeer *self)
{
  ck_assert_ptr_null (self->protocol);
  self->protocol = loop_protocol_new (&peer_vtable, g_rc_box_acquire (self), tcp_peer_unref);
  g_object_add_weak_pointer (G_OBJECT (self->protocol), (gpointer *) &self->protocol);

  return self->protocol;
}

TcpPeer *
tcp_peer_at (GPtrArray *peers, guint i)
{
  ck_assert_uint_lt (i, peers->len);

  return g_ptr_array_index (peers, i);
}

/* --- The loop and its server -------------------------------------------------------------------- */

static void
keep_report (LoopEventLoop *loop, LoopExceptionContext *context, gpointer user_data)
{
  g_ptr_array_add (user_data, loop_exception_context_ref (context));
}

static Tcp
make (GMainContext *context)
{
  Tcp self = { 0 };

  /* GLib makes it sooner or later, and keeps it. */
  g_main_context_default ();
  self.n_fds = tcp_count_fds ();

  self.loop = context != NULL ? loop_event_loop_new_for_context (context) : loop_event_loop_new ();
  self.accepted = g_ptr_array_new_with_free_func (tcp_peer_unref);
  self.clients = g_ptr_array_new_with_free_func (tcp_peer_unref);
  self.reports = g_ptr_array_new_with_free_func ((GDestroyNotify) loop_exception_context_unref);
  self.raw = g_array_new (FALSE, FALSE, sizeof (int));
  loop_event_loop_set_exception_handler (self.loop, keep_report, g_ptr_array_ref (self.reports),
                                         (GDestroyNotify) g_ptr_array_unref);

  return self;
}

Tcp
tcp_new (void)
{
  return make (NULL);
}

Tcp
tcp_new_for_context (GMainContext *context)
{
  return make (context);
}

GObject *
tcp_accept_factory (gpointer tcp)
{
  Tcp *self = tcp;
  TcpPeer *peer = peer_new ();

  g_ptr_array_add (self->accepted, peer);
  if (self->set_up != NULL)
    self->set_up (peer, self->user_data);

  return G_OBJECT (peer_take_protocol (peer));
}

/* Hands out the protocol of @peer, which is one of tcp_add_client(). */
GObject *
tcp_peer_factory (gpointer peer)
{
  return G_OBJECT (peer_take_protocol (peer));
}

GObject *
tcp_make_no_protocol (gpointer unused)
{
  return NULL;
}

/* Hands out the protocol of the peer that tcp_add_client() made. */
GObject *
tcp_client_factory (gpointer tcp)
{
  Tcp *self = tcp;

  return G_OBJECT (peer_take_protocol (tcp_peer_at (self->clients, self->clients->len - 1)));
}

LoopServer *
tcp_take_server (Tcp *self, LoopFuture *future)
{
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  ck_assert_msg (loop_event_loop_run_until_complete (self->loop, future, &value, &error), "%s",
                 error != NULL ? error->message : "");
  ck_assert (G_VALUE_HOLDS (&value, LOOP_TYPE_SERVER));

  return g_value_dup_object (&value);
}

LoopTransport *
tcp_take_transport (Tcp *self, LoopFuture *future)
{
  g_auto (GValue) value = G_VALUE_INIT;
  g_autoptr (GError) error = NULL;

  ck_assert_msg (loop_event_loop_run_until_complete (self->loop, future, &value, &error), "%s",
                 error != NULL ? error->message : "");
  ck_assert (G_VALUE_HOLDS (&value, LOOP_TYPE_TRANSPORT));

  return g_value_dup_object (&value);
}

GError *
tcp_take_error (Tcp *self, LoopFuture *future)
{
  GError *error = NULL;

  ck_assert (!loop_event_loop_run_until_complete (self->loop, future, NULL, &error));
  ck_assert_ptr_nonnull (error);

  return error;
}

LoopExceptionContext *
tcp_take_report (Tcp *self)
{
  ck_assert_msg (self->reports->len > 0, "nothing was reported to the exception handler");

  return g_ptr_array_steal_index (self->reports, 0);
}

LoopServer *
tcp_serve (Tcp *self, const char *const *hosts, guint16 port, LoopServerOptions *options)
{
  g_autoptr (LoopFuture) future =
      loop_event_loop_create_server (self->loop, hosts, port, options, tcp_accept_factory, self, NULL);

  return tcp_take_server (self, future);
}

static void
ensure_server (Tcp *self)
{
  static const char *const hosts[] = { "127.0.0.1", NULL };

  if (self->server != NULL)
    return;

  self->server = tcp_serve (self, hosts, 0, NULL);
  self->port = tcp_server_port (self->server, 0);
}

/* Makes the peer for a connection that the test makes by itself, with one of the factories. */
TcpPeer *
tcp_add_client (Tcp *self)
{
  TcpPeer *peer = peer_new ();

  g_ptr_array_add (self->clients, peer);

  return peer;
}

TcpPeer *
tcp_last_accepted (Tcp *self)
{
  ck_assert_uint_gt (self->accepted->len, 0);

  return g_ptr_array_index (self->accepted, self->accepted->len - 1);
}

/* Connects to the server, and runs the loop until both sides are made. */
TcpPeer *
tcp_connect (Tcp *self)
{
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopTransport) transport = NULL;
  TcpPeer *peer;
  guint n_accepted;

  ensure_server (self);
  n_accepted = self->accepted->len;
  peer = tcp_add_client (self);
  future =
      loop_event_loop_create_connection (self->loop, "127.0.0.1", self->port, NULL, tcp_client_factory, self, NULL);
  transport = tcp_take_transport (self, future);
  ck_assert_ptr_eq (peer->transport, transport);
  tcp_run_until (self->loop, self->accepted->len > n_accepted && tcp_last_accepted (self)->n_made > 0);

  return peer;
}

void
tcp_close_loop (Tcp *self)
{
  ck_assert (loop_event_loop_close (self->loop));
}

static char *
describe_fds (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  GString *text = g_string_new (NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/fd", name, NULL);
      g_autofree char *target = g_file_read_link (path, NULL);

      g_string_append_printf (text, " %s=%s", name, target);
    }

  return g_string_free (text, FALSE);
}

/* A thread that looks up a name lets go of the loop's descriptor when it is done. */
void
tcp_assert_fds (guint n)
{
  for (int i = 0; tcp_count_fds () > n && i < 1000; i++)
    g_usleep (1000);
  if (tcp_count_fds () > n)
    {
      g_autofree char *fds = describe_fds ();

      ck_abort_msg ("%u descriptors were open before, and now:%s", n, fds);
    }
}

/* Once the loop is closed, nothing holds the protocols any more. */
static void
check_finalized (gpointer peer, gpointer user_data)
{
  ck_assert_msg (((TcpPeer *) peer)->protocol == NULL, "a protocol was not finalized");
}

void
tcp_clear (Tcp *self)
{
  gpointer weak = self->loop;

  tcp_close_loop (self);
  for (guint i = 0; i < self->raw->len; i++)
    close (g_array_index (self->raw, int, i));

  g_clear_object (&self->server);
  g_ptr_array_foreach (self->accepted, check_finalized, NULL);
  g_ptr_array_foreach (self->clients, check_finalized, NULL);
  g_clear_pointer (&self->accepted, g_ptr_array_unref);
  g_clear_pointer (&self->clients, g_ptr_array_unref);
  g_clear_pointer (&self->raw, g_array_unref);

  if (self->reports->len > 0)
    {
      LoopExceptionContext *context = g_ptr_array_index (self->reports, 0);
      const GError *error = loop_exception_context_get_exception (context);

      ck_abort_msg ("unexpected report: %s: %s", loop_exception_context_get_message (context),
                    error != NULL ? error->message : "");
    }

  g_object_add_weak_pointer (G_OBJECT (self->loop), &weak);
  g_clear_object (&self->loop);
  g_clear_pointer (&self->reports, g_ptr_array_unref);
  ck_assert_msg (weak == NULL, "the loop was not finalized: something still has a reference");

  tcp_assert_fds (self->n_fds);
}

/* --- Addresses ---------------------------------------------------------------------------------- */

static GInetSocketAddress *
get_server_address (LoopServer *server, guint i)
{
  g_autoptr (GPtrArray) sockets = loop_server_get_sockets (server);
  g_autoptr (GError) error = NULL;
  GSocketAddress *address;

  ck_assert_ptr_nonnull (sockets);
  ck_assert_uint_lt (i, sockets->len);
  address = g_socket_get_local_address (g_ptr_array_index (sockets, i), &error);
  ck_assert_ptr_nonnull (address);

  return G_INET_SOCKET_ADDRESS (address);
}

guint16
tcp_server_port (LoopServer *server, guint i)
{
  g_autoptr (GInetSocketAddress) address = get_server_address (server, i);

  return g_inet_socket_address_get_port (address);
}

/* The address of one of the server's sockets, without the port. */
char *
tcp_server_address (LoopServer *server, guint i)
{
  g_autoptr (GInetSocketAddress) address = get_server_address (server, i);

  return g_inet_address_to_string (g_inet_socket_address_get_address (address));
}

/* A port on which nobody listens, now. */
guint16
tcp_unused_port (void)
{
  struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t length = sizeof address;
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  ck_assert_int_eq (bind (fd, (struct sockaddr *) &address, length), 0);
  ck_assert_int_eq (getsockname (fd, (struct sockaddr *) &address, &length), 0);
  close (fd);

  return ntohs (address.sin_port);
}

gboolean
tcp_has_ipv6 (void)
{
  struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
  int fd = socket (AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  gboolean has_ipv6 = fd >= 0 && bind (fd, (struct sockaddr *) &address, sizeof address) == 0;

  if (fd >= 0)
    close (fd);

  return has_ipv6;
}

/* --- Plain sockets ------------------------------------------------------------------------------ */

int
tcp_raw_socket (Tcp *self, int family)
{
  struct timeval timeout = { .tv_sec = 15 };
  int fd = socket (family, SOCK_STREAM | SOCK_CLOEXEC, 0);

  ck_assert_int_ge (fd, 0);
  setsockopt (fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt (fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  g_array_append_val (self->raw, fd);

  return fd;
}

int
tcp_raw_connect (Tcp *self, guint16 port)
{
  struct sockaddr_in address = {
    .sin_family = AF_INET,
    .sin_addr.s_addr = htonl (INADDR_LOOPBACK),
    .sin_port = htons (port),
  };
  int fd = tcp_raw_socket (self, AF_INET);

  ck_assert_int_eq (connect (fd, (struct sockaddr *) &address, sizeof address), 0);

  return fd;
}

typedef union
{
  struct sockaddr any;
  struct sockaddr_in in;
  struct sockaddr_in6 in6;
} RawAddress;

static socklen_t
fill_address (RawAddress *self, const char *address, guint16 port)
{
  gboolean is_ipv6 = strchr (address, ':') != NULL;

  *self = (RawAddress) { 0 };
  self->any.sa_family = is_ipv6 ? AF_INET6 : AF_INET;
  ck_assert_int_eq (
      inet_pton (self->any.sa_family, address, is_ipv6 ? (void *) &self->in6.sin6_addr : (void *) &self->in.sin_addr),
      1);
  *(is_ipv6 ? &self->in6.sin6_port : &self->in.sin_port) = htons (port);

  return is_ipv6 ? sizeof self->in6 : sizeof self->in;
}

/* Listens on @address, on @port or, when that is 0, on one that is then stored there. */
int
tcp_raw_listen (Tcp *self, const char *address, int backlog, guint16 *port)
{
  RawAddress bound;
  socklen_t length = fill_address (&bound, address, *port);
  int fd = tcp_raw_socket (self, bound.any.sa_family);

  ck_assert_int_eq (bind (fd, &bound.any, length), 0);
  ck_assert_int_eq (listen (fd, backlog), 0);
  ck_assert_int_eq (getsockname (fd, &bound.any, &length), 0);
  *port = ntohs (bound.any.sa_family == AF_INET6 ? bound.in6.sin6_port : bound.in.sin_port);

  return fd;
}

/* The same, but connections are neither made nor refused for now: the queue is full. */
int
tcp_raw_listen_full (Tcp *self, const char *address, guint16 *port)
{
  int listener = tcp_raw_listen (self, address, 0, port);
  RawAddress bound;
  socklen_t length = fill_address (&bound, address, *port);

  for (guint i = 0; i < 4; i++)
    {
      int fd = socket (bound.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

      g_array_append_val (self->raw, fd);
      connect (fd, &bound.any, length);
    }
  g_usleep (5000);

  return listener;
}

/* Returns: the next connection that waits to be accepted, or -1 */
int
tcp_raw_accept (Tcp *self, int listener)
{
  struct pollfd pollfd = { .fd = listener, .events = POLLIN };
  int fd;

  if (poll (&pollfd, 1, 0) == 0)
    return -1;

  fd = accept4 (listener, NULL, NULL, SOCK_CLOEXEC);
  ck_assert_int_ge (fd, 0);
  g_array_append_val (self->raw, fd);

  return fd;
}

/* A connection between a plain socket and the server. */
TcpPeer *
tcp_raw_pair (Tcp *self, int *fd)
{
  guint n_accepted = self->accepted->len;

  ensure_server (self);
  *fd = tcp_raw_connect (self, self->port);
  tcp_run_until (self->loop, self->accepted->len > n_accepted && tcp_last_accepted (self)->n_made > 0);

  return tcp_last_accepted (self);
}

void
tcp_raw_send (int fd, const char *text)
{
  ck_assert_int_eq (send (fd, text, strlen (text), MSG_NOSIGNAL), (gssize) strlen (text));
}

/* Reads @length bytes, or fewer if the end comes before. */
char *
tcp_raw_receive (int fd, gsize length)
{
  char *text = g_malloc0 (length + 1);
  gssize n = recv (fd, text, length, MSG_WAITALL);

  ck_assert_msg (n >= 0, "recv: %s", g_strerror (errno));

  return text;
}

gboolean
tcp_raw_is_eof (int fd)
{
  char byte;

  return recv (fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
}

static void
forget_raw (Tcp *self, int fd)
{
  for (guint i = 0; i < self->raw->len; i++)
    {
      if (g_array_index (self->raw, int, i) == fd)
        {
          g_array_remove_index_fast (self->raw, i);
          return;
        }
    }
  ck_abort_msg ("descriptor %d is not there", fd);
}

void
tcp_raw_close (Tcp *self, int fd)
{
  forget_raw (self, fd);
  close (fd);
}

/* Closes with a RST in the place of a FIN. */
void
tcp_raw_reset (Tcp *self, int fd)
{
  struct linger linger = { .l_onoff = 1, .l_linger = 0 };

  ck_assert_int_eq (setsockopt (fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
  tcp_raw_close (self, fd);
}

struct _TcpSink
{
  GThread *thread;
  GChecksum *checksum;
  gsize length;
  int fd;
  int last_errno;
};

static gpointer
sink_run (gpointer data)
{
  TcpSink *self = data;
  g_autofree guint8 *buffer = g_malloc (65536);
  gssize n;

  while ((n = read (self->fd, buffer, 65536)) > 0)
    {
      g_checksum_update (self->checksum, buffer, n);
      self->length += (gsize) n;
    }
  self->last_errno = n < 0 ? errno : 0;

  return NULL;
}

TcpSink *
tcp_sink_new (int fd)
{
  TcpSink *self = g_new0 (TcpSink, 1);

  self->fd = fd;
  self->checksum = g_checksum_new (G_CHECKSUM_SHA256);
  self->thread = g_thread_new ("sink", sink_run, self);

  return self;
}

/* Waits for the end. Returns: the SHA-256 of all that came */
char *
tcp_sink_finish (TcpSink *self, gsize *length, int *last_errno)
{
  char *checksum;

  g_thread_join (self->thread);
  checksum = g_strdup (g_checksum_get_string (self->checksum));
  if (length != NULL)
    *length = self->length;
  if (last_errno != NULL)
    *last_errno = self->last_errno;
  g_checksum_free (self->checksum);
  g_free (self);

  return checksum;
}

/* --- Odds and ends ------------------------------------------------------------------------------ */

GBytes *
tcp_random_bytes (gsize length)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (4711);
  guint32 *data = g_new (guint32, length / 4 + 1);

  for (gsize i = 0; i < length / 4 + 1; i++)
    data[i] = g_rand_int (rand);

  return g_bytes_new_take (data, length);
}

char *
tcp_checksum (GBytes *bytes)
{
  return g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, bytes);
}

guint
tcp_count_fds (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  ck_assert_ptr_nonnull (dir);
  while (g_dir_read_name (dir) != NULL)
    n++;

  return n;
}

guint64
tcp_count_iterations (LoopEventLoop *loop)
{
  g_autoptr (LoopMetrics) metrics = loop_event_loop_get_metrics (loop);

  return loop_metrics_get_iterations (metrics);
}

static void
stop_loop (gpointer loop)
{
  loop_event_loop_stop (loop);
}

void
tcp_run_for (LoopEventLoop *loop, double seconds)
{
  loop_event_loop_call_later (loop, seconds, stop_loop, loop, NULL);
  ck_assert (loop_event_loop_run_forever (loop));
}
