/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "py-transport.h"

#include <structmember.h>

/*
 * The part of asyncio.sslproto.SSLProtocol that is called for each message, for which it is a
 * base class: the attributes that are asked for then are fields here, and what the class calls
 * handshake, shutdown, flow control and failure stays where it is.
 *
 * Two things are cheaper than they are there. What was received goes from libloop's buffer to
 * the MemoryBIO, with none for each connection in between; and when OpenSSL has used up what
 * there was, it is not asked again, which would only make it raise SSLWantReadError.
 */
typedef struct
{
  PyObject_HEAD
  PyObject *state; /* an asyncio.sslproto.SSLProtocolState */
  PyObject *transport;
  PyObject *app_protocol;
  PyObject *incoming; /* ssl.MemoryBIO */
  PyObject *outgoing;
  PyObject *ssl_object;    /* ssl.SSLObject */
  PyObject *engine;        /* what that calls for everything, or NULL: it was not asked for yet */
  PyObject *write_backlog; /* collections.deque */
  PyObject *buffer;        /* a bytearray that get_buffer() has lent out, or NULL */
  Py_ssize_t write_buffer_size;
  Py_ssize_t incoming_high_water;
  Py_ssize_t incoming_low_water;
  Py_ssize_t outgoing_high_water;
  Py_ssize_t outgoing_low_water;
  char app_protocol_is_buffer;
  char app_reading_paused;
  char app_writing_paused;
  char ssl_reading_paused;
  char ssl_writing_paused;
} PySSL;

PyTypeObject *py_ssl_type;

static PyObject *base_type; /* asyncio.sslproto.SSLProtocol */
static PyObject *again_errors;
static PyObject *state_do_handshake;
static PyObject *state_wrapped;
static PyObject *state_flushing;
static PyObject *state_shutdown;

/* The data of a TLS record, at most. */
#define MAX_RECORD 16384

/* What other transports receive into, when they do not say how much there is. */
#define BUFFER_SIZE (64 * 1024)

/* What __init__() sets may be missing. */
static gboolean
check_there (PyObject *attribute)
{
  if (G_LIKELY (attribute != NULL))
    return TRUE;

  PyErr_SetString (PyExc_RuntimeError, "The SSLProtocol was not initialized");

  return FALSE;
}

static PyObject *
get_engine (PySSL *self)
{
  if (self->engine == NULL && check_there (self->ssl_object))
    self->engine = PyObject_GetAttr (self->ssl_object, py_str._sslobj);

  return self->engine;
}

static PyObject *
call (PyObject *object, PyObject *name, PyObject *argument)
{
  PyObject *args[] = { object, argument };

  return PyObject_VectorcallMethod (name, args, (argument != NULL ? 2 : 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
}

/* Takes the result of a call. */
static int
check (PyObject *result)
{
  Py_XDECREF (result);

  return result != NULL ? 0 : -1;
}

/* Returns: the number of bytes in a MemoryBIO, or -1 */
static Py_ssize_t
get_pending (PyObject *bio)
{
  PyObject *pending;
  Py_ssize_t n;

  if (!check_there (bio))
    return -1;

  pending = PyObject_GetAttr (bio, py_str.pending);
  if (pending == NULL)
    return -1;
  n = PyLong_AsSsize_t (pending);
  Py_DECREF (pending);

  return n;
}

/* Whether OpenSSL only waits for more, or for room. */
static gboolean
is_again (void)
{
  if (!PyErr_ExceptionMatches (again_errors))
    return FALSE;

  PyErr_Clear ();

  return TRUE;
}

/* What is an exception of the application's or of TLS ends the connection; an interrupt goes on to the loop. */
static int
fail (PySSL *self)
{
  PyObject *exception;

  if (!PyErr_ExceptionMatches (PyExc_Exception))
    return -1;

  exception = py_take_exception ();

  return check (PyObject_CallMethod ((PyObject *) self, "_fatal_error", "Ns", exception,
                                     "Fatal error on SSL protocol"));
}

/* Calls what the base class does when a limit is crossed. */
static int
call_base (PySSL *self, PyObject *name)
{
  return check (call (base_type, name, (PyObject *) self));
}

/* --- Writing ---------------------------------------------------------------------------------- */

static int
control_app_writing (PySSL *self)
{
  Py_ssize_t pending = get_pending (self->outgoing);
  Py_ssize_t size;

  if (pending < 0)
    return -1;

  size = pending + self->write_buffer_size;
  if (G_UNLIKELY (self->app_writing_paused ? size <= self->outgoing_low_water : size >= self->outgoing_high_water))
    return call_base (self, py_str._control_app_writing);

  return 0;
}

static int
write_below (PySSL *self, PyObject *data)
{
  if (G_LIKELY (self->transport != NULL && Py_IS_TYPE (self->transport, py_transport_type)))
    return check (py_transport_write (self->transport, data));

  return check (call (self->transport != NULL ? self->transport : Py_None, py_str.write, data));
}

static int
process_outgoing (PySSL *self)
{
  Py_ssize_t pending = get_pending (self->outgoing);
  PyObject *data;
  int status;

  if (pending < 0)
    return -1;

  if (pending > 0 && !self->ssl_writing_paused)
    {
      data = call (self->outgoing, py_str.read, NULL);
      if (data == NULL)
        return -1;
      status = write_below (self, data);
      Py_DECREF (data);
      if (status < 0)
        return -1;
    }

  return control_app_writing (self);
}

/* Returns: how much of @length bytes was encrypted, a record at a time; or -1 */
static Py_ssize_t
encrypt (PyObject *engine, const char *bytes, Py_ssize_t length)
{
  Py_ssize_t n_written = 0;

  while (n_written < length)
    {
      PyObject *rest = PyMemoryView_FromMemory ((char *) bytes + n_written, length - n_written, PyBUF_READ);
      PyObject *count = rest != NULL ? call (engine, py_str.write, rest) : NULL;
      Py_ssize_t n = count != NULL ? PyLong_AsSsize_t (count) : -1;

      Py_XDECREF (rest);
      Py_XDECREF (count);
      if (n < 0)
        return is_again () ? n_written : -1;
      n_written += n;
    }

  return n_written;
}

/* Returns: how much of @data was encrypted, all of it as a rule; or -1 */
static Py_ssize_t
encrypt_object (PySSL *self, PyObject *data, Py_ssize_t *length)
{
  PyObject *engine = get_engine (self);
  Py_ssize_t n;
  Py_buffer view;

  if (engine == NULL || PyObject_GetBuffer (data, &view, PyBUF_SIMPLE) < 0)
    return -1;

  *length = view.len;
  Py_INCREF (engine);
  n = encrypt (engine, view.buf, view.len);
  Py_DECREF (engine);
  PyBuffer_Release (&view);

  return n;
}

/* Appends what is left of @data after the first @skipped bytes: a copy, for what may change. */
static int
append_backlog (PySSL *self, PyObject *data, Py_ssize_t skipped)
{
  PyObject *rest;
  Py_buffer view;
  int status;

  if (PyObject_GetBuffer (data, &view, PyBUF_SIMPLE) < 0)
    return -1;
  rest = skipped == 0 && PyBytes_CheckExact (data)
             ? Py_NewRef (data)
             : PyBytes_FromStringAndSize ((const char *) view.buf + skipped, view.len - skipped);
  PyBuffer_Release (&view);
  if (rest == NULL)
    return -1;

  self->write_buffer_size += PyBytes_GET_SIZE (rest);
  status = check (call (self->write_backlog, py_str.append, rest));
  Py_DECREF (rest);

  return status;
}

/* The first of the backlog. Returns: 1 if it is gone, 0 if nothing can be written now, -1 on error */
static int
write_first (PySSL *self)
{
  PyObject *data = PySequence_GetItem (self->write_backlog, 0);
  Py_ssize_t length = 0;
  Py_ssize_t n = data != NULL ? encrypt_object (self, data, &length) : -1;
  int status = -1;

  if (n == length)
    {
      self->write_buffer_size -= length;
      status = PySequence_DelItem (self->write_backlog, 0) == 0 ? 1 : -1;
    }
  else if (n >= 0)
    {
      /* The rest takes its place. */
      PyObject *rest = PySequence_GetSlice (data, n, length);

      self->write_buffer_size -= n;
      status = rest != NULL ? PySequence_SetItem (self->write_backlog, 0, rest) : -1;
      Py_XDECREF (rest);
    }
  Py_XDECREF (data);

  return status;
}

static int
do_write (PySSL *self)
{
  int status = 1;

  while (status == 1 && self->write_backlog != NULL)
    {
      Py_ssize_t n = PySequence_Size (self->write_backlog);

      if (n <= 0)
        {
          status = (int) n;
          break;
        }
      status = write_first (self);
    }

  return status < 0 ? -1 : process_outgoing (self);
}

/* Returns: whether the base class is to do it, for the connection is not or no longer there */
static gboolean
is_write_unusual (PySSL *self)
{
  return self->state != state_wrapped || self->write_backlog == NULL || self->app_protocol == NULL;
}

static int
write_one (PySSL *self, PyObject *data)
{
  Py_ssize_t n_waiting = PySequence_Size (self->write_backlog);
  Py_ssize_t length = 0;
  Py_ssize_t n = 0;

  if (n_waiting < 0)
    return -1;

  if (n_waiting > 0)
    return append_backlog (self, data, 0) < 0 ? -1 : do_write (self);

  n = encrypt_object (self, data, &length);
  if (n < 0 || (n < length && append_backlog (self, data, n) < 0))
    return -1;

  return process_outgoing (self);
}

static gboolean
check_data (PyObject *data)
{
  if (PyBytes_Check (data) || PyByteArray_Check (data) || PyMemoryView_Check (data))
    return TRUE;

  PyErr_Format (PyExc_TypeError, "data: expecting a bytes-like instance, got %s", Py_TYPE (data)->tp_name);

  return FALSE;
}

/* The SSLProtocol of a transport. Returns: (transfer full) */
static PyObject *
get_ssl_protocol (PyObject *transport)
{
  return PyObject_GetAttr (transport, py_str._ssl_protocol);
}

PyDoc_STRVAR (write_doc, "write($self, data, /)\n--\n\nWrite bytes, which TLS encrypts.");

static PyObject *
ssl_transport_write (PyObject *transport, PyObject *data)
{
  PyObject *protocol;
  PySSL *self;
  int is_empty;
  int status = 0;

  if (!check_data (data))
    return NULL;
  is_empty = PyObject_Not (data);
  if (is_empty != 0)
    return is_empty < 0 ? NULL : Py_NewRef (Py_None);

  protocol = get_ssl_protocol (transport);
  if (protocol == NULL)
    return NULL;

  /* None: closed twice. */
  self = (PySSL *) protocol;
  if (G_UNLIKELY (!PyObject_TypeCheck (protocol, py_ssl_type)))
    status = 0;
  else if (G_UNLIKELY (is_write_unusual (self)))
    status = check (PyObject_CallMethod (protocol, "_write_appdata", "((O))", data));
  else if (write_one (self, data) < 0)
    status = fail (self);
  Py_DECREF (protocol);

  return status < 0 ? NULL : Py_NewRef (Py_None);
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* Reads one record's worth. Returns: bytes, or NULL, without an exception when there is nothing */
static PyObject *
read_some (PyObject *engine, Py_ssize_t size)
{
  PyObject *wanted = PyLong_FromSsize_t (size);
  PyObject *bytes = wanted != NULL ? call (engine, py_str.read, wanted) : NULL;

  Py_XDECREF (wanted);
  if (bytes == NULL)
    is_again ();

  return bytes;
}

/*
 * Reads all that there is into @first and, if there is more, a list.
 *
 * Returns: 1, or 0 at the end of the stream, or -1 with an exception. What came before it is there nevertheless
 */
static int
read_all (PySSL *self, PyObject **first, PyObject **rest)
{
  PyObject *engine = get_engine (self);
  int status = engine != NULL ? 1 : -1;

  Py_XINCREF (engine);
  while (status == 1)
    {
      Py_ssize_t pending = get_pending (self->incoming);
      Py_ssize_t size = pending > 0 ? MIN (pending, MAX_RECORD) : MAX_RECORD;
      PyObject *bytes = pending >= 0 ? read_some (engine, size) : NULL;
      Py_ssize_t n;

      if (bytes == NULL)
        {
          status = PyErr_Occurred () ? -1 : 1;
          break;
        }

      n = PyBytes_GET_SIZE (bytes);
      if (n == 0)
        status = 0;
      else if (*first == NULL)
        *first = Py_NewRef (bytes);
      else if ((*rest == NULL && (*rest = PyList_New (0)) == NULL) || PyList_Append (*rest, bytes) < 0)
        status = -1;
      Py_DECREF (bytes);

      /* A record has ended, and nothing is left of which another could be made. */
      if (status == 1 && n < size)
        {
          pending = get_pending (self->incoming);
          if (pending <= 0)
            {
              status = pending < 0 ? -1 : 1;
              break;
            }
        }
    }
  Py_XDECREF (engine);

  return status;
}

/* Takes both. */
static int
hand_over (PySSL *self, PyObject *first, PyObject *rest)
{
  PyObject *data = first;
  int status;

  if (rest != NULL)
    {
      PyObject *empty = PyBytes_FromStringAndSize (NULL, 0);

      data = PyList_Insert (rest, 0, first) == 0 ? PyObject_CallMethodOneArg (empty, py_str.join, rest) : NULL;
      Py_DECREF (empty);
      Py_DECREF (first);
      Py_DECREF (rest);
    }

  /* The connection may be lost since. */
  if (data == NULL || self->app_protocol == NULL || self->app_protocol == Py_None)
    status = data == NULL ? -1 : 0;
  else
    status = check (PyObject_CallMethodOneArg (self->app_protocol, py_str.data_received, data));
  Py_XDECREF (data);

  return status;
}

static int
read_copied (PySSL *self)
{
  PyObject *first = NULL;
  PyObject *rest = NULL;
  PyObject *failure = NULL;
  int status = read_all (self, &first, &rest);

  if (status < 0)
    failure = py_take_exception ();

  if (first != NULL && hand_over (self, first, rest) < 0)
    {
      Py_XDECREF (failure);
      return -1;
    }
  if (failure != NULL)
    {
      PyErr_SetObject ((PyObject *) Py_TYPE (failure), failure);
      Py_DECREF (failure);
      return -1;
    }

  /* close_notify */
  if (status == 0 && (check (call ((PyObject *) self, py_str._call_eof_received, NULL)) < 0 ||
                      check (call ((PyObject *) self, py_str._start_shutdown, NULL)) < 0))
    return -1;

  return 0;
}

static int
control_ssl_reading (PySSL *self)
{
  Py_ssize_t size = get_pending (self->incoming);

  if (size < 0)
    return -1;
  if (G_UNLIKELY (self->ssl_reading_paused ? size <= self->incoming_low_water : size >= self->incoming_high_water))
    return call_base (self, py_str._control_ssl_reading);

  return 0;
}

static int
write_rest (PySSL *self)
{
  Py_ssize_t n_waiting = self->write_backlog != NULL ? PySequence_Size (self->write_backlog) : 0;

  if (n_waiting < 0)
    return -1;

  return n_waiting > 0 ? do_write (self) : process_outgoing (self);
}

static int
do_read (PySSL *self)
{
  int status = 0;

  if (self->state != state_wrapped && self->state != state_flushing)
    return 0;

  if (!self->app_reading_paused)
    {
      if (G_UNLIKELY (self->app_protocol_is_buffer))
        status = check (call ((PyObject *) self, py_str._do_read__buffered, NULL));
      else
        status = read_copied (self);
      if (status == 0)
        status = write_rest (self);
    }
  if (status == 0)
    status = control_ssl_reading (self);

  return status < 0 ? fail (self) : 0;
}

static int
go_on (PySSL *self)
{
  if (G_LIKELY (self->state == state_wrapped))
    return do_read (self);
  if (self->state == state_do_handshake)
    return check (call ((PyObject *) self, py_str._do_handshake, NULL));
  if (self->state == state_flushing)
    return check (call ((PyObject *) self, py_str._do_flush, NULL));
  if (self->state == state_shutdown)
    return check (call ((PyObject *) self, py_str._do_shutdown, NULL));

  return 0;
}

/* Returns: 0, or -1 with an exception: the connection is closing then */
static int
receive (PySSL *self, const char *data, Py_ssize_t length)
{
  PyObject *view = check_there (self->incoming) ? PyMemoryView_FromMemory ((char *) data, length, PyBUF_READ) : NULL;
  PyObject *exception;

  if (view != NULL && check (call (self->incoming, py_str.write, view)) == 0 && go_on (self) == 0)
    {
      Py_DECREF (view);
      return 0;
    }

  Py_XDECREF (view);
  exception = py_take_exception ();
  if (self->transport != NULL && self->transport != Py_None &&
      check (PyObject_CallMethod (self->transport, "close", NULL)) < 0)
    PyErr_WriteUnraisable ((PyObject *) self);
  PyErr_SetObject ((PyObject *) Py_TYPE (exception), exception);
  Py_DECREF (exception);

  return -1;
}

/* For our own transports. */
int
py_ssl_receive (PyObject *self, const guint8 *data, gsize length)
{
  return receive ((PySSL *) self, (const char *) data, (Py_ssize_t) length);
}

/* --- For other transports: a BufferedProtocol's methods ----------------------------------------- */

PyDoc_STRVAR (get_buffer_doc, "get_buffer($self, sizehint, /)\n--\n\nReturn memory to receive into.");

static PyObject *
ssl_get_buffer (PyObject *object, PyObject *hint)
{
  PySSL *self = (PySSL *) object;
  Py_ssize_t size = PyNumber_AsSsize_t (hint, PyExc_OverflowError);

  if (size == -1 && PyErr_Occurred ())
    return NULL;
  if (size <= 0 || size > BUFFER_SIZE)
    size = BUFFER_SIZE;

  if (self->buffer == NULL || PyByteArray_GET_SIZE (self->buffer) < size)
    {
      PyObject *buffer = PyByteArray_FromStringAndSize (NULL, size);

      if (buffer == NULL)
        return NULL;
      Py_XSETREF (self->buffer, buffer);
    }

  return PyMemoryView_FromObject (self->buffer);
}

PyDoc_STRVAR (buffer_updated_doc, "buffer_updated($self, nbytes, /)\n--\n\nDecrypt what was received.");

static PyObject *
ssl_buffer_updated (PyObject *object, PyObject *n_bytes)
{
  PySSL *self = (PySSL *) object;
  Py_ssize_t n = PyNumber_AsSsize_t (n_bytes, PyExc_OverflowError);
  PyObject *buffer = self->buffer;
  int status;

  if (n == -1 && PyErr_Occurred ())
    return NULL;
  if (buffer == NULL || n < 0 || n > PyByteArray_GET_SIZE (buffer))
    return PyErr_Format (PyExc_ValueError, "%zd bytes cannot have been received into the buffer", n);

  Py_INCREF (buffer);
  status = receive (self, PyByteArray_AS_STRING (buffer), n);
  Py_DECREF (buffer);

  return status < 0 ? NULL : Py_NewRef (Py_None);
}

/* --- What the base class calls ------------------------------------------------------------------ */

static PyObject *
ssl__do_read (PyObject *self, PyObject *unused)
{
  return do_read ((PySSL *) self) < 0 ? NULL : Py_NewRef (Py_None);
}

static PyObject *
ssl__do_write (PyObject *self, PyObject *unused)
{
  return do_write ((PySSL *) self) < 0 ? NULL : Py_NewRef (Py_None);
}

static PyObject *
ssl__process_outgoing (PyObject *self, PyObject *unused)
{
  return process_outgoing ((PySSL *) self) < 0 ? NULL : Py_NewRef (Py_None);
}

/* --- The types -------------------------------------------------------------------------------- */

static PyObject *
ssl_get__sslobj (PyObject *self, void *unused)
{
  PyObject *object = ((PySSL *) self)->ssl_object;

  return Py_NewRef (object != NULL ? object : Py_None);
}

static int
ssl_set__sslobj (PyObject *object, PyObject *value, void *unused)
{
  PySSL *self = (PySSL *) object;

  Py_CLEAR (self->engine);
  Py_XSETREF (self->ssl_object, Py_XNewRef (value));

  return 0;
}

static int
ssl_traverse (PyObject *object, visitproc visit, void *arg)
{
  PySSL *self = (PySSL *) object;

  Py_VISIT (Py_TYPE (object));
  Py_VISIT (self->state);
  Py_VISIT (self->transport);
  Py_VISIT (self->app_protocol);
  Py_VISIT (self->incoming);
  Py_VISIT (self->outgoing);
  Py_VISIT (self->ssl_object);
  Py_VISIT (self->engine);
  Py_VISIT (self->write_backlog);

  return 0;
}

static int
ssl_clear (PyObject *object)
{
  PySSL *self = (PySSL *) object;

  Py_CLEAR (self->state);
  Py_CLEAR (self->transport);
  Py_CLEAR (self->app_protocol);
  Py_CLEAR (self->incoming);
  Py_CLEAR (self->outgoing);
  Py_CLEAR (self->ssl_object);
  Py_CLEAR (self->engine);
  Py_CLEAR (self->write_backlog);
  Py_CLEAR (self->buffer);

  return 0;
}

static void
ssl_dealloc (PyObject *object)
{
  PyTypeObject *type = Py_TYPE (object);

  PyObject_GC_UnTrack (object);
  ssl_clear (object);
  type->tp_free (object);
  Py_DECREF (type);
}

#define OBJECT(name, field) { name, T_OBJECT, offsetof (PySSL, field), 0, NULL }
#define FLAG(name, field) { name, T_BOOL, offsetof (PySSL, field), 0, NULL }
#define SIZE(name, field) { name, T_PYSSIZET, offsetof (PySSL, field), 0, NULL }

static PyMemberDef ssl_members[] = {
  OBJECT ("_state", state),
  OBJECT ("_transport", transport),
  OBJECT ("_app_protocol", app_protocol),
  OBJECT ("_incoming", incoming),
  OBJECT ("_outgoing", outgoing),
  OBJECT ("_write_backlog", write_backlog),
  SIZE ("_write_buffer_size", write_buffer_size),
  SIZE ("_incoming_high_water", incoming_high_water),
  SIZE ("_incoming_low_water", incoming_low_water),
  SIZE ("_outgoing_high_water", outgoing_high_water),
  SIZE ("_outgoing_low_water", outgoing_low_water),
  FLAG ("_app_protocol_is_buffer", app_protocol_is_buffer),
  FLAG ("_app_reading_paused", app_reading_paused),
  FLAG ("_app_writing_paused", app_writing_paused),
  FLAG ("_ssl_reading_paused", ssl_reading_paused),
  FLAG ("_ssl_writing_paused", ssl_writing_paused),
  { NULL },
};

static PyGetSetDef ssl_getset[] = {
  { "_sslobj", ssl_get__sslobj, ssl_set__sslobj, NULL, NULL },
  { NULL },
};

static PyMethodDef ssl_methods[] = {
  { "get_buffer", ssl_get_buffer, METH_O, get_buffer_doc },
  { "buffer_updated", ssl_buffer_updated, METH_O, buffer_updated_doc },
  { "_do_read", ssl__do_read, METH_NOARGS, NULL },
  { "_do_write", ssl__do_write, METH_NOARGS, NULL },
  { "_process_outgoing", ssl__process_outgoing, METH_NOARGS, NULL },
  { NULL },
};

PyDoc_STRVAR (ssl_doc, "The part of libloop's SSLProtocol that is called for each message.");

static PyType_Slot ssl_slots[] = {
  { Py_tp_doc, (void *) ssl_doc }, { Py_tp_dealloc, ssl_dealloc }, { Py_tp_traverse, ssl_traverse },
  { Py_tp_clear, ssl_clear },      { Py_tp_methods, ssl_methods }, { Py_tp_members, ssl_members },
  { Py_tp_getset, ssl_getset },    { 0, NULL },
};

static PyType_Spec ssl_spec = {
  .name = "_libloop.SSLProtocol",
  .basicsize = sizeof (PySSL),
  .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
  .slots = ssl_slots,
};

PyDoc_STRVAR (ssl_transport_doc, "A transport over TLS.");

static PyMethodDef ssl_transport_methods[] = {
  { "write", ssl_transport_write, METH_O, write_doc },
  { NULL },
};

static PyType_Slot ssl_transport_slots[] = {
  { Py_tp_doc, (void *) ssl_transport_doc },
  { Py_tp_methods, ssl_transport_methods },
  { 0, NULL },
};

static PyType_Spec ssl_transport_spec = {
  .name = "_libloop.SSLTransport",
  .flags = Py_TPFLAGS_DEFAULT,
  .slots = ssl_transport_slots,
};

static gboolean
find_states (PyObject *states)
{
  return (state_do_handshake = PyObject_GetAttrString (states, "DO_HANDSHAKE")) != NULL &&
         (state_wrapped = PyObject_GetAttrString (states, "WRAPPED")) != NULL &&
         (state_flushing = PyObject_GetAttrString (states, "FLUSHING")) != NULL &&
         (state_shutdown = PyObject_GetAttrString (states, "SHUTDOWN")) != NULL;
}

int
py_ssl_init_types (PyObject *module)
{
  PyObject *states = py_import_attribute ("asyncio.sslproto", "SSLProtocolState");
  PyObject *transport_base = py_import_attribute ("asyncio.sslproto", "_SSLProtocolTransport");
  PyObject *transport_type;

  base_type = py_import_attribute ("asyncio.sslproto", "SSLProtocol");
  again_errors = py_import_attribute ("asyncio.sslproto", "SSLAgainErrors");
  if (states == NULL || transport_base == NULL || base_type == NULL || again_errors == NULL || !find_states (states))
    return -1;
  Py_DECREF (states);

  py_ssl_type = (PyTypeObject *) PyType_FromModuleAndSpec (module, &ssl_spec, NULL);
  ssl_transport_spec.basicsize = (int) ((PyTypeObject *) transport_base)->tp_basicsize;
  transport_type = PyType_FromModuleAndSpec (module, &ssl_transport_spec, transport_base);
  Py_DECREF (transport_base);
  if (py_ssl_type == NULL || transport_type == NULL)
    return -1;

  if (PyModule_AddType (module, py_ssl_type) < 0)
    return -1;

  return PyModule_AddType (module, (PyTypeObject *) transport_type);
}
