/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-protocol-vtable-private.h"

#ifdef LOOP_WITH_ASAN
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size)
#define ASAN_UNPOISON_MEMORY_REGION(address, size)
#endif

static void loop_vtable_protocol_iface_init (LoopProtocolInterface *iface);

G_DEFINE_TYPE_WITH_CODE (LoopVtableProtocol,
                         loop_vtable_protocol,
                         G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (LOOP_TYPE_PROTOCOL, loop_vtable_protocol_iface_init))

static void
loop_vtable_protocol_finalize (GObject *object)
{
  LoopVtableProtocol *self = (LoopVtableProtocol *) object;

  if (self->notify != NULL)
    self->notify (self->user_data);

  G_OBJECT_CLASS (loop_vtable_protocol_parent_class)->finalize (object);
}

static void
loop_vtable_protocol_class_init (LoopVtableProtocolClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loop_vtable_protocol_finalize;
}

static void
loop_vtable_protocol_init (LoopVtableProtocol *self)
{
}

static void
vtable_connection_made (LoopProtocol *protocol, LoopTransport *transport)
{
  LoopVtableProtocol *self = (LoopVtableProtocol *) protocol;

  self->transport = transport;
  if (self->vtable->connection_made != NULL)
    self->vtable->connection_made (transport, self->user_data);
}

static void
vtable_connection_lost (LoopProtocol *protocol, const GError *exception)
{
  LoopVtableProtocol *self = (LoopVtableProtocol *) protocol;

  if (self->vtable->connection_lost != NULL)
    self->vtable->connection_lost (self->transport, exception, self->user_data);
  self->transport = NULL;
}

static void
vtable_pause_writing (LoopProtocol *protocol)
{
  LoopVtableProtocol *self = (LoopVtableProtocol *) protocol;

  if (self->vtable->pause_writing != NULL)
    self->vtable->pause_writing (self->transport, self->user_data);
}

static void
vtable_resume_writing (LoopProtocol *protocol)
{
  LoopVtableProtocol *self = (LoopVtableProtocol *) protocol;

  if (self->vtable->resume_writing != NULL)
    self->vtable->resume_writing (self->transport, self->user_data);
}

static void
vtable_data_received (LoopProtocol *protocol, const guint8 *data, gsize length)
{
  LoopVtableProtocol *self = (LoopVtableProtocol *) protocol;

  if (self->vtable->data_received != NULL)
    self->vtable->data_received (self->transport, data, length, self->user_data);
}

static gboolean
vtable_eof_received (LoopProtocol *protocol)
{
  LoopVtableProtocol *self = (LoopVtableProtocol *) protocol;

  return self->vtable->eof_received != NULL && self->vtable->eof_received (self->transport, self->user_data);
}

static void
loop_vtable_protocol_iface_init (LoopProtocolInterface *iface)
{
  iface->connection_made = vtable_connection_made;
  iface->connection_lost = vtable_connection_lost;
  iface->pause_writing = vtable_pause_writing;
  iface->resume_writing = vtable_resume_writing;
  iface->data_received = vtable_data_received;
  iface->eof_received = vtable_eof_received;
}

/* --- Protocols that are used again -------------------------------------------------------------- */

#define MAX_SPARES 64

/*
 * Those that have served their connection, for the next ones that the loop accepts: to free an object and to make one
 * takes GObject longer than all the rest that a short connection goes through. See loop-future-spares.c.
 */
typedef struct
{
  LoopVtableProtocol *protocols[MAX_SPARES];
  guint length;
  LoopCloseHook hook;
  LoopEventLoop *loop;
} Spares;

/* Returns: (transfer full) (nullable): one of them. AddressSanitizer sees who uses it before. */
static LoopVtableProtocol *
take_spare (Spares *self)
{
  LoopVtableProtocol *protocol;

  if (self == NULL || self->length == 0)
    return NULL;

  protocol = self->protocols[--self->length];
  ASAN_UNPOISON_MEMORY_REGION (protocol, sizeof *protocol);

  return protocol;
}

static void
keep_spare (Spares *self, LoopVtableProtocol *protocol)
{
  self->protocols[self->length++] = protocol;
  ASAN_POISON_MEMORY_REGION (protocol, sizeof *protocol);
}

static void
spares_loop_closed (LoopCloseHook *hook)
{
  Spares *self = (Spares *) ((char *) hook - G_STRUCT_OFFSET (Spares, hook));
  LoopVtableProtocol *protocol;

  self->loop->spare_protocols = NULL;
  while ((protocol = take_spare (self)) != NULL)
    g_object_unref (protocol);
  g_free (self);
}

static Spares *
get_spares (LoopEventLoop *loop)
{
  Spares *self = loop->spare_protocols;

  if (G_UNLIKELY (self == NULL))
    {
      self = loop->spare_protocols = g_new0 (Spares, 1);
      self->loop = loop;
      self->hook.closed = spares_loop_closed;
      loop_event_loop_add_close_hook (loop, &self->hook);
    }

  return self;
}

/* Whether nobody else knows of it: weak references, wrappers, bindings and toggles are in the data. */
static gboolean
is_spare (GObject *protocol, LoopEventLoop *loop)
{
  return G_OBJECT_TYPE (protocol) == LOOP_TYPE_VTABLE_PROTOCOL && protocol->qdata == NULL &&
         __atomic_load_n (&protocol->ref_count, __ATOMIC_ACQUIRE) == 1 && loop_event_loop_get_running () == loop &&
         get_spares (loop)->length < MAX_SPARES;
}

/* As g_clear_object(), of a protocol of whatever type that was one of @loop's. */
void
loop_vtable_protocol_release (GObject *protocol, LoopEventLoop *loop)
{
  LoopVtableProtocol *self = (LoopVtableProtocol *) protocol;
  Spares *spares;

  if (protocol == NULL || !is_spare (protocol, loop))
    {
      g_clear_object (&protocol);
      return;
    }

  g_signal_handlers_destroy (protocol);
  self->transport = NULL;
  loop_destroy_user_data (self->user_data, g_steal_pointer (&self->notify));

  /* That may have filled the place. */
  spares = get_spares (loop);
  if (spares->length < MAX_SPARES)
    keep_spare (spares, self);
  else
    g_object_unref (self);
}

/* For constructors: of @type, which is this one or derives from it. */
gpointer
loop_vtable_protocol_new (GType type, const LoopProtocolVTable *vtable, gpointer user_data, GDestroyNotify notify)
{
  LoopEventLoop *loop = loop_event_loop_get_running ();
  LoopVtableProtocol *self = NULL;

  if (loop != NULL && type == LOOP_TYPE_VTABLE_PROTOCOL)
    self = take_spare (loop->spare_protocols);
  if (self == NULL)
    self = g_object_new (type, NULL);
  self->vtable = vtable;
  self->user_data = user_data;
  self->notify = notify;

  return self;
}

/* Returns: (nullable): by whose name a protocol of plain functions is known; it may be called under a hold */
gpointer
loop_vtable_protocol_get_function (GObject *protocol)
{
  const LoopProtocolVTable *vtable;

  if (!g_type_is_a (G_OBJECT_TYPE (protocol), LOOP_TYPE_VTABLE_PROTOCOL))
    return NULL;

  vtable = ((LoopVtableProtocol *) protocol)->vtable;

  return vtable->data_received != NULL ? (gpointer) vtable->data_received : (gpointer) vtable->connection_made;
}

/* Returns: (nullable): what somebody has called it; it may be called under a hold */
const char *
loop_vtable_protocol_get_name (GObject *protocol)
{
  return g_type_is_a (G_OBJECT_TYPE (protocol), LOOP_TYPE_VTABLE_PROTOCOL) ? ((LoopVtableProtocol *) protocol)->name
                                                                           : NULL;
}

/**
 * loop_protocol_set_static_name: (skip)
 * @self: a protocol that [func@Protocol.new] has made
 * @name: (nullable): a name, which stays valid for as long as the process lives
 *
 * Gives the protocol a name, which inspectors show in the place of its function.
 */
void
loop_protocol_set_static_name (LoopProtocol *self, const char *name)
{
  g_return_if_fail (G_TYPE_CHECK_INSTANCE_TYPE (self, LOOP_TYPE_VTABLE_PROTOCOL));

  __atomic_store_n (&((LoopVtableProtocol *) self)->name, name, __ATOMIC_RELAXED);
}

/**
 * loop_protocol_new: (skip)
 * @vtable: the functions, which have to stay valid: a static structure
 * @user_data: data for the functions
 * @notify: (nullable): frees @user_data together with the protocol
 *
 * Makes a protocol of plain functions, for C. Use it for one connection at a time.
 *
 * Returns: (transfer full): the protocol
 */
LoopProtocol *
loop_protocol_new (const LoopProtocolVTable *vtable, gpointer user_data, GDestroyNotify notify)
{
  g_return_val_if_fail (vtable != NULL, NULL);

  return loop_vtable_protocol_new (LOOP_TYPE_VTABLE_PROTOCOL, vtable, user_data, notify);
}
