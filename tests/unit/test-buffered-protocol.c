/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tcp-check.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Protocols that have memory of their own for what comes. */

#define SIZE (4 * 1024 * 1024)

typedef struct _Reader Reader;
struct _Reader
{
  LoopTransport *transport;
  GByteArray *received;
  GError *error;
  guint8 memory[70000];
  gsize size;          /* of the buffer that is given next */
  gboolean is_by_size; /* gives a size without memory */
  gboolean keep_open;
  gboolean is_asked; /* and was not told of bytes yet */
  guint n_asked, n_updated, n_data, n_eof, n_lost;

  void (*asked) (Reader *self);
  void (*updated) (Reader *self);
  gpointer user_data;
};

static void
reader_made (LoopTransport *transport, gpointer user_data)
{
  ((Reader *) user_data)->transport = transport;
}

static gsize
reader_get_buffer (LoopTransport *transport, gssize sizehint, gpointer *buffer, gpointer user_data, GError **error)
{
  Reader *self = user_data;

  ck_assert_int_eq (sizehint, -1);
  ck_assert_msg (loop_transport_is_reading (self->transport),
                 "a buffer was asked for while the transport was not reading");
  ck_assert_uint_eq (self->n_eof + self->n_lost, 0);

  self->n_asked++;
  self->is_asked = TRUE;
  memset (self->memory, 0xaa, sizeof self->memory);
  if (self->asked != NULL)
    self->asked (self);
  if (self->error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&self->error));
      return 0;
    }

  *buffer = self->is_by_size ? NULL : self->memory;

  return self->size;
}

static void
take (Reader *self, const guint8 *data, gsize length)
{
  ck_assert (self->is_asked);
  ck_assert_uint_gt (length, 0);
  ck_assert_uint_le (length, self->size);
  self->is_asked = FALSE;
  g_byte_array_append (self->received, data, (guint) length);
  if (self->updated != NULL)
    self->updated (self);
}

static void
reader_updated (LoopTransport *transport, gsize n_bytes, gpointer user_data)
{
  Reader *self = user_data;

  self->n_updated++;
  /* What is behind the bytes is left alone. */
  ck_assert (n_bytes == sizeof self->memory || self->memory[n_bytes] == 0xaa);
  take (self, self->memory, n_bytes);
}

static void
reader_data (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data)
{
  Reader *self = user_data;

  ck_assert (self->is_by_size);
  self->n_data++;
  take (self, data, length);
}

static gboolean
reader_eof (LoopTransport *transport, gpointer user_data)
{
  Reader *self = user_data;

  self->n_eof++;

  return self->keep_open;
}

static void
reader_lost (LoopTransport *transport, const GError *exception, gpointer user_data)
{
  Reader *self = user_data;

  self->n_lost++;
  self->transport = NULL;
  if (exception != NULL)
    self->error = g_error_copy (exception);
}

static const LoopBufferedProtocolVTable reader_vtable = {
  .base = {
    .connection_made = reader_made,
    .connection_lost = reader_lost,
    .data_received = reader_data,
    .eof_received = reader_eof,
  },
  .get_buffer = reader_get_buffer,
  .buffer_updated = reader_updated,
};

static Reader
reader_new (gsize size)
{
  return (Reader) { .received = g_byte_array_new (), .size = size };
}

static void
reader_clear (Reader *self)
{
  g_clear_error (&self->error);
  g_byte_array_unref (self->received);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Reader, reader_clear)

static void
assert_received (Reader *self, const char *text)
{
  ck_assert_uint_eq (self->received->len, strlen (text));
  ck_assert_int_eq (memcmp (self->received->data, text, strlen (text)), 0);
}

static void
assert_same (GByteArray *received, GBytes *bytes)
{
  ck_assert_uint_eq (received->len, g_bytes_get_size (bytes));
  ck_assert_int_eq (memcmp (received->data, g_bytes_get_data (bytes, NULL), received->len), 0);
}

static void
switch_to (LoopTransport *transport, Reader *self)
{
  g_autoptr (LoopBufferedProtocol) protocol = loop_buffered_protocol_new (&reader_vtable, self, NULL);

  self->transport = transport;
  loop_transport_set_protocol (transport, G_OBJECT (protocol));
}

/* A connection whose one end is @self, and the other a plain socket. */
static int
pair (Tcp *tcp, Reader *self)
{
  int fd;
  TcpPeer *peer = tcp_raw_pair (tcp, &fd);

  switch_to (peer->transport, self);

  return fd;
}

static GObject *
reader_factory (gpointer self)
{
  return G_OBJECT (loop_buffered_protocol_new (&reader_vtable, self, NULL));
}

START_TEST (test_whole_life)
{
  g_auto (Reader) reader = reader_new (1000);
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopTransport) transport = NULL;
  guint16 port = 0;
  int listener = tcp_raw_listen (&tcp, "127.0.0.1", 1, &port);
  int fd;

  future = loop_event_loop_create_connection (tcp.loop, "127.0.0.1", port, NULL, reader_factory, &reader, NULL);
  transport = tcp_take_transport (&tcp, future);
  ck_assert_ptr_eq (reader.transport, transport);
  fd = tcp_raw_accept (&tcp, listener);

  tcp_run_for (tcp.loop, 0.005);
  ck_assert_uint_eq (reader.n_asked, 0);
  tcp_raw_send (fd, "hello");
  tcp_run_until (tcp.loop, reader.n_updated == 1);
  ck_assert_uint_eq (reader.n_asked, 1);
  assert_received (&reader, "hello");

  loop_transport_write (transport, (const guint8 *) "answer", 6);
  g_free (tcp_raw_receive (fd, 6));

  /* It may be half-closed like any other. */
  reader.keep_open = TRUE;
  shutdown (fd, SHUT_WR);
  tcp_run_until (tcp.loop, reader.n_eof == 1);
  ck_assert (!loop_transport_is_closing (transport));
  loop_transport_write (transport, (const guint8 *) "later", 5);
  loop_transport_close (transport);
  tcp_run_until (tcp.loop, reader.n_lost == 1);
  ck_assert_ptr_null (reader.error);
  ck_assert_uint_eq (reader.n_updated, 1);
}
END_TEST

static void
check_transfer (gsize size, gboolean is_by_size)
{
  g_auto (Reader) reader = reader_new (size);
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (size < 100 ? 20000 : SIZE);
  TcpPeer *client = tcp_connect (&tcp);

  reader.is_by_size = is_by_size;
  switch_to (tcp_last_accepted (&tcp)->transport, &reader);
  loop_transport_write_bytes (client->transport, bytes);
  loop_transport_close (client->transport);
  tcp_run_until (tcp.loop, reader.n_lost == 1);
  assert_same (reader.received, bytes);
  ck_assert_uint_eq (reader.n_eof, 1);
  ck_assert_uint_eq (is_by_size ? reader.n_updated : reader.n_data, 0);
}

START_TEST (test_every_size)
{
  static const gsize sizes[] = { 1, 7, 1000, sizeof ((Reader *) NULL)->memory };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    check_transfer (sizes[i], FALSE);
}
END_TEST

/* As from languages without addresses: so many bytes, and where they are is the loop's business. */
START_TEST (test_size_without_memory)
{
  check_transfer (7, TRUE);
  check_transfer (1000, TRUE);
  check_transfer (G_MAXSIZE, TRUE);
}
END_TEST

START_TEST (test_pipe)
{
  g_auto (Reader) reader = reader_new (5);
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (LoopTransport) transport = NULL;
  int fds[2];

  ck_assert_int_eq (pipe2 (fds, O_CLOEXEC), 0);
  future = loop_event_loop_connect_read_pipe (tcp.loop, fds[0], reader_factory, &reader, NULL);
  transport = tcp_take_transport (&tcp, future);
  ck_assert_int_eq (write (fds[1], "hello, world", 12), 12);
  close (fds[1]);
  tcp_run_until (tcp.loop, reader.n_lost == 1);
  assert_received (&reader, "hello, world");
  ck_assert_uint_eq (reader.n_eof, 1);
}
END_TEST

static void
check_fatal (Tcp *tcp, Reader *reader, GQuark domain, int code, const char *text)
{
  g_autoptr (LoopExceptionContext) report = NULL;

  tcp_run_until (tcp->loop, reader->n_lost == 1);
  tcp_run_for (tcp->loop, 0.01);
  tcp_assert_error (reader->error, domain, code);
  tcp_assert_contains (reader->error->message, text);
  /* No spin. */
  ck_assert_uint_eq (reader->n_updated, 0);
  report = tcp_take_report (tcp);
  tcp_assert_error (loop_exception_context_get_exception (report), domain, code);
  tcp_assert_contains (loop_exception_context_get_message (report), "get_buffer()");
  ck_assert_ptr_nonnull (loop_exception_context_get_transport (report));
  ck_assert_ptr_nonnull (loop_exception_context_get_protocol (report));
}

START_TEST (test_empty_buffer)
{
  for (int is_by_size = 0; is_by_size < 2; is_by_size++)
    {
      g_auto (Reader) reader = reader_new (0);
      g_auto (Tcp) tcp = tcp_new ();
      int fd = pair (&tcp, &reader);

      reader.is_by_size = is_by_size;
      tcp_raw_send (fd, "hello");
      check_fatal (&tcp, &reader, LOOP_ERROR, LOOP_ERROR_NO_BUFFER, "returned an empty buffer");
      ck_assert_uint_eq (reader.n_asked, 1);
    }
}
END_TEST

static void
refuse (Reader *self)
{
  self->error = g_error_new_literal (G_IO_ERROR, G_IO_ERROR_NO_SPACE, "all is full");
}

START_TEST (test_error)
{
  g_auto (Reader) reader = reader_new (1000);
  g_auto (Tcp) tcp = tcp_new ();
  int fd = pair (&tcp, &reader);

  reader.asked = refuse;
  tcp_raw_send (fd, "hello");
  check_fatal (&tcp, &reader, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "all is full");
}
END_TEST

static void
pause_reading (Reader *self)
{
  loop_transport_pause_reading (self->transport);
  self->asked = self->updated = NULL;
}

static void
close_transport (Reader *self)
{
  loop_transport_close (self->transport);
}

static void
abort_transport (Reader *self)
{
  loop_transport_abort (self->transport);
}

/* Nothing comes after a pause, though a buffer was given before it. */
START_TEST (test_pause)
{
  for (int is_late = 0; is_late < 2; is_late++)
    {
      g_auto (Reader) reader = reader_new (4);
      g_auto (Tcp) tcp = tcp_new ();
      int fd = pair (&tcp, &reader);

      if (is_late)
        reader.updated = pause_reading;
      else
        reader.asked = pause_reading;
      tcp_raw_send (fd, "hello, world");
      tcp_run_until (tcp.loop, !loop_transport_is_reading (reader.transport));
      tcp_run_for (tcp.loop, 0.01);
      ck_assert_uint_eq (reader.n_updated, is_late);
      loop_transport_resume_reading (reader.transport);
      tcp_run_until (tcp.loop, reader.received->len == 12);
      assert_received (&reader, "hello, world");
    }
}
END_TEST

START_TEST (test_end_in_calls)
{
  for (int i = 0; i < 4; i++)
    {
      void (*end) (Reader *) = i % 2 == 0 ? close_transport : abort_transport;
      g_auto (Reader) reader = reader_new (4);
      g_auto (Tcp) tcp = tcp_new ();
      int fd = pair (&tcp, &reader);

      if (i < 2)
        reader.asked = end;
      else
        reader.updated = end;
      tcp_raw_send (fd, "hello, world");
      tcp_run_until (tcp.loop, reader.n_lost == 1);
      ck_assert_ptr_null (reader.error);
      ck_assert_uint_eq (reader.n_asked, 1);
      ck_assert_uint_eq (reader.n_updated, i < 2 ? 0 : 1);
    }
}
END_TEST

/* --- Changing the protocol ------------------------------------------------------------------------ */

/* A plain protocol and two buffered ones take turns; together they are to get all. */
typedef struct
{
  Reader readers[2];
  LoopProtocol *plain;
  LoopTransport *transport;
  GByteArray *received;
  gboolean is_lost;
  guint n_turns;
} Turns;

static void
next_turn (Turns *self)
{
  Reader *reader = &self->readers[self->n_turns / 2 % 2];

  self->n_turns++;
  if (self->n_turns % 3 == 0)
    {
      loop_transport_set_protocol (self->transport, G_OBJECT (self->plain));
      return;
    }

  reader->is_asked = FALSE;
  switch_to (self->transport, reader);
}

static void
turn_data (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data)
{
  Turns *self = user_data;

  g_byte_array_append (self->received, data, (guint) length);
  next_turn (self);
}

static void
turn_lost (LoopTransport *transport, const GError *exception, gpointer user_data)
{
  ((Turns *) user_data)->is_lost = TRUE;
}

static const LoopProtocolVTable turn_vtable = { .data_received = turn_data, .connection_lost = turn_lost };

static void
turn_updated (Reader *reader)
{
  next_turn (reader->user_data);
}

/* Sometimes the buffer that it gives is for nothing. */
static void
turn_asked (Reader *reader)
{
  if (reader->n_asked % 5 == 0)
    next_turn (reader->user_data);
}

/* More is sent than fits into the buffers of any, so that there is more to read in the same event. */
START_TEST (test_take_turns)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (GBytes) bytes = tcp_random_bytes (SIZE);
  TcpPeer *client = tcp_connect (&tcp);
  g_autofree Turns *turns = g_new0 (Turns, 1);

  turns->transport = g_object_ref (tcp_last_accepted (&tcp)->transport);
  turns->received = g_byte_array_new ();
  turns->plain = loop_protocol_new (&turn_vtable, turns, NULL);
  for (guint i = 0; i < 2; i++)
    {
      turns->readers[i].received = turns->received;
      turns->readers[i].size = i == 0 ? 5000 : 40000;
      turns->readers[i].asked = turn_asked;
      turns->readers[i].updated = turn_updated;
      turns->readers[i].user_data = turns;
    }

  next_turn (turns);
  loop_transport_write_bytes (client->transport, bytes);
  loop_transport_close (client->transport);
  tcp_run_until (tcp.loop, turns->is_lost || turns->readers[0].n_lost + turns->readers[1].n_lost > 0);
  assert_same (turns->received, bytes);
  ck_assert_uint_gt (turns->n_turns, 30);
  g_object_unref (turns->transport);
  g_object_unref (turns->plain);
  g_byte_array_unref (turns->received);
}
END_TEST

/* The new one does not come to its turn before the next event; what is there already is not lost by that. */
START_TEST (test_switch_while_paused)
{
  g_auto (Reader) reader = reader_new (4);
  g_auto (Tcp) tcp = tcp_new ();
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);

  loop_transport_pause_reading (peer->transport);
  tcp_raw_send (fd, "hello, world");
  tcp_run_for (tcp.loop, 0.005);
  switch_to (peer->transport, &reader);
  tcp_run_for (tcp.loop, 0.005);
  ck_assert_uint_eq (reader.n_asked, 0);
  loop_transport_resume_reading (peer->transport);
  tcp_run_until (tcp.loop, reader.received->len == 12);
  assert_received (&reader, "hello, world");
}
END_TEST

/* What a peer said before it reset the connection is read after the failed write: C2. */
START_TEST (test_last_words)
{
  g_auto (Reader) reader = reader_new (4);
  g_auto (Tcp) tcp = tcp_new ();
  int fd = pair (&tcp, &reader);

  tcp_raw_send (fd, "too large");
  tcp_raw_reset (&tcp, fd);
  /* The write fails before the loop has looked at the socket. */
  loop_transport_write (reader.transport, (const guint8 *) "x", 1);
  tcp_run_until (tcp.loop, reader.n_lost == 1);
  assert_received (&reader, "too large");
  ck_assert_ptr_nonnull (reader.error);
}
END_TEST

/* --- The interface -------------------------------------------------------------------------------- */

#define TEST_TYPE_BARE (test_bare_get_type ())
G_DECLARE_FINAL_TYPE (TestBare, test_bare, TEST, BARE, GObject)

struct _TestBare
{
  GObject parent_instance;

  GByteArray *received;
};

static void
test_bare_data_received (LoopProtocol *protocol, const guint8 *data, gsize length)
{
  g_byte_array_append (TEST_BARE (protocol)->received, data, (guint) length);
}

static void
test_bare_protocol_init (LoopProtocolInterface *iface)
{
  iface->data_received = test_bare_data_received;
}

static void
test_bare_buffered_protocol_init (LoopBufferedProtocolInterface *iface)
{
}

G_DEFINE_FINAL_TYPE_WITH_CODE (TestBare,
                               test_bare,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (LOOP_TYPE_PROTOCOL, test_bare_protocol_init)
                                   G_IMPLEMENT_INTERFACE (LOOP_TYPE_BUFFERED_PROTOCOL,
                                                          test_bare_buffered_protocol_init))

static void
test_bare_finalize (GObject *object)
{
  g_byte_array_unref (TEST_BARE (object)->received);

  G_OBJECT_CLASS (test_bare_parent_class)->finalize (object);
}

static void
test_bare_class_init (TestBareClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = test_bare_finalize;
}

static void
test_bare_init (TestBare *self)
{
  self->received = g_byte_array_new ();
}

/* A type that does not implement get_buffer() is given data as any protocol is. */
START_TEST (test_defaults)
{
  g_auto (Tcp) tcp = tcp_new ();
  g_autoptr (TestBare) bare = g_object_new (TEST_TYPE_BARE, NULL);
  int fd;
  TcpPeer *peer = tcp_raw_pair (&tcp, &fd);
  GError *error = NULL;
  gpointer buffer = &error;

  ck_assert_uint_eq (loop_buffered_protocol_get_buffer (LOOP_BUFFERED_PROTOCOL (bare), 10, &buffer, &error), G_MAXSIZE);
  ck_assert_ptr_null (error);
  ck_assert_ptr_null (buffer);
  loop_buffered_protocol_buffer_updated (LOOP_BUFFERED_PROTOCOL (bare), 1);

  loop_transport_set_protocol (peer->transport, G_OBJECT (bare));
  tcp_raw_send (fd, "hello");
  tcp_run_until (tcp.loop, bare->received->len == 5);
}
END_TEST

static gsize
give_nothing (LoopTransport *transport, gssize sizehint, gpointer *buffer, gpointer user_data, GError **error)
{
  *buffer = user_data;

  return 0;
}

/* One may also feed a protocol by hand. */
START_TEST (test_by_hand)
{
  static const LoopBufferedProtocolVTable vtable = { .get_buffer = give_nothing };
  g_autoptr (LoopBufferedProtocol) empty = loop_buffered_protocol_new (&vtable, &empty, NULL);
  g_autoptr (GError) error = NULL;
  gpointer buffer = NULL;

  ck_assert_uint_eq (loop_buffered_protocol_get_buffer (empty, -1, &buffer, &error), 0);
  tcp_assert_error (error, LOOP_ERROR, LOOP_ERROR_NO_BUFFER);
  ck_assert_ptr_null (buffer);
  loop_buffered_protocol_buffer_updated (empty, 1);
  ck_assert (LOOP_IS_PROTOCOL (empty));
  ck_assert (!loop_protocol_eof_received (LOOP_PROTOCOL (empty)));
}
END_TEST

START_TEST (test_misuse)
{
  static const LoopBufferedProtocolVTable vtable = { 0 };
  gpointer buffer;

  loop_check_expect_critical ("*vtable != NULL*");
  ck_assert_ptr_null (loop_buffered_protocol_new (NULL, NULL, NULL));
  loop_check_expect_critical ("*get_buffer != NULL*");
  ck_assert_ptr_null (loop_buffered_protocol_new (&vtable, NULL, NULL));
  loop_check_expect_critical ("*LOOP_IS_BUFFERED_PROTOCOL (self)*");
  ck_assert_uint_eq (loop_buffered_protocol_get_buffer (NULL, -1, &buffer, NULL), 0);
  loop_check_expect_critical ("*LOOP_IS_BUFFERED_PROTOCOL (self)*");
  loop_buffered_protocol_buffer_updated (NULL, 1);
}
END_TEST

LOOP_TEST_MAIN ("buffered-protocol",
                test_whole_life,
                test_every_size,
                test_size_without_memory,
                test_pipe,
                test_empty_buffer,
                test_error,
                test_pause,
                test_end_in_calls,
                test_take_turns,
                test_switch_while_paused,
                test_last_words,
                test_defaults,
                test_by_hand,
                test_misuse)
