/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "py-transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <structmember.h>
#include <sys/socket.h>
#include <sys/un.h>

PyTypeObject *py_transport_type;

static PyObject *buffered_protocol_type; /* asyncio.BufferedProtocol */
static PyObject *socket_type;            /* socket.socket */
static PyObject *transport_socket_type;  /* asyncio.trsock.TransportSocket */

/* The protocol raised: the connection cannot go on. */
void
py_transport_fatal_error (PyTransport *self, const char *message)
{
  PyObject *exception;

  if (py_is_interrupt ())
    {
      if (self->loop != NULL)
        py_loop_interrupt (self->loop);
      else
        PyErr_WriteUnraisable ((PyObject *) self);
      return;
    }

  exception = py_take_exception ();
  if (self->loop != NULL && (!PyErr_GivenExceptionMatches (exception, PyExc_OSError) || self->loop->is_debug))
    py_loop_report (self->loop, message, Py_NewRef (exception), (PyObject *) self,
                    self->protocol != NULL ? self->protocol : Py_None);
  py_transport_force_close (self, exception);
  Py_DECREF (exception);
}

/* Of calls whose failure does not end the connection. */
void
py_transport_report (PyTransport *self, PyObject *result, const char *message)
{
  if (result != NULL)
    Py_DECREF (result);
  else if (self->loop == NULL)
    PyErr_WriteUnraisable ((PyObject *) self);
  else if (py_is_interrupt ())
    py_loop_interrupt (self->loop);
  else
    py_loop_report (self->loop, message, py_take_exception (), (PyObject *) self, self->protocol);
}

/* --- Closing ---------------------------------------------------------------------------------- */

PyDoc_STRVAR (close_doc, "close($self, /)\n--\n\nClose the transport once what is buffered has been written.");

static PyObject *
transport_close (PyObject *object, PyObject *unused)
{
  PyTransport *self = (PyTransport *) object;

  if (!self->is_closing)
    {
      self->is_closing = TRUE;
      if (self->transport != NULL)
        {
          if (loop_transport_get_write_buffer_size (self->transport) == 0)
            self->is_lost = TRUE;
          loop_transport_close (self->transport);
        }
    }

  Py_RETURN_NONE;
}

void
py_transport_force_close (PyTransport *self, PyObject *exception)
{
  if (self->exception == NULL && exception != NULL && exception != Py_None && !self->is_lost)
    self->exception = Py_NewRef (exception);
  self->is_closing = TRUE;
  self->is_lost = TRUE;
  if (self->transport != NULL)
    loop_transport_abort (self->transport);
}

PyDoc_STRVAR (abort_doc, "abort($self, /)\n--\n\nClose the transport at once. What is buffered is lost.");

static PyObject *
transport_abort (PyObject *self, PyObject *unused)
{
  py_transport_force_close ((PyTransport *) self, NULL);

  Py_RETURN_NONE;
}

/* For asyncio.sslproto. */
static PyObject *
transport__force_close (PyObject *self, PyObject *exception)
{
  py_transport_force_close ((PyTransport *) self, exception);

  Py_RETURN_NONE;
}

static PyObject *
transport__fatal_error (PyObject *self, PyObject *args)
{
  PyObject *exception;
  const char *message = "Fatal error on transport";

  if (!PyArg_ParseTuple (args, "O|s", &exception, &message))
    return NULL;

  if (!PyExceptionInstance_Check (exception))
    return PyErr_Format (PyExc_TypeError, "exc must be an exception, not %s", Py_TYPE (exception)->tp_name);

  PyErr_SetObject ((PyObject *) Py_TYPE (exception), exception);
  py_transport_fatal_error ((PyTransport *) self, message);

  Py_RETURN_NONE;
}

PyDoc_STRVAR (is_closing_doc, "is_closing($self, /)\n--\n\nReturn True if the transport is closing or closed.");

static PyObject *
transport_is_closing (PyObject *object, PyObject *unused)
{
  PyTransport *self = (PyTransport *) object;

  return PyBool_FromLong (self->is_closing || (self->transport != NULL && loop_transport_is_closing (self->transport)));
}

/* --- Reading ---------------------------------------------------------------------------------- */

PyDoc_STRVAR (pause_reading_doc, "pause_reading($self, /)\n--\n\nReceive nothing until resume_reading().");

static PyObject *
transport_pause_reading (PyObject *object, PyObject *unused)
{
  PyTransport *self = (PyTransport *) object;

  if (!self->is_closing && !self->is_paused)
    {
      self->is_paused = TRUE;
      if (self->transport != NULL)
        loop_transport_pause_reading (self->transport);
    }

  Py_RETURN_NONE;
}

PyDoc_STRVAR (resume_reading_doc, "resume_reading($self, /)\n--\n\nReceive again.");

static PyObject *
transport_resume_reading (PyObject *object, PyObject *unused)
{
  PyTransport *self = (PyTransport *) object;

  if (!self->is_closing && self->is_paused)
    {
      self->is_paused = FALSE;
      if (self->transport != NULL)
        loop_transport_resume_reading (self->transport);
    }

  Py_RETURN_NONE;
}

PyDoc_STRVAR (is_reading_doc, "is_reading($self, /)\n--\n\nReturn True if the transport receives.");

static PyObject *
transport_is_reading (PyObject *object, PyObject *unused)
{
  PyTransport *self = (PyTransport *) object;

  return PyBool_FromLong (!self->is_paused && !self->is_closing);
}

/* --- The protocol ----------------------------------------------------------------------------- */

/* What an inspector shows. Below TLS it is the protocol above that is of interest. */
static void
name_bridge (PyTransport *self)
{
  PyObject *above = self->is_ssl ? PyObject_GetAttr (self->protocol, py_str._app_protocol) : NULL;

  PyErr_Clear ();
  loop_protocol_set_static_name (self->bridge,
                                 py_name_of_type (above != NULL && above != Py_None ? above : self->protocol));
  Py_XDECREF (above);
}

static gboolean
take_protocol (PyTransport *self, PyObject *protocol)
{
  int is_buffered = PyObject_IsInstance (protocol, buffered_protocol_type);

  if (is_buffered < 0)
    return FALSE;

  self->is_buffered = (char) is_buffered;
  self->is_ssl = (char) PyObject_TypeCheck (protocol, py_ssl_type);
  self->is_stream = (char) py_stream_is_protocol (protocol);
  Py_XSETREF (self->protocol, Py_NewRef (protocol));
  if (self->bridge != NULL)
    name_bridge (self);

  return TRUE;
}

PyDoc_STRVAR (set_protocol_doc, "set_protocol($self, protocol, /)\n--\n\nSet a new protocol.");

static PyObject *
transport_set_protocol (PyObject *self, PyObject *protocol)
{
  if (!take_protocol ((PyTransport *) self, protocol))
    return NULL;

  Py_RETURN_NONE;
}

PyDoc_STRVAR (get_protocol_doc, "get_protocol($self, /)\n--\n\nReturn the protocol.");

static PyObject *
transport_get_protocol (PyObject *object, PyObject *unused)
{
  PyTransport *self = (PyTransport *) object;

  return Py_NewRef (self->protocol != NULL ? self->protocol : Py_None);
}

/* --- Extra information ------------------------------------------------------------------------ */

static PyObject *
address_from_native (const struct sockaddr_storage *storage, socklen_t length)
{
  char host[INET6_ADDRSTRLEN];

  if (storage->ss_family == AF_INET)
    {
      const struct sockaddr_in *in = (const struct sockaddr_in *) storage;

      inet_ntop (AF_INET, &in->sin_addr, host, sizeof host);
      return Py_BuildValue ("(si)", host, (int) ntohs (in->sin_port));
    }

  if (storage->ss_family == AF_INET6)
    {
      const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *) storage;

      inet_ntop (AF_INET6, &in6->sin6_addr, host, sizeof host);
      return Py_BuildValue ("(siII)", host, (int) ntohs (in6->sin6_port), (unsigned int) ntohl (in6->sin6_flowinfo),
                            (unsigned int) in6->sin6_scope_id);
    }

  if (storage->ss_family == AF_UNIX)
    {
      const struct sockaddr_un *un = (const struct sockaddr_un *) storage;
      gsize path_length = length - G_STRUCT_OFFSET (struct sockaddr_un, sun_path);

      if (length <= G_STRUCT_OFFSET (struct sockaddr_un, sun_path))
        return PyUnicode_FromString ("");
      if (un->sun_path[0] == '\0')
        return PyBytes_FromStringAndSize (un->sun_path, (Py_ssize_t) path_length);
      return PyUnicode_DecodeFSDefaultAndSize (un->sun_path, (Py_ssize_t) strnlen (un->sun_path, path_length));
    }

  Py_RETURN_NONE;
}

typedef int (*AddressFunc) (int fd, struct sockaddr *address, socklen_t *length);

static PyObject *
get_address (PyTransport *self, AddressFunc function)
{
  struct sockaddr_storage storage;
  socklen_t length = sizeof storage;

  if (self->fd < 0 || function (self->fd, (struct sockaddr *) &storage, &length) < 0)
    Py_RETURN_NONE;

  return address_from_native (&storage, length);
}

static gboolean
make_socket (PyTransport *self)
{
  PyObject *number;

  if (self->sock != NULL || self->fd < 0)
    return TRUE;

  number = PyLong_FromLong (self->fd);
  if (number == NULL)
    return FALSE;
  /* socket.socket (family, type, proto, fileno), which asks the kernel for the rest. */
  self->sock = PyObject_CallFunction (socket_type, "iiiN", -1, -1, -1, number);

  return self->sock != NULL;
}

/* Returns: (transfer full): the information, or NULL without an error when there is none of that name */
static PyObject *
make_extra_info (PyTransport *self, PyObject *name)
{
  if (PyUnicode_Compare (name, py_str.socket) == 0)
    {
      if (!make_socket (self))
        return NULL;
      return self->sock != NULL ? PyObject_CallOneArg (transport_socket_type, self->sock) : NULL;
    }
  if (PyUnicode_Compare (name, py_str.sockname) == 0)
    return get_address (self, (AddressFunc) getsockname);
  if (PyUnicode_Compare (name, py_str.peername) == 0)
    return get_address (self, (AddressFunc) getpeername);

  return NULL;
}

PyDoc_STRVAR (get_extra_info_doc,
              "get_extra_info($self, name, default=None)\n--\n\n"
              "Return optional information: 'socket', 'sockname', 'peername', or what the loop was given.");

static PyObject *
transport_get_extra_info (PyObject *object, PyObject *args, PyObject *kwargs)
{
  static char *keywords[] = { "name", "default", NULL };
  PyTransport *self = (PyTransport *) object;
  PyObject *name;
  PyObject *fallback = Py_None;
  PyObject *value;

  if (!PyArg_ParseTupleAndKeywords (args, kwargs, "O|O:get_extra_info", keywords, &name, &fallback))
    return NULL;

  value = PyDict_GetItemWithError (self->extra, name);
  if (value != NULL)
    return Py_NewRef (value);
  if (PyErr_Occurred ())
    return NULL;

  value = PyUnicode_Check (name) ? make_extra_info (self, name) : NULL;
  if (value == NULL)
    return PyErr_Occurred () ? NULL : Py_NewRef (fallback);
  if (PyDict_SetItem (self->extra, name, value) < 0)
    Py_CLEAR (value);

  return value;
}

/* --- For asyncio.base_events -------------------------------------------------------------------- */

static PyObject *
transport__make_empty_waiter (PyObject *object, PyObject *unused)
{
  PyTransport *self = (PyTransport *) object;

  if (self->empty_waiter != NULL)
    return PyErr_Format (PyExc_RuntimeError, "Empty waiter is already set");
  if (self->loop == NULL)
    return PyErr_Format (PyExc_RuntimeError, "Transport is closed");

  self->empty_waiter = PyObject_CallMethod ((PyObject *) self->loop, "create_future", NULL);
  if (self->empty_waiter == NULL)
    return NULL;

  if (self->transport == NULL || loop_transport_get_write_buffer_size (self->transport) == 0)
    {
      PyObject *result = py_transport_fulfil (self->empty_waiter);

      Py_XDECREF (result);
      return result != NULL ? Py_NewRef (self->empty_waiter) : NULL;
    }

  /* With marks of zero, libloop tells when all is written. */
  self->is_draining = TRUE;
  loop_transport_get_write_buffer_limits (self->transport, &self->low_water, &self->high_water);
  loop_transport_set_write_buffer_limits (self->transport, 0, 0, NULL);

  return Py_NewRef (self->empty_waiter);
}

static PyObject *
transport__reset_empty_waiter (PyObject *self, PyObject *unused)
{
  Py_CLEAR (((PyTransport *) self)->empty_waiter);

  Py_RETURN_NONE;
}

static PyObject *
transport_get__sock (PyObject *object, void *unused)
{
  PyTransport *self = (PyTransport *) object;

  if (!make_socket (self))
    return NULL;

  return Py_NewRef (self->sock != NULL ? self->sock : Py_None);
}

static PyObject *
transport_repr (PyObject *object)
{
  PyTransport *self = (PyTransport *) object;
  const char *state = self->loop == NULL ? " closed" : self->is_closing ? " closing" : "";
  gsize size = self->transport != NULL ? loop_transport_get_write_buffer_size (self->transport) : 0;

  if (self->loop == NULL)
    return PyUnicode_FromFormat ("<%s%s>", "SocketTransport", state);

  return PyUnicode_FromFormat ("<%s%s fd=%d read=%s write=<%s, bufsize=%zd>>", "SocketTransport", state, self->fd,
                               self->is_paused || self->is_closing ? "idle" : "polling", size > 0 ? "polling" : "idle",
                               (Py_ssize_t) size);
}

/* --- The type --------------------------------------------------------------------------------- */

static int
transport_traverse (PyObject *object, visitproc visit, void *arg)
{
  PyTransport *self = (PyTransport *) object;

  Py_VISIT (Py_TYPE (object));
  Py_VISIT (self->dict);
  Py_VISIT (self->extra);
  for (guint i = 0; i < G_N_ELEMENTS (self->flow_control); i++)
    Py_VISIT (self->flow_control[i]);
  Py_VISIT (self->loop);
  Py_VISIT (self->protocol);
  Py_VISIT (self->sock);
  Py_VISIT (self->server);
  Py_VISIT (self->waiter);
  Py_VISIT (self->empty_waiter);
  Py_VISIT (self->exception);

  return 0;
}

static int
transport_clear (PyObject *object)
{
  PyTransport *self = (PyTransport *) object;

  Py_CLEAR (self->dict);
  for (guint i = 0; i < G_N_ELEMENTS (self->flow_control); i++)
    Py_CLEAR (self->flow_control[i]);
  Py_CLEAR (self->extra);
  Py_CLEAR (self->loop);
  Py_CLEAR (self->protocol);
  Py_CLEAR (self->sock);
  Py_CLEAR (self->server);
  Py_CLEAR (self->waiter);
  Py_CLEAR (self->empty_waiter);
  Py_CLEAR (self->exception);

  return 0;
}

static void
transport_dealloc (PyObject *object)
{
  PyTransport *self = (PyTransport *) object;
  PyTypeObject *type = Py_TYPE (object);

  PyObject_GC_UnTrack (object);
  if (self->weak_references != NULL)
    PyObject_ClearWeakRefs (object);
  g_clear_object (&self->transport);
  transport_clear (object);
  type->tp_free (object);
  Py_DECREF (type);
}

static PyTransport *
transport_new (PyLoop *loop, PyObject *protocol, PyObject *extra, PyObject *server)
{
  PyTransport *self;

  if (extra != Py_None && !PyDict_Check (extra))
    {
      PyErr_Format (PyExc_TypeError, "extra must be a dict or None, not %s", Py_TYPE (extra)->tp_name);
      return NULL;
    }
  self = (PyTransport *) py_transport_type->tp_alloc (py_transport_type, 0);
  if (self == NULL)
    return NULL;

  self->fd = -1;
  self->loop = (PyLoop *) Py_NewRef ((PyObject *) loop);
  self->extra = extra != Py_None ? PyDict_Copy (extra) : PyDict_New ();
  if (self->extra == NULL || !take_protocol (self, protocol))
    {
      Py_DECREF (self);
      return NULL;
    }
  if (server != Py_None)
    self->server = Py_NewRef (server);

  return self;
}

/* Takes over the reference that the caller has. */
static LoopProtocol *
make_bridge (PyTransport *self)
{
  py_owned_add (&self->owned, &self->loop->owned, (PyObject *) self);

  self->bridge = loop_protocol_new (&py_transport_protocol_vtable, self, py_transport_protocol_freed);
  name_bridge (self);

  return self->bridge;
}

static void
attach_to_server (PyTransport *self)
{
  if (self->server != NULL)
    py_transport_report (self, PyObject_CallMethodNoArgs (self->server, py_str._attach),
                         "Could not attach a connection to its server");
}

/* Returns: (transfer full): a protocol of libloop's, which makes a transport for @protocol when it is connected */
LoopProtocol *
py_transport_make_bridge (PyLoop *loop, PyObject *protocol, PyObject *server)
{
  PyTransport *self = transport_new (loop, protocol, Py_None, server);

  if (self == NULL)
    return NULL;

  attach_to_server (self);

  return make_bridge (self);
}

/* A list of those whose connections are not lost yet. */
PyObject *
py_loop_get_transports_of (PyObject *self, PyObject *server)
{
  PyLoop *loop = (PyLoop *) self;
  PyObject *transports = PyList_New (0);

  /* NULL in a loop that was never initialised. */
  for (PyOwned *owned = loop->owned.next; transports != NULL && owned != NULL && owned != &loop->owned;
       owned = owned->next)
    {
      if (Py_IS_TYPE (owned->object, py_transport_type) && ((PyTransport *) owned->object)->server == server &&
          PyList_Append (transports, owned->object) < 0)
        Py_CLEAR (transports);
    }

  return transports;
}

/* Returns: %TRUE, or %FALSE with an exception if that descriptor is a transport's */
gboolean
py_loop_check_unused (PyLoop *loop, PyObject *fd_object)
{
  int fd = PyObject_AsFileDescriptor (fd_object);

  if (fd < 0)
    return FALSE;

  for (PyOwned *owned = loop->owned.next; owned != NULL && owned != &loop->owned; owned = owned->next)
    {
      PyTransport *transport = (PyTransport *) owned->object;

      if (Py_IS_TYPE (owned->object, py_transport_type) && transport->fd == fd && !transport->is_closing)
        {
          PyErr_Format (PyExc_RuntimeError, "File descriptor %R is used by transport %R", fd_object, transport);
          return FALSE;
        }
    }

  return TRUE;
}

/* As asyncio's own method of this name, which create_connection() and others call. */
PyObject *
py_loop_make_socket_transport (PyObject *loop_object, PyObject *args, PyObject *kwargs)
{
  static char *keywords[] = { "sock", "protocol", "waiter", "extra", "server", NULL };
  PyLoop *loop = py_loop_get_open (loop_object);
  PyObject *sock;
  PyObject *protocol;
  PyObject *waiter = Py_None;
  PyObject *extra = Py_None;
  PyObject *server = Py_None;
  PyTransport *self;
  g_autoptr (LoopProtocol) bridge = NULL;
  GError *error = NULL;

  if (loop == NULL ||
      !PyArg_ParseTupleAndKeywords (args, kwargs, "OO|O$OO", keywords, &sock, &protocol, &waiter, &extra, &server))
    return NULL;

  self = transport_new (loop, protocol, extra, server);
  if (self == NULL)
    return NULL;

  self->fd = PyObject_AsFileDescriptor (sock);
  if (self->fd < 0)
    {
      Py_DECREF (self);
      return NULL;
    }

  Py_INCREF (self);
  bridge = make_bridge (self);
  self->transport = loop_event_loop_make_socket_transport (loop->loop, self->fd, bridge, &error);
  if (self->transport == NULL)
    {
      self->fd = -1;
      Py_DECREF (self);
      py_raise_gerror (error);
      return NULL;
    }

  self->sock = Py_NewRef (sock);
  if (waiter != Py_None)
    self->waiter = Py_NewRef (waiter);
  attach_to_server (self);

  return (PyObject *) self;
}

PyDoc_STRVAR (write_doc,
              "write($self, data, /)\n--\n\n"
              "Write bytes: at once as far as the peer takes them, the rest when it does.");

PyDoc_STRVAR (
    writelines_doc,
    "writelines($self, list_of_data, /)\n--\n\nWrite pieces one after another, with as few calls as possible.");

PyDoc_STRVAR (write_eof_doc,
              "write_eof($self, /)\n--\n\nClose the writing end once what is buffered has been written.");

PyDoc_STRVAR (get_write_buffer_size_doc, "get_write_buffer_size($self, /)\n--\n\nReturn how many bytes are buffered.");

PyDoc_STRVAR (set_write_buffer_limits_doc,
              "set_write_buffer_limits($self, high=None, low=None)\n--\n\n"
              "Set when the protocol is told to pause and to resume writing.");

PyDoc_STRVAR (get_write_buffer_limits_doc, "get_write_buffer_limits($self, /)\n--\n\nReturn (low, high), in bytes.");

#define FUNCTION(function) ((PyCFunction) (void (*) (void)) (function))

static PyMethodDef transport_methods[] = {
  { "abort", transport_abort, METH_NOARGS, abort_doc },
  { "can_write_eof", py_transport_can_write_eof, METH_NOARGS, NULL },
  { "close", transport_close, METH_NOARGS, close_doc },
  { "get_extra_info", FUNCTION (transport_get_extra_info), METH_VARARGS | METH_KEYWORDS, get_extra_info_doc },
  { "get_protocol", transport_get_protocol, METH_NOARGS, get_protocol_doc },
  { "get_write_buffer_limits", py_transport_get_write_buffer_limits, METH_NOARGS, get_write_buffer_limits_doc },
  { "get_write_buffer_size", py_transport_get_write_buffer_size, METH_NOARGS, get_write_buffer_size_doc },
  { "is_closing", transport_is_closing, METH_NOARGS, is_closing_doc },
  { "is_reading", transport_is_reading, METH_NOARGS, is_reading_doc },
  { "pause_reading", transport_pause_reading, METH_NOARGS, pause_reading_doc },
  { "resume_reading", transport_resume_reading, METH_NOARGS, resume_reading_doc },
  { "set_protocol", transport_set_protocol, METH_O, set_protocol_doc },
  { "set_write_buffer_limits", FUNCTION (py_transport_set_write_buffer_limits), METH_VARARGS | METH_KEYWORDS,
    set_write_buffer_limits_doc },
  { "write", py_transport_write, METH_O, write_doc },
  { "write_eof", py_transport_write_eof, METH_NOARGS, write_eof_doc },
  { "writelines", py_transport_writelines, METH_O, writelines_doc },
  { "_fatal_error", transport__fatal_error, METH_VARARGS, NULL },
  { "_force_close", transport__force_close, METH_O, NULL },
  { "_make_empty_waiter", transport__make_empty_waiter, METH_NOARGS, NULL },
  { "_reset_empty_waiter", transport__reset_empty_waiter, METH_NOARGS, NULL },
  { NULL },
};

static PyGetSetDef transport_getset[] = {
  { "_sock", transport_get__sock, NULL, NULL, NULL },
  { NULL },
};

static PyMemberDef transport_members[] = {
  { "_extra", T_OBJECT, offsetof (PyTransport, extra), READONLY, NULL },
  { "_loop", T_OBJECT, offsetof (PyTransport, loop), READONLY, NULL },
  { "_protocol_paused", T_BOOL, offsetof (PyTransport, is_writing_paused), READONLY, NULL },
  { "_protocol", T_OBJECT, offsetof (PyTransport, protocol), READONLY, NULL },
  { "_server", T_OBJECT, offsetof (PyTransport, server), READONLY, NULL },
  { "_sock_fd", T_INT, offsetof (PyTransport, fd), READONLY, NULL },
  { "__dictoffset__", T_PYSSIZET, offsetof (PyTransport, dict), READONLY, NULL },
  { "__weaklistoffset__", T_PYSSIZET, offsetof (PyTransport, weak_references), READONLY, NULL },
  { NULL },
};

PyDoc_STRVAR (transport_doc, "A transport on a connected stream socket.");

static PyType_Slot transport_slots[] = {
  { Py_tp_doc, (void *) transport_doc }, { Py_tp_dealloc, transport_dealloc }, { Py_tp_traverse, transport_traverse },
  { Py_tp_clear, transport_clear },      { Py_tp_methods, transport_methods }, { Py_tp_members, transport_members },
  { Py_tp_getset, transport_getset },    { Py_tp_repr, transport_repr },       { 0, NULL },
};

static PyType_Spec transport_spec = {
  .name = "_libloop.SocketTransport",
  .basicsize = sizeof (PyTransport),
  .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
  .slots = transport_slots,
};

static gboolean
set_sendfile_mode (void)
{
  PyObject *modes = py_import_attribute ("asyncio.constants", "_SendfileMode");
  PyObject *mode = modes != NULL ? PyObject_GetAttrString (modes, "TRY_NATIVE") : NULL;
  int status =
      mode != NULL ? PyObject_SetAttrString ((PyObject *) py_transport_type, "_sendfile_compatible", mode) : -1;

  Py_XDECREF (mode);
  Py_XDECREF (modes);

  return status == 0;
}

int
py_transport_init_type (PyObject *module)
{
  PyObject *base = py_import_attribute ("asyncio.transports", "_FlowControlMixin");
  PyObject *logger = py_import_attribute ("asyncio.log", "logger");
  PyObject *transport_base = NULL;

  buffered_protocol_type = py_import_attribute ("asyncio", "BufferedProtocol");
  socket_type = py_import_attribute ("socket", "socket");
  transport_socket_type = py_import_attribute ("asyncio.trsock", "TransportSocket");
  py_transport_logger_warning = logger != NULL ? PyObject_GetAttrString (logger, "warning") : NULL;
  Py_XDECREF (logger);
  if (base == NULL || py_transport_logger_warning == NULL || buffered_protocol_type == NULL || socket_type == NULL ||
      transport_socket_type == NULL)
    return -1;

  /* The slots of asyncio's classes are where our first fields are. */
  if (((PyTypeObject *) base)->tp_basicsize != offsetof (PyTransport, loop))
    {
      PyErr_SetString (PyExc_ImportError, "asyncio.Transport of this Python has another size");
      return -1;
    }

  transport_base = PyTuple_Pack (1, base);
  Py_DECREF (base);
  if (transport_base == NULL)
    return -1;
  py_transport_type = (PyTypeObject *) PyType_FromModuleAndSpec (module, &transport_spec, transport_base);
  Py_DECREF (transport_base);
  if (py_transport_type == NULL)
    return -1;

  if (PyObject_SetAttrString ((PyObject *) py_transport_type, "_start_tls_compatible", Py_True) < 0 ||
      !set_sendfile_mode ())
    return -1;

  return PyModule_AddType (module, py_transport_type);
}
