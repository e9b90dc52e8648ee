/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "py-transport.h"

/* The writing half of the transport. */

/* asyncio.constants.LOG_THRESHOLD_FOR_CONNLOST_WRITES */
#define LOG_THRESHOLD 5

PyObject *py_transport_logger_warning;

static void
free_bytes (gpointer bytes)
{
  PyGILState_STATE state = PyGILState_Ensure ();

  Py_DECREF ((PyObject *) bytes);
  PyGILState_Release (state);
}

/* What is larger is not copied when the peer does not take it at once. */
#define MIN_SHARED (16 * 1024)

static void
write_object (PyTransport *self, PyObject *data, const char *bytes, Py_ssize_t length)
{
  if (length >= MIN_SHARED && PyBytes_CheckExact (data))
    {
      g_autoptr (GBytes) shared = g_bytes_new_with_free_func (bytes, (gsize) length, free_bytes, Py_NewRef (data));

      loop_transport_write_bytes (self->transport, shared);
    }
  else
    {
      loop_transport_write (self->transport, (const guint8 *) bytes, (gsize) length);
    }
}

static gboolean
check_writable (PyTransport *self)
{
  if (self->is_eof)
    {
      PyErr_SetString (PyExc_RuntimeError, "Cannot call write() after write_eof()");
      return FALSE;
    }

  if (self->empty_waiter != NULL)
    {
      PyErr_SetString (PyExc_RuntimeError, "unable to write; sendfile is in progress");
      return FALSE;
    }

  return TRUE;
}

static PyObject *
count_lost_write (PyTransport *self)
{
  if (self->n_lost_writes++ >= LOG_THRESHOLD)
    return PyObject_CallFunction (py_transport_logger_warning, "s", "socket.send() raised exception.");

  Py_RETURN_NONE;
}

PyObject *
py_transport_write (PyObject *object, PyObject *data)
{
  PyTransport *self = (PyTransport *) object;
  Py_buffer view;

  if (G_UNLIKELY (!PyBytes_Check (data) && !PyByteArray_Check (data) && !PyMemoryView_Check (data)))
    return PyErr_Format (PyExc_TypeError, "data argument must be a bytes-like object, not '%s'",
                         Py_TYPE (data)->tp_name);
  if (G_UNLIKELY (self->is_eof || self->empty_waiter != NULL) && !check_writable (self))
    return NULL;
  if (PyObject_GetBuffer (data, &view, PyBUF_SIMPLE) < 0)
    return NULL;

  if (view.len > 0)
    {
      if (G_UNLIKELY (self->is_closing || self->transport == NULL))
        {
          PyBuffer_Release (&view);
          return count_lost_write (self);
        }
      write_object (self, data, view.buf, view.len);
    }
  PyBuffer_Release (&view);

  Py_RETURN_NONE;
}

PyObject *
py_transport_writelines (PyObject *object, PyObject *lines)
{
  PyTransport *self = (PyTransport *) object;
  PyObject *sequence;
  g_autoptr (GPtrArray) pieces = NULL;

  if (!check_writable (self))
    return NULL;
  sequence = PySequence_Fast (lines, "writelines() argument must be an iterable of bytes-like objects");
  if (sequence == NULL)
    return NULL;

  pieces = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE (sequence); i++)
    {
      PyObject *item = PySequence_Fast_GET_ITEM (sequence, i);
      PyObject *bytes = PyBytes_CheckExact (item) ? Py_NewRef (item) : NULL;

      if (bytes == NULL && (PyByteArray_Check (item) || PyMemoryView_Check (item) || PyBytes_Check (item)))
        bytes = PyBytes_FromObject (item);
      else if (bytes == NULL)
        PyErr_Format (PyExc_TypeError, "sequence item %zd: expected a bytes-like object, %s found", i,
                      Py_TYPE (item)->tp_name);
      if (bytes == NULL)
        {
          Py_DECREF (sequence);
          return NULL;
        }
      g_ptr_array_add (pieces, g_bytes_new_with_free_func (PyBytes_AS_STRING (bytes), (gsize) PyBytes_GET_SIZE (bytes),
                                                           free_bytes, bytes));
    }
  Py_DECREF (sequence);

  if (self->is_closing || self->transport == NULL)
    return count_lost_write (self);
  loop_transport_writelines (self->transport, (GBytes **) pieces->pdata, pieces->len);

  Py_RETURN_NONE;
}

PyObject *
py_transport_write_eof (PyObject *object, PyObject *unused)
{
  PyTransport *self = (PyTransport *) object;

  if (!self->is_closing && !self->is_eof)
    {
      self->is_eof = TRUE;
      if (self->transport != NULL)
        loop_transport_write_eof (self->transport);
    }

  Py_RETURN_NONE;
}

PyObject *
py_transport_can_write_eof (PyObject *self, PyObject *unused)
{
  Py_RETURN_TRUE;
}

PyObject *
py_transport_get_write_buffer_size (PyObject *object, PyObject *unused)
{
  PyTransport *self = (PyTransport *) object;

  return PyLong_FromSize_t (self->transport != NULL ? loop_transport_get_write_buffer_size (self->transport) : 0);
}

PyObject *
py_transport_set_write_buffer_limits (PyObject *object, PyObject *args, PyObject *kwargs)
{
  static char *keywords[] = { "high", "low", NULL };
  PyTransport *self = (PyTransport *) object;
  PyObject *values[] = { Py_None, Py_None };
  gssize limits[2] = { -1, -1 };
  GError *error = NULL;

  if (!PyArg_ParseTupleAndKeywords (args, kwargs, "|OO", keywords, &values[0], &values[1]))
    return NULL;

  for (guint i = 0; i < G_N_ELEMENTS (values); i++)
    {
      if (values[i] == Py_None)
        continue;
      limits[i] = PyNumber_AsSsize_t (values[i], PyExc_OverflowError);
      if (limits[i] == -1 && PyErr_Occurred ())
        return NULL;
      if (limits[i] < 0)
        return PyErr_Format (PyExc_ValueError, "high (%R) must be >= low (%R) must be >= 0", values[0], values[1]);
    }

  if (self->transport != NULL &&
      !loop_transport_set_write_buffer_limits (self->transport, limits[0], limits[1], &error))
    {
      g_error_free (error);
      return PyErr_Format (PyExc_ValueError, "high (%R) must be >= low (%R) must be >= 0", values[0], values[1]);
    }

  Py_RETURN_NONE;
}

PyObject *
py_transport_get_write_buffer_limits (PyObject *object, PyObject *unused)
{
  PyTransport *self = (PyTransport *) object;
  gsize low = 0;
  gsize high = 0;

  if (self->transport != NULL)
    loop_transport_get_write_buffer_limits (self->transport, &low, &high);

  return Py_BuildValue ("(nn)", (Py_ssize_t) low, (Py_ssize_t) high);
}
