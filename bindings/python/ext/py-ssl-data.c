/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "py-ssl.h"

/* What is written to the protocol and read from it: through OpenSSL, by way of two ssl.MemoryBIO. */

/* The data of a TLS record, at most. */
#define MAX_RECORD 16384

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
  if (!PyErr_ExceptionMatches (py_ssl_names.again_errors))
    return FALSE;

  PyErr_Clear ();

  return TRUE;
}

/* What is an exception of the application's or of TLS ends the connection; an interrupt goes on to the loop. */
int
py_ssl_fail (PySSL *self)
{
  PyObject *exception;

  if (!PyErr_ExceptionMatches (PyExc_Exception))
    return -1;

  exception = py_take_exception ();

  return py_ssl_check (
      PyObject_CallMethod ((PyObject *) self, "_fatal_error", "Ns", exception, "Fatal error on SSL protocol"));
}

/* Calls what the base class does when a limit is crossed. */
static int
call_base (PySSL *self, PyObject *name)
{
  return py_ssl_check (call (py_ssl_names.base_type, name, (PyObject *) self));
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
    return py_ssl_check (py_transport_write (self->transport, data));

  return py_ssl_check (call (self->transport != NULL ? self->transport : Py_None, py_str.write, data));
}

int
py_ssl_process_outgoing (PySSL *self)
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
  status = py_ssl_check (call (self->write_backlog, py_str.append, rest));
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

int
py_ssl_do_write (PySSL *self)
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

  return status < 0 ? -1 : py_ssl_process_outgoing (self);
}

/* Returns: whether the base class is to do it, for the connection is not or no longer there */
gboolean
py_ssl_is_write_unusual (PySSL *self)
{
  return self->state != py_ssl_names.wrapped || self->write_backlog == NULL || self->app_protocol == NULL;
}

int
py_ssl_write_one (PySSL *self, PyObject *data)
{
  Py_ssize_t n_waiting = PySequence_Size (self->write_backlog);
  Py_ssize_t length = 0;
  Py_ssize_t n = 0;

  if (n_waiting < 0)
    return -1;

  if (n_waiting > 0)
    return append_backlog (self, data, 0) < 0 ? -1 : py_ssl_do_write (self);

  n = encrypt_object (self, data, &length);
  if (n < 0 || (n < length && append_backlog (self, data, n) < 0))
    return -1;

  return py_ssl_process_outgoing (self);
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
    status = py_ssl_check (PyObject_CallMethodOneArg (self->app_protocol, py_str.data_received, data));
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
  if (status == 0 && (py_ssl_check (call ((PyObject *) self, py_str._call_eof_received, NULL)) < 0 ||
                      py_ssl_check (call ((PyObject *) self, py_str._start_shutdown, NULL)) < 0))
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

  return n_waiting > 0 ? py_ssl_do_write (self) : py_ssl_process_outgoing (self);
}

int
py_ssl_do_read (PySSL *self)
{
  int status = 0;

  if (self->state != py_ssl_names.wrapped && self->state != py_ssl_names.flushing)
    return 0;

  if (!self->app_reading_paused)
    {
      if (G_UNLIKELY (self->app_protocol_is_buffer))
        status = py_ssl_check (call ((PyObject *) self, py_str._do_read__buffered, NULL));
      else
        status = read_copied (self);
      if (status == 0)
        status = write_rest (self);
    }
  if (status == 0)
    status = control_ssl_reading (self);

  return status < 0 ? py_ssl_fail (self) : 0;
}

static int
go_on (PySSL *self)
{
  if (G_LIKELY (self->state == py_ssl_names.wrapped))
    return py_ssl_do_read (self);
  if (self->state == py_ssl_names.do_handshake)
    return py_ssl_check (call ((PyObject *) self, py_str._do_handshake, NULL));
  if (self->state == py_ssl_names.flushing)
    return py_ssl_check (call ((PyObject *) self, py_str._do_flush, NULL));
  if (self->state == py_ssl_names.shutdown)
    return py_ssl_check (call ((PyObject *) self, py_str._do_shutdown, NULL));

  return 0;
}

/* Returns: 0, or -1 with an exception: the connection is closing then */
int
py_ssl_receive_data (PySSL *self, const char *data, Py_ssize_t length)
{
  PyObject *view = check_there (self->incoming) ? PyMemoryView_FromMemory ((char *) data, length, PyBUF_READ) : NULL;
  PyObject *exception;

  if (view != NULL && py_ssl_check (call (self->incoming, py_str.write, view)) == 0 && go_on (self) == 0)
    {
      Py_DECREF (view);
      return 0;
    }

  Py_XDECREF (view);
  exception = py_take_exception ();
  if (self->transport != NULL && self->transport != Py_None &&
      py_ssl_check (PyObject_CallMethod (self->transport, "close", NULL)) < 0)
    PyErr_WriteUnraisable ((PyObject *) self);
  PyErr_SetObject ((PyObject *) Py_TYPE (exception), exception);
  Py_DECREF (exception);

  return -1;
}
