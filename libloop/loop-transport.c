/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-protocol.h"
#include "loop-transport-private.h"

/**
 * LoopTransport:
 *
 * The loop's side of a connection. It reads and hands what it read to the
 * [iface@Protocol] on the other side, and it writes: at once as far as that is possible,
 * and the rest from a buffer as soon as the peer takes it.
 *
 * The loop keeps a transport alive from before `connection_made` until after
 * `connection_lost`.
 */
G_DEFINE_ABSTRACT_TYPE (LoopTransport, loop_transport, G_TYPE_OBJECT)

enum
{
  PROP_0,
  PROP_PROTOCOL,
  PROP_ID,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

/*
 * LOOP_IS_TRANSPORT() for what is called for each message. The macro takes its slow way
 * for an instance of a subclass, as all are; the class that passed it last is remembered.
 */
static inline gboolean
is_transport (LoopTransport *self)
{
  static gpointer checked_class;
  gpointer klass;

  if (G_UNLIKELY (self == NULL))
    return FALSE;

  klass = ((GTypeInstance *) self)->g_class;
  if (G_LIKELY (klass != NULL && klass == __atomic_load_n (&checked_class, __ATOMIC_RELAXED)))
    return TRUE;
  if (!LOOP_IS_TRANSPORT (self))
    return FALSE;

  __atomic_store_n (&checked_class, klass, __ATOMIC_RELAXED);

  return TRUE;
}

static void
loop_transport_dispose (GObject *object)
{
  LoopTransport *self = LOOP_TRANSPORT (object);

  if (self->loop != NULL)
    {
      loop_event_loop_unregister (self->loop, LOOP_REGISTRY_TRANSPORTS, &self->node);
      loop_event_loop_untrace (self->loop, self->node.id);
    }
  g_clear_object (&self->protocol);

  G_OBJECT_CLASS (loop_transport_parent_class)->dispose (object);
}

static void
loop_transport_finalize (GObject *object)
{
  LoopTransport *self = LOOP_TRANSPORT (object);

  g_clear_pointer (&self->loop, loop_event_loop_unref_anywhere);

  G_OBJECT_CLASS (loop_transport_parent_class)->finalize (object);
}

static void
loop_transport_get_property (GObject *object, guint property_id, GValue *value, GParamSpec *pspec)
{
  LoopTransport *self = LOOP_TRANSPORT (object);

  switch (property_id)
    {
    case PROP_PROTOCOL:
      g_value_set_object (value, self->protocol);
      break;
    case PROP_ID:
      g_value_set_uint64 (value, self->node.id);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
loop_transport_set_property (GObject *object, guint property_id, const GValue *value, GParamSpec *pspec)
{
  switch (property_id)
    {
    case PROP_PROTOCOL:
      loop_transport_set_protocol (LOOP_TRANSPORT (object), g_value_get_object (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
loop_transport_class_init (LoopTransportClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = loop_transport_dispose;
  object_class->finalize = loop_transport_finalize;
  object_class->get_property = loop_transport_get_property;
  object_class->set_property = loop_transport_set_property;
  klass->get_protocol_type = loop_protocol_get_type;

  /**
   * LoopTransport:protocol: (getter get_protocol) (setter set_protocol)
   *
   * The protocol on the other side.
   */
  properties[PROP_PROTOCOL] = g_param_spec_object (
      "protocol", NULL, NULL, G_TYPE_OBJECT, G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopTransport:id: (getter get_id)
   *
   * The id by which an inspector knows the transport.
   */
  properties[PROP_ID] =
      g_param_spec_uint64 ("id", NULL, NULL, 0, G_MAXUINT64, 0, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
loop_transport_init (LoopTransport *self)
{
}

/* For constructors: sets what every transport has. */
void
loop_transport_set_up (LoopTransport *self, LoopEventLoop *loop, GObject *protocol)
{
  self->loop = g_object_ref (loop);
  self->protocol = g_object_ref (protocol);
  LOOP_TRANSPORT_GET_CLASS (self)->protocol_changed (self);
}

/* For constructors, inside the guard: the inspector finds the transport from then on. */
void
loop_transport_register (LoopTransport *self)
{
  LoopEventLoop *loop = self->loop;

  self->made = loop_clock_now ();
  loop_registry_add (&loop->registry, LOOP_REGISTRY_TRANSPORTS, &self->node, loop_event_loop_next_id (loop));
}

/*
 * For the end of a transport, inside the guard: the loop's metrics keep what it has moved.
 *
 * Returns: (transfer full) (nullable): its protocol, to be let go of outside of the guard
 */
GObject *
loop_transport_retire (LoopTransport *self)
{
  LoopTransportDescription description = { .fd = -1 };

  if (self->protocol == NULL)
    return NULL;

  LOOP_TRANSPORT_GET_CLASS (self)->describe (self, &description);
  self->loop->metrics.n_received += description.n_received;
  self->loop->metrics.n_sent += description.n_sent;

  return g_steal_pointer (&self->protocol);
}

/**
 * loop_transport_get_loop:
 * @self: a transport
 *
 * Gets the loop that the transport belongs to.
 *
 * Returns: (transfer none): the loop
 */
LoopEventLoop *
loop_transport_get_loop (LoopTransport *self)
{
  g_return_val_if_fail (LOOP_IS_TRANSPORT (self), NULL);

  return self->loop;
}

/**
 * loop_transport_get_id:
 * @self: a transport
 *
 * Gets the id by which an inspector knows the transport.
 *
 * Returns: the id
 */
guint64
loop_transport_get_id (LoopTransport *self)
{
  g_return_val_if_fail (LOOP_IS_TRANSPORT (self), 0);

  return self->node.id;
}

/**
 * loop_transport_get_fd:
 * @self: a transport
 *
 * Gets the file descriptor that the transport is on. It is the transport's own, to be
 * asked for options and addresses, and is closed with it.
 *
 * Returns: the descriptor, or -1 when the connection is lost or there is no descriptor
 */
int
loop_transport_get_fd (LoopTransport *self)
{
  LoopTransportDescription description = { .fd = -1 };

  g_return_val_if_fail (LOOP_IS_TRANSPORT (self), -1);

  LOOP_TRANSPORT_GET_CLASS (self)->describe (self, &description);

  return description.fd;
}

/**
 * loop_transport_steal_fd:
 * @self: a transport whose connection is lost
 *
 * Takes the file descriptor out of the transport, which then does not close it. It is
 * for those who have the descriptor in an object of their own that is to close it: to
 * be called in the protocol's `connection_lost`, on the loop's thread.
 *
 * A [class@Gio.Socket] that was got with [method@Transport.get_extra_info] keeps the
 * descriptor.
 *
 * Returns: the descriptor, which the caller closes, or -1 when there is none to take
 */
int
loop_transport_steal_fd (LoopTransport *self)
{
  LoopTransportClass *klass;

  g_return_val_if_fail (LOOP_IS_TRANSPORT (self), -1);

  klass = LOOP_TRANSPORT_GET_CLASS (self);

  return klass->steal_fd != NULL ? klass->steal_fd (self) : -1;
}

/**
 * loop_transport_close:
 * @self: a transport
 *
 * Closes the connection once the buffered data is written. No more data is received.
 * In the end the protocol's `connection_lost` is called without an error.
 */
void
loop_transport_close (LoopTransport *self)
{
  g_return_if_fail (LOOP_IS_TRANSPORT (self));

  LOOP_TRANSPORT_GET_CLASS (self)->close (self);
}

/**
 * loop_transport_abort:
 * @self: a transport
 *
 * Closes the connection at once; buffered data is lost. The protocol's
 * `connection_lost` is called without an error.
 */
void
loop_transport_abort (LoopTransport *self)
{
  g_return_if_fail (LOOP_IS_TRANSPORT (self));

  LOOP_TRANSPORT_GET_CLASS (self)->abort (self);
}

/**
 * loop_transport_is_closing:
 * @self: a transport
 *
 * Tells whether the transport is closed or closing, or will be, since a write has failed.
 *
 * Returns: %TRUE if it is
 */
gboolean
loop_transport_is_closing (LoopTransport *self)
{
  g_return_val_if_fail (LOOP_IS_TRANSPORT (self), TRUE);

  return LOOP_TRANSPORT_GET_CLASS (self)->is_closing (self);
}

/**
 * loop_transport_get_extra_info:
 * @self: a transport
 * @name: what to get
 * @value: (out caller-allocates): return location, uninitialised; a null pointer of type
 *   %G_TYPE_POINTER is put there if the transport does not have it
 *
 * Gets optional information. A socket transport has `peername` and `sockname`, each a
 * [class@Gio.SocketAddress], and `socket`, a [class@Gio.Socket], on which one may set
 * options but neither read, write nor close.
 *
 * Returns: (skip): %TRUE if the transport has it
 */
gboolean
loop_transport_get_extra_info (LoopTransport *self, const char *name, GValue *value)
{
  g_return_val_if_fail (LOOP_IS_TRANSPORT (self), FALSE);
  g_return_val_if_fail (name != NULL, FALSE);
  g_return_val_if_fail (value != NULL, FALSE);

  if (LOOP_TRANSPORT_GET_CLASS (self)->get_extra_info (self, name, value))
    return TRUE;

  g_value_init (value, G_TYPE_POINTER);

  return FALSE;
}

/**
 * loop_transport_set_protocol:
 * @self: a transport
 * @protocol: an object that implements [iface@Protocol], or [iface@DatagramProtocol] for datagrams
 *
 * Changes the protocol. The new one is told of what comes from now on;
 * `connection_made` is not called.
 */
void
loop_transport_set_protocol (LoopTransport *self, GObject *protocol)
{
  g_autoptr (GObject) old = NULL;

  g_return_if_fail (LOOP_IS_TRANSPORT (self));
  g_return_if_fail (loop_transport_accepts (self, protocol));

  if (self->protocol == protocol)
    return;

  /* Taking a reference may run an interpreter's code. */
  g_object_ref (protocol);
  loop_event_loop_enter (self->loop);
  old = self->protocol;
  self->protocol = protocol;
  LOOP_TRANSPORT_GET_CLASS (self)->protocol_changed (self);
  loop_event_loop_leave (self->loop);

  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_PROTOCOL]);
}

/**
 * loop_transport_get_protocol:
 * @self: a transport
 *
 * Gets the protocol.
 *
 * Returns: (transfer none) (nullable): the protocol; %NULL after `connection_lost`
 */
GObject *
loop_transport_get_protocol (LoopTransport *self)
{
  g_return_val_if_fail (LOOP_IS_TRANSPORT (self), NULL);

  return self->protocol;
}

/**
 * loop_transport_pause_reading:
 * @self: a transport
 *
 * Stops receiving: `data_received` is not called until
 * [method@Transport.resume_reading]. Does nothing when the transport is paused or
 * closing.
 */
void
loop_transport_pause_reading (LoopTransport *self)
{
  g_return_if_fail (LOOP_IS_TRANSPORT (self));

  LOOP_TRANSPORT_GET_CLASS (self)->pause_reading (self);
}

/**
 * loop_transport_resume_reading:
 * @self: a transport
 *
 * Receives again. Does nothing when the transport is not paused or is closing.
 */
void
loop_transport_resume_reading (LoopTransport *self)
{
  g_return_if_fail (LOOP_IS_TRANSPORT (self));

  LOOP_TRANSPORT_GET_CLASS (self)->resume_reading (self);
}

/**
 * loop_transport_is_reading:
 * @self: a transport
 *
 * Tells whether the transport receives.
 *
 * Returns: %TRUE if it is neither paused nor closing
 */
gboolean
loop_transport_is_reading (LoopTransport *self)
{
  g_return_val_if_fail (LOOP_IS_TRANSPORT (self), FALSE);

  return LOOP_TRANSPORT_GET_CLASS (self)->is_reading (self);
}

/**
 * loop_transport_write:
 * @self: a transport
 * @data: (array length=length): bytes to write
 * @length: their number
 *
 * Writes, without waiting. What the peer does not take at once is copied and sent later.
 * So is what a callback of the loop writes while other callbacks wait for their turn in
 * the same iteration, or in several pieces: it is sent together once they have run, and
 * nothing but a callback that blocks holds it up.
 *
 * When more piles up than the high-water mark, the protocol is told to pause. After the
 * connection is lost or closed, data is dropped with a warning.
 */
void
loop_transport_write (LoopTransport *self, const guint8 *data, gsize length)
{
  g_return_if_fail (is_transport (self));
  g_return_if_fail (data != NULL || length == 0);

  if (length > 0)
    ((LoopTransportClass *) ((GTypeInstance *) self)->g_class)->write (self, data, length);
}

/**
 * loop_transport_write_bytes:
 * @self: a transport
 * @bytes: bytes to write
 *
 * As [method@Transport.write]. What the peer does not take at once is not copied: the
 * transport keeps a reference.
 */
void
loop_transport_write_bytes (LoopTransport *self, GBytes *bytes)
{
  g_return_if_fail (LOOP_IS_TRANSPORT (self));
  g_return_if_fail (bytes != NULL);

  loop_transport_writelines (self, &bytes, 1);
}

/**
 * loop_transport_writelines:
 * @self: a transport
 * @lines: (array length=n_lines): pieces to write, one after another
 * @n_lines: their number
 *
 * Writes several pieces with as few system calls as possible. See
 * [method@Transport.write_bytes].
 */
void
loop_transport_writelines (LoopTransport *self, GBytes **lines, gsize n_lines)
{
  g_return_if_fail (is_transport (self));
  g_return_if_fail (lines != NULL || n_lines == 0);

  if (n_lines > 0)
    LOOP_TRANSPORT_GET_CLASS (self)->write_bytes (self, lines, n_lines);
}

/**
 * loop_transport_write_eof:
 * @self: a transport
 *
 * Closes the writing end once the buffered data is written. Data can still be received.
 */
void
loop_transport_write_eof (LoopTransport *self)
{
  g_return_if_fail (LOOP_IS_TRANSPORT (self));

  LOOP_TRANSPORT_GET_CLASS (self)->write_eof (self);
}

/**
 * loop_transport_can_write_eof:
 * @self: a transport
 *
 * Tells whether [method@Transport.write_eof] is possible.
 *
 * Returns: %TRUE if it is
 */
gboolean
loop_transport_can_write_eof (LoopTransport *self)
{
  g_return_val_if_fail (LOOP_IS_TRANSPORT (self), FALSE);

  return LOOP_TRANSPORT_GET_CLASS (self)->can_write_eof (self);
}

/**
 * loop_transport_get_write_buffer_size:
 * @self: a transport
 *
 * Gets how much waits to be written.
 *
 * Returns: bytes
 */
gsize
loop_transport_get_write_buffer_size (LoopTransport *self)
{
  g_return_val_if_fail (LOOP_IS_TRANSPORT (self), 0);

  return LOOP_TRANSPORT_GET_CLASS (self)->get_write_buffer_size (self);
}

/**
 * loop_transport_set_write_buffer_limits:
 * @self: a transport
 * @high: the high-water mark in bytes, or -1 for the default
 * @low: the low-water mark in bytes, or -1 for the default
 * @error: return location for an error
 *
 * Sets when the protocol is told to pause and to resume writing. By default the
 * high-water mark is 64 KiB, or four times the low-water mark when only that is given,
 * and the low-water mark is a quarter of the other.
 *
 * Returns: %TRUE, or %FALSE with %G_IO_ERROR_INVALID_ARGUMENT if @low is over @high or
 *   one is below -1
 */
gboolean
loop_transport_set_write_buffer_limits (LoopTransport *self, gssize high, gssize low, GError **error)
{
  g_return_val_if_fail (LOOP_IS_TRANSPORT (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (high == -1)
    high = low == -1 ? LOOP_TRANSPORT_HIGH_WATER : (low > G_MAXSSIZE / 4 ? G_MAXSSIZE : 4 * low);
  if (low == -1)
    low = high / 4;

  if (low < 0 || high < low)
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "High-water mark %" G_GSSIZE_FORMAT " must be at or over low-water mark %" G_GSSIZE_FORMAT
                   ", which must not be negative",
                   high, low);
      return FALSE;
    }

  LOOP_TRANSPORT_GET_CLASS (self)->set_write_buffer_limits (self, (gsize) high, (gsize) low);

  return TRUE;
}

/**
 * loop_transport_get_write_buffer_limits:
 * @self: a transport
 * @low: (out) (optional): return location for the low-water mark, in bytes
 * @high: (out) (optional): return location for the high-water mark, in bytes
 *
 * Gets when the protocol is told to resume and to pause writing.
 */
void
loop_transport_get_write_buffer_limits (LoopTransport *self, gsize *low, gsize *high)
{
  gsize low_limit;
  gsize high_limit;

  g_return_if_fail (LOOP_IS_TRANSPORT (self));

  LOOP_TRANSPORT_GET_CLASS (self)->get_write_buffer_limits (self, &low_limit, &high_limit);
  if (low != NULL)
    *low = low_limit;
  if (high != NULL)
    *high = high_limit;
}
