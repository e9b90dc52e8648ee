/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "py-common.h"

#include <errno.h>
#include <sys/socket.h>

/*
 * One call of sock_recv(), sock_recv_into() or sock_sendall(): a coroutine that tries at
 * once when it is awaited, and waits for the socket only when it has to.
 */
typedef enum
{
  CALL_RECV,
  CALL_RECV_INTO,
  CALL_SENDALL,
} CallKind;

typedef struct
{
  PyObject_HEAD PyLoop *loop;
  PyOwned owned; /* while it is watching */
  PyObject *sock;
  PyObject *buffer; /* to read into or to write */
  PyObject *future; /* while it waits for the socket */
  PyObject *result; /* once it is done */
  PyObject *failure;
  CallKind kind;
  Py_ssize_t size; /* wanted */
  Py_ssize_t sent;
  int fd;
  gboolean is_watching;
  gboolean is_begun;
} SockCall;

static PyTypeObject *call_type;

static void
stop_watching (SockCall *self)
{
  if (!self->is_watching)
    return;

  self->is_watching = FALSE;
  if (!self->loop->is_closed)
    {
      if (self->kind == CALL_SENDALL)
        loop_event_loop_remove_writer (self->loop->loop, self->fd);
      else
        loop_event_loop_remove_reader (self->loop->loop, self->fd);
    }
}

/* Returns: -1 with an exception, or with none when it would block; else 0 */
static int
finish_call (SockCall *self, Py_ssize_t n)
{
  if (n >= 0)
    return 0;

  if (errno != EAGAIN && errno != EINTR)
    PyErr_SetFromErrno (PyExc_OSError);

  return -1;
}

static int
try_recv (SockCall *self)
{
  PyObject *bytes = PyBytes_FromStringAndSize (NULL, self->size);
  Py_ssize_t n;

  if (bytes == NULL)
    return -1;

  n = recv (self->fd, PyBytes_AS_STRING (bytes), (gsize) self->size, 0);
  if (finish_call (self, n) < 0)
    {
      Py_DECREF (bytes);
      return -1;
    }

  if (n != self->size && _PyBytes_Resize (&bytes, n) < 0)
    return -1;
  self->result = bytes;

  return 0;
}

static int
try_recv_into (SockCall *self)
{
  Py_buffer view;
  Py_ssize_t n;

  if (PyObject_GetBuffer (self->buffer, &view, PyBUF_WRITABLE) < 0)
    return -1;
  n = recv (self->fd, view.buf, (gsize) view.len, 0);
  if (finish_call (self, n) == 0)
    self->result = PyLong_FromSsize_t (n);
  PyBuffer_Release (&view);

  return self->result != NULL ? 0 : -1;
}

static int
try_sendall (SockCall *self)
{
  Py_buffer view;
  Py_ssize_t n = 0;

  if (PyObject_GetBuffer (self->buffer, &view, PyBUF_SIMPLE) < 0)
    return -1;

  while (self->sent < view.len)
    {
      n = send (self->fd, (const char *) view.buf + self->sent, (gsize) (view.len - self->sent), MSG_NOSIGNAL);
      if (finish_call (self, n) < 0)
        break;
      self->sent += n;
    }
  if (self->sent >= view.len)
    self->result = Py_NewRef (Py_None);
  PyBuffer_Release (&view);

  return self->result != NULL ? 0 : -1;
}

static int
try_now (SockCall *self)
{
  switch (self->kind)
    {
    case CALL_RECV:
      return try_recv (self);
    case CALL_RECV_INTO:
      return try_recv_into (self);
    case CALL_SENDALL:
    default:
      return try_sendall (self);
    }
}

static void
socket_ready (gpointer data)
{
  SockCall *self = data;
  PyObject *done;

  if (self->future == NULL || self->loop->interrupted_by != NULL)
    return;
  if (try_now (self) < 0)
    {
      if (!PyErr_Occurred ())
        return;
      self->failure = py_take_exception ();
    }

  Py_INCREF (self);
  stop_watching (self);
  done = PyObject_CallMethod (self->future, "done", NULL);
  if (done == Py_False)
    Py_XSETREF (done, PyObject_CallMethod (self->future, "set_result", "O", Py_None));
  py_loop_check (self->loop, done, (PyObject *) self);
  Py_DECREF (self);
}

static void
watch_dropped (gpointer data)
{
  SockCall *self = data;

  self->is_watching = FALSE;
  py_owned_remove (&self->owned);
  Py_DECREF (self);
}

static gboolean
start_watching (SockCall *self)
{
  GError *error = NULL;
  gboolean is_added;

  py_owned_add (&self->owned, &self->loop->owned, Py_NewRef ((PyObject *) self));
  if (self->kind == CALL_SENDALL)
    is_added = loop_event_loop_add_writer_full (self->loop->loop, self->fd, socket_ready, self, watch_dropped, &error);
  else
    is_added = loop_event_loop_add_reader_full (self->loop->loop, self->fd, socket_ready, self, watch_dropped, &error);
  if (!is_added)
    {
      py_raise_gerror (error);
      return FALSE;
    }
  self->is_watching = TRUE;

  return TRUE;
}

static gboolean
check_socket (SockCall *self)
{
  PyObject *timeout;
  int is_blocking;

  if (py_loop_get_open ((PyObject *) self->loop) == NULL)
    return FALSE;

  if (G_UNLIKELY (self->loop->is_debug))
    {
      timeout = PyObject_CallMethod (self->sock, "gettimeout", NULL);
      is_blocking = timeout != NULL ? timeout == Py_None || PyObject_IsTrue (timeout) : -1;
      Py_XDECREF (timeout);
      if (is_blocking < 0)
        return FALSE;
      if (is_blocking)
        {
          PyErr_SetString (PyExc_ValueError, "the socket must be non-blocking");
          return FALSE;
        }
    }

  self->fd = PyObject_AsFileDescriptor (self->sock);

  return self->fd >= 0;
}

/* Gives the result, raises, or hands out the future to wait for. */
static PySendResult
step (SockCall *self, PyObject **result)
{
  *result = NULL;

  if (!self->is_begun)
    {
      self->is_begun = TRUE;
      if (!check_socket (self))
        return PYGEN_ERROR;
      if (try_now (self) < 0)
        {
          if (PyErr_Occurred ())
            return PYGEN_ERROR;
          self->future = PyObject_CallMethod ((PyObject *) self->loop, "create_future", NULL);
          if (self->future == NULL || !start_watching (self) ||
              PyObject_SetAttrString (self->future, "_asyncio_future_blocking", Py_True) < 0)
            return PYGEN_ERROR;
          *result = Py_NewRef (self->future);
          return PYGEN_NEXT;
        }
    }

  if (self->failure != NULL)
    {
      PyErr_SetObject ((PyObject *) Py_TYPE (self->failure), self->failure);
      Py_CLEAR (self->failure);
      return PYGEN_ERROR;
    }

  if (self->result == NULL)
    {
      PyErr_SetString (PyExc_RuntimeError, "cannot reuse already awaited coroutine");
      return PYGEN_ERROR;
    }

  *result = self->result;
  self->result = NULL;

  return PYGEN_RETURN;
}

static PySendResult
call_am_send (PyObject *self, PyObject *value, PyObject **result)
{
  return step ((SockCall *) self, result);
}

static PyObject *
return_step (PySendResult sent, PyObject *result)
{
  if (sent == PYGEN_RETURN)
    {
      _PyGen_SetStopIterationValue (result);
      Py_CLEAR (result);
    }

  return result;
}

static PyObject *
call_next (PyObject *self)
{
  PyObject *result;
  PySendResult sent = step ((SockCall *) self, &result);

  return return_step (sent, result);
}

static PyObject *
call_send (PyObject *self, PyObject *value)
{
  return call_next (self);
}

static PyObject *
call_throw (PyObject *object, PyObject *args)
{
  SockCall *self = (SockCall *) object;
  PyObject *type;
  PyObject *value = NULL;
  PyObject *traceback = NULL;

  if (!PyArg_ParseTuple (args, "O|OO", &type, &value, &traceback))
    return NULL;

  self->is_begun = TRUE;
  stop_watching (self);
  if (PyExceptionInstance_Check (type))
    PyErr_SetObject ((PyObject *) Py_TYPE (type), type);
  else if (PyExceptionClass_Check (type))
    PyErr_SetObject (type, value);
  else
    PyErr_Format (PyExc_TypeError, "exceptions must be classes or instances deriving from BaseException, not %s",
                  Py_TYPE (type)->tp_name);

  return NULL;
}

static PyObject *
call_close (PyObject *self, PyObject *unused)
{
  ((SockCall *) self)->is_begun = TRUE;
  stop_watching ((SockCall *) self);

  Py_RETURN_NONE;
}

static int
call_traverse (PyObject *object, visitproc visit, void *arg)
{
  SockCall *self = (SockCall *) object;

  Py_VISIT (Py_TYPE (object));
  Py_VISIT (self->loop);
  Py_VISIT (self->sock);
  Py_VISIT (self->buffer);
  Py_VISIT (self->future);
  Py_VISIT (self->result);
  Py_VISIT (self->failure);

  return 0;
}

static int
call_clear (PyObject *object)
{
  SockCall *self = (SockCall *) object;

  Py_CLEAR (self->sock);
  Py_CLEAR (self->buffer);
  Py_CLEAR (self->future);
  Py_CLEAR (self->result);
  Py_CLEAR (self->failure);

  return 0;
}

static void
call_dealloc (PyObject *object)
{
  PyTypeObject *type = Py_TYPE (object);

  PyObject_GC_UnTrack (object);
  call_clear (object);
  Py_CLEAR (((SockCall *) object)->loop);
  type->tp_free (object);
  Py_DECREF (type);
}

static PyObject *
make_call (PyObject *loop, CallKind kind, PyObject *sock, PyObject *buffer, Py_ssize_t size)
{
  SockCall *self = (SockCall *) call_type->tp_alloc (call_type, 0);

  if (self == NULL)
    return NULL;

  self->loop = (PyLoop *) Py_NewRef (loop);
  self->sock = Py_NewRef (sock);
  self->buffer = Py_XNewRef (buffer);
  self->kind = kind;
  self->size = size;

  return (PyObject *) self;
}

static gboolean
check_count (const char *method, Py_ssize_t n_args)
{
  if (n_args == 2)
    return TRUE;

  PyErr_Format (PyExc_TypeError, "%s() takes 2 positional arguments (%zd given)", method, n_args);

  return FALSE;
}

static gboolean
check_type (PyObject *sock)
{
  static const char *const tls[] = { "SSLSocket", NULL };

  if (!g_strv_contains (tls, Py_TYPE (sock)->tp_name))
    return TRUE;

  PyErr_SetString (PyExc_TypeError, "Socket cannot be of type SSLSocket");

  return FALSE;
}

PyObject *
py_loop_sock_recv (PyObject *loop, PyObject *const *args, Py_ssize_t n_args)
{
  Py_ssize_t size;

  if (!check_count ("sock_recv", n_args) || !check_type (args[0]))
    return NULL;
  size = PyNumber_AsSsize_t (args[1], PyExc_OverflowError);
  if (size < 0)
    return PyErr_Occurred () ? NULL : PyErr_Format (PyExc_ValueError, "negative buffersize in recv");

  return make_call (loop, CALL_RECV, args[0], NULL, size);
}

PyObject *
py_loop_sock_recv_into (PyObject *loop, PyObject *const *args, Py_ssize_t n_args)
{
  if (!check_count ("sock_recv_into", n_args) || !check_type (args[0]))
    return NULL;

  return make_call (loop, CALL_RECV_INTO, args[0], args[1], 0);
}

PyObject *
py_loop_sock_sendall (PyObject *loop, PyObject *const *args, Py_ssize_t n_args)
{
  if (!check_count ("sock_sendall", n_args) || !check_type (args[0]))
    return NULL;

  return make_call (loop, CALL_SENDALL, args[0], args[1], 0);
}

static PyMethodDef call_methods[] = {
  { "send", call_send, METH_O, NULL },
  { "throw", call_throw, METH_VARARGS, NULL },
  { "close", call_close, METH_NOARGS, NULL },
  { NULL },
};

static PyType_Slot call_slots[] = {
  { Py_tp_dealloc, call_dealloc },   { Py_tp_traverse, call_traverse },  { Py_tp_clear, call_clear },
  { Py_tp_methods, call_methods },   { Py_am_await, PyObject_SelfIter }, { Py_am_send, call_am_send },
  { Py_tp_iter, PyObject_SelfIter }, { Py_tp_iternext, call_next },      { 0, NULL },
};

static PyType_Spec call_spec = {
  .name = "_libloop.SockCall",
  .basicsize = sizeof (SockCall),
  .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
  .slots = call_slots,
};

int
py_sock_init_type (PyObject *module)
{
  PyObject *coroutine = py_import_attribute ("collections.abc", "Coroutine");
  PyObject *registered = NULL;

  call_type = (PyTypeObject *) PyType_FromModuleAndSpec (module, &call_spec, NULL);
  if (coroutine != NULL && call_type != NULL)
    registered = PyObject_CallMethod (coroutine, "register", "O", call_type);
  Py_XDECREF (coroutine);
  Py_XDECREF (registered);

  return registered == NULL ? -1 : PyModule_AddType (module, call_type);
}
