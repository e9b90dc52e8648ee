/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "py-ssl.h"

#include <structmember.h>

PyTypeObject *py_ssl_type;
PySSLNames py_ssl_names;

/* What other transports receive into, when they do not say how much there is. */
#define BUFFER_SIZE (64 * 1024)

static gboolean
check_data (PyObject *data)
{
  if (PyBytes_Check (data) || PyByteArray_Check (data) || PyMemoryView_Check (data))
    return TRUE;

  PyErr_Format (PyExc_TypeError, "data: expecting a bytes-like instance, got %s", Py_TYPE (data)->tp_name);

  return FALSE;
}

PyDoc_STRVAR (write_doc, "write($self, data, /)\n--\n\nWrite bytes, which TLS encrypts.");

static PyObject *
ssl_transport_write (PyObject *transport, PyObject *data)
{
  PyObject *protocol;
  PySSL *self;
  int is_empty;
  int status;

  if (!check_data (data))
    return NULL;
  is_empty = PyObject_Not (data);
  if (is_empty != 0)
    return is_empty < 0 ? NULL : Py_NewRef (Py_None);

  protocol = PyObject_GetAttr (transport, py_str._ssl_protocol);
  if (protocol == NULL)
    return NULL;

  /* None: closed twice. */
  self = (PySSL *) protocol;
  if (G_UNLIKELY (!PyObject_TypeCheck (protocol, py_ssl_type)))
    status = 0;
  else if (G_UNLIKELY (py_ssl_is_write_unusual (self)))
    status = py_ssl_check (PyObject_CallMethod (protocol, "_write_appdata", "((O))", data));
  else
    status = py_ssl_write_one (self, data) < 0 ? py_ssl_fail (self) : 0;
  Py_DECREF (protocol);

  return status < 0 ? NULL : Py_NewRef (Py_None);
}

/* For our own transports. */
int
py_ssl_receive (PyObject *self, const guint8 *data, gsize length)
{
  return py_ssl_receive_data ((PySSL *) self, (const char *) data, (Py_ssize_t) length);
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
  status = py_ssl_receive_data (self, PyByteArray_AS_STRING (buffer), n);
  Py_DECREF (buffer);

  return status < 0 ? NULL : Py_NewRef (Py_None);
}

/* --- What the base class calls ------------------------------------------------------------------ */

static PyObject *
ssl__do_read (PyObject *self, PyObject *unused)
{
  return py_ssl_do_read ((PySSL *) self) < 0 ? NULL : Py_NewRef (Py_None);
}

static PyObject *
ssl__do_write (PyObject *self, PyObject *unused)
{
  return py_ssl_do_write ((PySSL *) self) < 0 ? NULL : Py_NewRef (Py_None);
}

static PyObject *
ssl__process_outgoing (PyObject *self, PyObject *unused)
{
  return py_ssl_process_outgoing ((PySSL *) self) < 0 ? NULL : Py_NewRef (Py_None);
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

#define OBJECT(name, field)                                                                                            \
  {                                                                                                                    \
    name, T_OBJECT, offsetof (PySSL, field), 0, NULL                                                                   \
  }
#define FLAG(name, field)                                                                                              \
  {                                                                                                                    \
    name, T_BOOL, offsetof (PySSL, field), 0, NULL                                                                     \
  }
#define SIZE(name, field)                                                                                              \
  {                                                                                                                    \
    name, T_PYSSIZET, offsetof (PySSL, field), 0, NULL                                                                 \
  }

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
  { Py_tp_doc, (void *) ssl_doc },  { Py_tp_dealloc, ssl_dealloc },
  { Py_tp_traverse, ssl_traverse }, { Py_tp_clear, ssl_clear },
  { Py_tp_methods, ssl_methods },   { Py_tp_members, ssl_members },
  { Py_tp_getset, ssl_getset },     { 0, NULL },
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
  return (py_ssl_names.do_handshake = PyObject_GetAttrString (states, "DO_HANDSHAKE")) != NULL &&
         (py_ssl_names.wrapped = PyObject_GetAttrString (states, "WRAPPED")) != NULL &&
         (py_ssl_names.flushing = PyObject_GetAttrString (states, "FLUSHING")) != NULL &&
         (py_ssl_names.shutdown = PyObject_GetAttrString (states, "SHUTDOWN")) != NULL;
}

int
py_ssl_init_types (PyObject *module)
{
  PyObject *states = py_import_attribute ("asyncio.sslproto", "SSLProtocolState");
  PyObject *transport_base = py_import_attribute ("asyncio.sslproto", "_SSLProtocolTransport");
  PyObject *transport_type;

  py_ssl_names.base_type = py_import_attribute ("asyncio.sslproto", "SSLProtocol");
  py_ssl_names.again_errors = py_import_attribute ("asyncio.sslproto", "SSLAgainErrors");
  if (states == NULL || transport_base == NULL || py_ssl_names.base_type == NULL || py_ssl_names.again_errors == NULL ||
      !find_states (states))
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
