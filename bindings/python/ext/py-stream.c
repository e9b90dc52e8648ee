/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "py-common.h"

/*
 * The protocol of asyncio's streams: what is received goes into the reader's buffer at once,
 * as StreamReaderProtocol.data_received() and StreamReader.feed_data() would put it there. They
 * are called whenever there is more to it than that, or when somebody had put others in their
 * place before the transport got its protocol.
 */

static PyTypeObject *protocol_type; /* asyncio.StreamReaderProtocol */
static PyTypeObject *reader_type;   /* asyncio.StreamReader */
static PyObject *file_name;         /* of both */

/* Whether that method is asyncio's own. */
static gboolean
is_genuine (PyObject *instance, PyObject *name)
{
  PyObject *method = PyObject_GetAttr (instance, name);
  PyObject *code = NULL;
  gboolean result = FALSE;

  if (method != NULL && PyMethod_Check (method) && PyFunction_Check (PyMethod_GET_FUNCTION (method)))
    code = PyFunction_GET_CODE (PyMethod_GET_FUNCTION (method));
  if (code != NULL)
    {
      PyObject *file = PyObject_GetAttr (code, py_str.co_filename);

      result = file != NULL && PyObject_RichCompareBool (file, file_name, Py_EQ) == 1;
      Py_XDECREF (file);
    }
  PyErr_Clear ();
  Py_XDECREF (method);

  return result;
}

/* Returns: (transfer full) (nullable): the reader, without an exception if there is none */
static PyObject *
get_reader (PyObject *protocol)
{
  PyObject *weak = PyObject_GetAttr (protocol, py_str._stream_reader_wr);
  PyObject *reader = weak != NULL && PyWeakref_CheckRef (weak) ? PyWeakref_GetObject (weak) : NULL;

  if (weak == NULL)
    PyErr_Clear ();
  reader = reader != NULL && Py_IS_TYPE (reader, reader_type) ? Py_NewRef (reader) : NULL;
  Py_XDECREF (weak);

  return reader;
}

/* Tells whether py_stream_feed() may be tried with that protocol. */
gboolean
py_stream_is_protocol (PyObject *protocol)
{
  PyObject *reader;
  gboolean result;

  if (!Py_IS_TYPE (protocol, protocol_type) || !is_genuine (protocol, py_str.data_received))
    return FALSE;

  reader = get_reader (protocol);
  result = reader != NULL && is_genuine (reader, py_str.feed_data) && is_genuine (reader, py_str._wakeup_waiter);
  Py_XDECREF (reader);

  return result;
}

/* Returns: the buffer, with as much more room; %NULL if that is not all that there is to do */
static PyObject *
extend_buffer (PyObject *reader, gsize length)
{
  PyObject *eof = PyObject_GetAttr (reader, py_str._eof);
  PyObject *limit = PyObject_GetAttr (reader, py_str._limit);
  PyObject *buffer = PyObject_GetAttr (reader, py_str._buffer);
  gboolean is_simple = FALSE;

  if (eof == Py_False && limit != NULL && PyLong_CheckExact (limit) && buffer != NULL &&
      PyByteArray_CheckExact (buffer))
    {
      double room = 2.0 * PyLong_AsDouble (limit) - (double) PyByteArray_GET_SIZE (buffer);

      is_simple = !PyErr_Occurred () && room >= (double) length &&
                  PyByteArray_Resize (buffer, PyByteArray_GET_SIZE (buffer) + (Py_ssize_t) length) == 0;
    }
  PyErr_Clear ();
  if (!is_simple)
    Py_CLEAR (buffer);
  Py_XDECREF (eof);
  Py_XDECREF (limit);

  return buffer;
}

/* Returns: whether it could be done; or it has raised an exception */
static gboolean
wake_up_waiter (PyObject *reader)
{
  PyObject *waiter = PyObject_GetAttr (reader, py_str._waiter);
  PyObject *result;

  if (waiter == NULL || waiter == Py_None)
    {
      Py_XDECREF (waiter);
      return waiter != NULL;
    }

  result = PyObject_SetAttr (reader, py_str._waiter, Py_None) == 0
               ? PyObject_CallMethodNoArgs (waiter, py_str.cancelled)
               : NULL;
  if (result == Py_False)
    Py_SETREF (result, PyObject_CallMethodOneArg (waiter, py_str.set_result, Py_None));
  Py_DECREF (waiter);
  Py_XDECREF (result);

  return result != NULL;
}

/* Returns: 1, or 0: the protocol's own method is to be called, or -1 with an exception */
int
py_stream_feed (PyObject *protocol, const guint8 *data, gsize length)
{
  PyObject *reader = get_reader (protocol);
  PyObject *buffer;
  gboolean success;

  if (reader == NULL)
    return 0;

  buffer = extend_buffer (reader, length);
  if (buffer == NULL)
    {
      Py_DECREF (reader);
      return 0;
    }

  memcpy (PyByteArray_AS_STRING (buffer) + PyByteArray_GET_SIZE (buffer) - length, data, length);
  Py_DECREF (buffer);
  success = wake_up_waiter (reader);
  Py_DECREF (reader);

  return success ? 1 : -1;
}

int
py_stream_init (void)
{
  protocol_type = (PyTypeObject *) py_import_attribute ("asyncio.streams", "StreamReaderProtocol");
  reader_type = (PyTypeObject *) py_import_attribute ("asyncio.streams", "StreamReader");
  file_name = py_import_attribute ("asyncio.streams", "__file__");

  return protocol_type != NULL && reader_type != NULL && file_name != NULL ? 0 : -1;
}
