/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "py-transport.h"

/* What libloop's transport tells: the protocol in Python learns of it. */

/* Gives a future that is pending its result. */
PyObject *
py_transport_fulfil (PyObject *future)
{
  PyObject *done = PyObject_CallMethod (future, "done", NULL);

  if (done == Py_False)
    Py_SETREF (done, PyObject_CallMethod (future, "set_result", "O", Py_None));

  return done;
}

static void
tell_waiter (PyTransport *self)
{
  PyObject *waiter = self->waiter;

  if (waiter == NULL)
    return;

  self->waiter = NULL;
  py_transport_report (self, py_transport_fulfil (waiter), "Could not tell that a connection was made");
  Py_DECREF (waiter);
}

static void
connection_made (LoopTransport *transport, gpointer data)
{
  PyTransport *self = data;
  PyTurnScope turn;
  PyObject *result;

  if (self->is_lost)
    return;

  py_turn_begin (&turn, self->loop, self->protocol);
  if (self->transport == NULL)
    {
      /* Of a server: here we meet. */
      self->transport = g_object_ref (transport);
      self->fd = loop_transport_get_fd (transport);
    }

  result = PyObject_CallMethodOneArg (self->protocol, py_str.connection_made, (PyObject *) self);
  py_transport_report (self, result, "Exception in protocol.connection_made()");
  tell_waiter (self);
  py_turn_end (&turn);
}

/* The object closes the descriptor, unless somebody has before: its number may be another's by now. */
static void
close_socket (PyTransport *self)
{
  gboolean is_open;
  PyObject *result;

  if (self->sock == NULL)
    return;

  /* A closed loop's transports have closed theirs. */
  is_open = self->transport != NULL && loop_transport_steal_fd (self->transport) >= 0;
  result = PyObject_CallMethod (self->sock, is_open ? "close" : "detach", NULL);
  if (result == NULL)
    PyErr_WriteUnraisable (self->sock);
  Py_XDECREF (result);
}

/* Whoever asks for them later still gets them, as in asyncio. */
static void
remember_addresses (PyTransport *self)
{
  PyObject *names[] = { py_str.sockname, py_str.peername };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      PyObject *result = PyObject_CallMethod ((PyObject *) self, "get_extra_info", "O", names[i]);

      if (result == NULL)
        PyErr_WriteUnraisable ((PyObject *) self);
      Py_XDECREF (result);
    }
}

static void
fail_empty_waiter (PyTransport *self)
{
  PyObject *waiter = self->empty_waiter;
  PyObject *error;
  PyObject *result;

  if (waiter == NULL)
    return;

  error = PyObject_CallFunction (PyExc_ConnectionError, "s", "Connection is closed by peer");
  result = PyObject_CallMethod (waiter, "done", NULL);
  if (result == Py_False && error != NULL)
    Py_XSETREF (result, PyObject_CallMethod (waiter, "set_exception", "O", error));
  Py_XDECREF (error);
  if (result == NULL)
    PyErr_WriteUnraisable (waiter);
  Py_XDECREF (result);
}

/* The end, however it came about: what the transport has is let go of. */
static void
finish (PyTransport *self)
{
  PyObject *server = self->server;

  remember_addresses (self);
  close_socket (self);
  self->fd = -1;
  fail_empty_waiter (self);
  g_clear_object (&self->transport);
  Py_CLEAR (self->sock);
  Py_CLEAR (self->protocol);
  Py_CLEAR (self->exception);
  Py_CLEAR (self->loop);

  self->server = NULL;
  if (server != NULL)
    {
      PyObject *result = PyObject_CallMethodNoArgs (server, py_str._detach);

      if (result == NULL)
        PyErr_WriteUnraisable (server);
      Py_XDECREF (result);
      Py_DECREF (server);
    }
}

static void
connection_lost (LoopTransport *transport, const GError *error, gpointer data)
{
  PyTransport *self = data;
  PyObject *exception = self->exception;
  PyTurnScope turn;
  PyObject *result;

  if (exception != NULL)
    Py_INCREF (exception);
  else if (error != NULL)
    exception = py_exception_from_gerror (error);
  else
    exception = Py_NewRef (Py_None);

  self->is_closing = TRUE;
  self->is_lost = TRUE;
  Py_INCREF (self);
  if (exception == NULL)
    {
      PyErr_WriteUnraisable ((PyObject *) self);
      exception = Py_NewRef (Py_None);
    }
  py_turn_begin (&turn, self->loop, self->protocol);
  result = PyObject_CallMethodOneArg (self->protocol, py_str.connection_lost, exception);
  py_transport_report (self, result, "Exception in protocol.connection_lost()");
  Py_DECREF (exception);
  finish (self);
  py_turn_end (&turn);
  Py_DECREF (self);
}

/* When the loop was closed, nobody is told of the connection's end. */
void
py_transport_protocol_freed (gpointer data)
{
  PyTransport *self = data;

  py_owned_remove (&self->owned);
  self->bridge = NULL;
  self->is_lost = TRUE;
  self->is_closing = TRUE;
  if (self->fd >= 0)
    {
      close_socket (self);
      self->fd = -1;
    }
  Py_DECREF (self);
}

static gboolean
give_to_buffer (PyTransport *self, const guint8 *data, gsize length)
{
  while (length > 0)
    {
      PyObject *hint = PyLong_FromSsize_t (-1);
      PyObject *buffer = PyObject_CallMethodOneArg (self->protocol, py_str.get_buffer, hint);
      PyObject *n_bytes;
      PyObject *result;
      Py_buffer view;
      gsize n;

      Py_DECREF (hint);
      if (buffer == NULL || PyObject_GetBuffer (buffer, &view, PyBUF_WRITABLE) < 0)
        {
          Py_XDECREF (buffer);
          py_transport_fatal_error (self, "Fatal error: protocol.get_buffer() call failed.");
          return FALSE;
        }

      n = MIN (length, (gsize) view.len);
      memcpy (view.buf, data, n);
      PyBuffer_Release (&view);
      Py_DECREF (buffer);
      if (n == 0)
        {
          PyErr_SetString (PyExc_RuntimeError, "get_buffer() returned an empty buffer");
          py_transport_fatal_error (self, "Fatal error: protocol.get_buffer() call failed.");
          return FALSE;
        }

      n_bytes = PyLong_FromSize_t (n);
      result = n_bytes != NULL ? PyObject_CallMethodOneArg (self->protocol, py_str.buffer_updated, n_bytes) : NULL;
      Py_XDECREF (n_bytes);
      if (result == NULL)
        {
          py_transport_fatal_error (self, "Fatal error: protocol.buffer_updated() call failed.");
          return FALSE;
        }
      Py_DECREF (result);
      data += n;
      length -= n;

      if (self->protocol == NULL || self->is_lost)
        return FALSE;
    }

  return TRUE;
}

/* Returns: 0, or -1 with an exception */
static int
give_to_protocol (PyTransport *self, const guint8 *data, gsize length)
{
  PyObject *bytes;
  PyObject *result;

  if (self->is_stream)
    {
      int fed = py_stream_feed (self->protocol, data, length);

      if (fed != 0)
        return MIN (fed, 0);
    }

  bytes = PyBytes_FromStringAndSize ((const char *) data, (Py_ssize_t) length);
  result = bytes != NULL ? PyObject_CallMethodOneArg (self->protocol, py_str.data_received, bytes) : NULL;
  Py_XDECREF (bytes);
  Py_XDECREF (result);

  return result != NULL ? 0 : -1;
}

static void
data_received (LoopTransport *transport, const guint8 *data, gsize length, gpointer user_data)
{
  PyTransport *self = user_data;
  PyTurnScope turn;

  if (G_UNLIKELY (self->is_lost))
    return;

  Py_INCREF (self);
  py_turn_begin (&turn, self->loop, self->protocol);
  if (self->is_ssl)
    {
      if (py_ssl_receive (self->protocol, data, length) < 0)
        py_transport_fatal_error (self, "Fatal error: protocol.buffer_updated() call failed.");
    }
  else if (G_UNLIKELY (self->is_buffered))
    {
      give_to_buffer (self, data, length);
    }
  else if (give_to_protocol (self, data, length) < 0)
    {
      py_transport_fatal_error (self, "Fatal error: protocol.data_received() call failed.");
    }
  py_turn_end (&turn);
  Py_DECREF (self);
}

static gboolean
eof_received (LoopTransport *transport, gpointer user_data)
{
  PyTransport *self = user_data;
  PyTurnScope turn;
  PyObject *result;
  int keep_open;

  if (self->is_lost)
    return FALSE;

  Py_INCREF (self);
  py_turn_begin (&turn, self->loop, self->protocol);
  result = PyObject_CallMethodNoArgs (self->protocol, py_str.eof_received);
  keep_open = result != NULL ? PyObject_IsTrue (result) : -1;
  Py_XDECREF (result);
  if (keep_open < 0)
    py_transport_fatal_error (self, "Fatal error: protocol.eof_received() call failed.");
  else if (!keep_open)
    self->is_closing = TRUE;
  py_turn_end (&turn);
  Py_DECREF (self);

  return keep_open == 1;
}

static void
pause_writing (LoopTransport *transport, gpointer user_data)
{
  PyTransport *self = user_data;

  if (self->protocol == NULL || self->is_draining)
    return;

  self->is_writing_paused = TRUE;
  py_transport_report (self, PyObject_CallMethodNoArgs (self->protocol, py_str.pause_writing),
                       "protocol.pause_writing() failed");
}

static void
resume_writing (LoopTransport *transport, gpointer user_data)
{
  PyTransport *self = user_data;

  if (self->is_draining)
    {
      self->is_draining = FALSE;
      loop_transport_set_write_buffer_limits (transport, (gssize) self->high_water, (gssize) self->low_water, NULL);
      if (self->empty_waiter != NULL)
        py_transport_report (self, py_transport_fulfil (self->empty_waiter),
                             "Could not tell that everything was written");
    }

  if (self->protocol == NULL || !self->is_writing_paused)
    return;

  self->is_writing_paused = FALSE;
  py_transport_report (self, PyObject_CallMethodNoArgs (self->protocol, py_str.resume_writing),
                       "protocol.resume_writing() failed");
}

const LoopProtocolVTable py_transport_protocol_vtable = {
  .connection_made = connection_made,
  .connection_lost = connection_lost,
  .pause_writing = pause_writing,
  .resume_writing = resume_writing,
  .data_received = data_received,
  .eof_received = eof_received,
};
