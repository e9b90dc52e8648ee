/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "py-common.h"

#include <errno.h>
#include <pygobject.h>
#include <structmember.h>

/*
 * The part of an event loop that is called all the time. The rest is in Python, in the
 * class libloop.EventLoop.
 */

PyTypeObject *py_loop_type;

/* Returns: @self as it is, or %NULL with an exception if it is closed or was never initialised */
PyLoop *
py_loop_get_open (PyObject *self)
{
  PyLoop *loop = (PyLoop *) self;

  if (G_LIKELY (!loop->is_closed && loop->loop != NULL))
    return loop;

  PyErr_SetString (PyExc_RuntimeError, "Event loop is closed");

  return NULL;
}

gboolean
py_loop_is_thread (PyLoop *self)
{
  return self->thread == 0 || self->thread == PyThread_get_thread_ident ();
}

/* What is being raised will be raised by run_forever, which returns as soon as it can. */
void
py_loop_interrupt (PyLoop *self)
{
  PyObject *exception = py_take_exception ();

  if (self->interrupted_by != NULL || !self->is_running)
    {
      /* There is one already, or nobody to raise it: somebody else iterates the context. */
      PyErr_SetObject ((PyObject *) Py_TYPE (exception), exception);
      PyErr_WriteUnraisable ((PyObject *) self);
      Py_DECREF (exception);
      return;
    }

  self->interrupted_by = exception;
  loop_event_loop_stop (self->loop);
}

/* Takes the result of a call that nobody waits for; what it raised is reported. */
void
py_loop_check (PyLoop *self, PyObject *result, PyObject *source)
{
  if (result != NULL)
    Py_DECREF (result);
  else if (py_is_interrupt ())
    py_loop_interrupt (self);
  else
    PyErr_WriteUnraisable (source);
}

/* Takes @exception. */
void
py_loop_report (PyLoop *self, const char *message, PyObject *exception, PyObject *transport, PyObject *protocol)
{
  PyObject *context = Py_BuildValue ("{sssNsOsO}", "message", message, "exception", exception, "transport", transport,
                                     "protocol", protocol);
  PyObject *result = NULL;

  if (context != NULL)
    result = PyObject_CallMethod ((PyObject *) self, "call_exception_handler", "N", context);
  py_loop_check (self, result, (PyObject *) self);
}

/* --- The interpreter's lock ------------------------------------------------------------------- */

static void
before_wait (gpointer data)
{
  ((PyLoop *) data)->thread_state = PyEval_SaveThread ();
}

static void
after_wait (gpointer data)
{
  PyLoop *self = data;

  PyEval_RestoreThread (self->thread_state);
  if (PyErr_CheckSignals () < 0)
    py_loop_interrupt (self);
}

/* Somebody else iterates the context: the loop is the running one of that thread from then on. */
static void
adopt_thread (PyLoop *self)
{
  self->thread = PyThread_get_thread_ident ();
  py_loop_check (self, PyObject_CallMethod ((PyObject *) self, "_adopt_thread", NULL), (PyObject *) self);
}

static void
before_dispatch (gpointer data)
{
  PyLoop *self = data;
  PyGILState_STATE state = PyGILState_Ensure ();

  g_array_append_val (self->gil_states, state);
  Py_INCREF (self);
  if (!self->is_running && self->thread == 0)
    adopt_thread (self);
}

static void
after_dispatch (gpointer data)
{
  PyLoop *self = data;
  PyGILState_STATE state = g_array_index (self->gil_states, PyGILState_STATE, self->gil_states->len - 1);

  g_array_set_size (self->gil_states, self->gil_states->len - 1);
  Py_DECREF (self);
  PyGILState_Release (state);
}

static const LoopInterpreterHooks hooks = { before_wait, after_wait, before_dispatch, after_dispatch };

PyDoc_STRVAR (run_doc, "_run()\n--\n\nRun until stop() is called.");

static PyObject *
loop_run (PyObject *self, PyObject *unused)
{
  PyLoop *loop = py_loop_get_open (self);
  GError *error = NULL;
  PyObject *exception;
  gboolean success;

  if (loop == NULL)
    return NULL;

  loop->thread = PyThread_get_thread_ident ();
  loop->is_running = TRUE;
  success = loop_event_loop_run_forever_full (loop->loop, &error);
  loop->is_running = FALSE;
  loop->thread = 0;

  exception = loop->interrupted_by;
  loop->interrupted_by = NULL;
  if (exception != NULL)
    {
      g_clear_error (&error);
      PyErr_SetObject ((PyObject *) Py_TYPE (exception), exception);
      Py_DECREF (exception);
      return NULL;
    }

  if (!success)
    {
      py_raise_gerror (error);
      return NULL;
    }

  Py_RETURN_NONE;
}

/* --- Callbacks -------------------------------------------------------------------------------- */

typedef struct
{
  PyLoop *loop;
  PyObject *callback;
  PyObject *context; /* or NULL */
  PyObject *const *args;
  Py_ssize_t n_args;
} Call;

static gboolean
check_debug (Call *call, const char *method, gboolean any_thread)
{
  PyObject *result;

  if (!any_thread)
    {
      result = PyObject_CallMethod ((PyObject *) call->loop, "_check_thread", NULL);
      Py_XDECREF (result);
      if (result == NULL)
        return FALSE;
    }

  result = PyObject_CallMethod ((PyObject *) call->loop, "_check_callback", "Os", call->callback, method);
  Py_XDECREF (result);

  return result != NULL;
}

/* The arguments (@n_before, callback, *args, *, context=None) of @method. */
static gboolean
parse_call (Call *call,
            PyObject *self,
            PyObject *const *args,
            Py_ssize_t n_args,
            PyObject *kwnames,
            Py_ssize_t n_before,
            const char *method)
{
  Py_ssize_t n_kw = kwnames != NULL ? PyTuple_GET_SIZE (kwnames) : 0;

  call->loop = py_loop_get_open (self);
  if (call->loop == NULL)
    return FALSE;

  call->context = NULL;
  for (Py_ssize_t i = 0; i < n_kw; i++)
    {
      PyObject *name = PyTuple_GET_ITEM (kwnames, i);

      if (name != py_str.context && PyUnicode_Compare (name, py_str.context) != 0)
        {
          PyErr_Format (PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", method, name);
          return FALSE;
        }
      call->context = args[n_args + i];
    }
  if (call->context == Py_None)
    call->context = NULL;
  if (G_UNLIKELY (call->context != NULL && !PyContext_CheckExact (call->context)))
    {
      PyErr_Format (PyExc_TypeError, "context must be a contextvars.Context, not %s", Py_TYPE (call->context)->tp_name);
      return FALSE;
    }

  if (G_UNLIKELY (n_args <= n_before))
    {
      PyErr_Format (PyExc_TypeError, "%s() takes at least %zd positional arguments (%zd given)", method, n_before + 1,
                    n_args);
      return FALSE;
    }

  call->callback = args[n_before];
  call->args = args + n_before + 1;
  call->n_args = n_args - n_before - 1;

  return TRUE;
}

PyDoc_STRVAR (call_soon_doc,
              "call_soon($self, callback, /, *args, context=None)\n--\n\n"
              "Arrange for a callback to be called in the next iteration.");

static PyObject *
loop_call_soon (PyObject *self, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
  Call call;
  PyObject *handle;
  GError *error = NULL;
  LoopHandle *pending;

  if (!parse_call (&call, self, args, n_args, kwnames, 0, "call_soon"))
    return NULL;
  if (G_UNLIKELY (call.loop->is_debug) && !check_debug (&call, "call_soon", FALSE))
    return NULL;

  handle = py_handle_new (call.loop, call.callback, call.args, call.n_args, call.context);
  if (handle == NULL)
    return NULL;

  pending = loop_event_loop_call_soon_full (call.loop->loop, py_handle_run_once, py_handle_give (handle),
                                            py_handle_drop, &error);
  if (G_UNLIKELY (pending == NULL))
    {
      Py_DECREF (handle);
      py_raise_gerror (error);
      return NULL;
    }
  py_handle_set_pending (handle, pending);
  if (G_UNLIKELY (py_is_observed ()))
    py_handle_show (handle, pending);

  return handle;
}

PyDoc_STRVAR (call_soon_threadsafe_doc,
              "call_soon_threadsafe($self, callback, /, *args, context=None)\n--\n\n"
              "Like call_soon(), from any thread.");

static PyObject *
loop_call_soon_threadsafe (PyObject *self, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
  Call call;
  PyObject *handle;
  gboolean is_observed = py_is_observed ();
  g_autoptr (LoopHandle) pending = NULL;
  GError *error = NULL;

  if (!parse_call (&call, self, args, n_args, kwnames, 0, "call_soon_threadsafe"))
    return NULL;
  if (G_UNLIKELY (call.loop->is_debug) && !check_debug (&call, "call_soon_threadsafe", TRUE))
    return NULL;

  handle = py_handle_new (call.loop, call.callback, call.args, call.n_args, call.context);
  if (handle == NULL)
    return NULL;

  if (!loop_event_loop_call_soon_threadsafe (call.loop->loop, py_handle_run_once, py_handle_give (handle),
                                             py_handle_drop, is_observed ? &pending : NULL, &error))
    {
      Py_DECREF (handle);
      py_raise_gerror (error);
      return NULL;
    }
  if (is_observed)
    py_handle_show (handle, pending);

  return handle;
}

static PyObject *
call_at (Call *call, double when)
{
  PyObject *handle = py_timer_handle_new (call->loop, when, call->callback, call->args, call->n_args, call->context);
  GError *error = NULL;
  LoopTimerHandle *pending;

  if (handle == NULL)
    return NULL;

  pending = loop_event_loop_call_at_full (call->loop->loop, when, py_handle_run_once, py_handle_give (handle),
                                          py_handle_drop, &error);
  if (G_UNLIKELY (pending == NULL))
    {
      Py_DECREF (handle);
      py_raise_gerror (error);
      return NULL;
    }
  py_handle_set_pending (handle, (LoopHandle *) pending);
  if (G_UNLIKELY (py_is_observed ()))
    py_handle_show (handle, (LoopHandle *) pending);

  return handle;
}

static gboolean
parse_time (PyObject *value, const char *name, double *result)
{
  if (value == Py_None)
    {
      PyErr_Format (PyExc_TypeError, "%s cannot be None", name);
      return FALSE;
    }

  *result = PyFloat_AsDouble (value);

  return *result != -1 || !PyErr_Occurred ();
}

PyDoc_STRVAR (call_later_doc,
              "call_later($self, delay, callback, /, *args, context=None)\n--\n\n"
              "Arrange for a callback to be called after a delay in seconds.");

static PyObject *
loop_call_later (PyObject *self, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
  Call call;
  double delay;

  if (!parse_call (&call, self, args, n_args, kwnames, 1, "call_later") || !parse_time (args[0], "delay", &delay))
    return NULL;
  if (G_UNLIKELY (call.loop->is_debug) && !check_debug (&call, "call_later", FALSE))
    return NULL;

  return call_at (&call, loop_event_loop_time (call.loop->loop) + delay);
}

PyDoc_STRVAR (call_at_doc,
              "call_at($self, when, callback, /, *args, context=None)\n--\n\n"
              "Like call_later(), at an absolute time on the clock of time().");

static PyObject *
loop_call_at (PyObject *self, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
  Call call;
  double when;

  if (!parse_call (&call, self, args, n_args, kwnames, 1, "call_at") || !parse_time (args[0], "when", &when))
    return NULL;
  if (G_UNLIKELY (call.loop->is_debug) && !check_debug (&call, "call_at", FALSE))
    return NULL;

  return call_at (&call, when);
}

PyDoc_STRVAR (time_doc, "time($self, /)\n--\n\nReturn the time of the loop's clock, in seconds.");

static PyObject *
loop_time (PyObject *self, PyObject *unused)
{
  return PyFloat_FromDouble ((double) g_get_monotonic_time () / G_USEC_PER_SEC);
}

PyDoc_STRVAR (stop_doc, "stop($self, /)\n--\n\nStop running the loop after the current iteration.");

static PyObject *
loop_stop (PyObject *self, PyObject *unused)
{
  PyLoop *loop = (PyLoop *) self;

  if (!loop->is_closed && loop->loop != NULL)
    loop_event_loop_stop (loop->loop);

  Py_RETURN_NONE;
}

/* --- Descriptors ------------------------------------------------------------------------------ */

typedef gboolean (*AddWatchFunc) (LoopEventLoop *, int, LoopCallback, gpointer, GDestroyNotify, GError **);
typedef void (*NameWatchFunc) (LoopEventLoop *, int, const char *);

/* As epoll says it, and so asyncio: of files that are always ready, and of what is not open. Takes @error. */
static void
raise_watch_error (PyLoop *loop, PyObject *fd, GError *error)
{
  gboolean is_file = g_error_matches (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);

  if (g_error_matches (error, LOOP_ERROR, LOOP_ERROR_DESCRIPTOR_IN_USE) && !py_loop_check_unused (loop, fd))
    {
      g_error_free (error);
      return;
    }

  if (!is_file && !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT))
    {
      py_raise_gerror (error);
      return;
    }

  errno = is_file ? EPERM : EBADF;
  PyErr_SetFromErrno (PyExc_OSError);
  g_error_free (error);
}

static PyObject *
add_watch (PyObject *self,
           PyObject *const *args,
           Py_ssize_t n_args,
           const char *method,
           AddWatchFunc add,
           NameWatchFunc name)
{
  Call call;
  PyObject *handle;
  GError *error = NULL;
  int fd;

  if (!parse_call (&call, self, args, n_args, NULL, 1, method))
    return NULL;
  fd = PyObject_AsFileDescriptor (args[0]);
  if (fd < 0)
    return NULL;

  handle = py_handle_new (call.loop, call.callback, call.args, call.n_args, NULL);
  if (handle == NULL)
    return NULL;

  if (!add (call.loop->loop, fd, py_handle_run, py_handle_give (handle), py_handle_removed, &error))
    {
      Py_DECREF (handle);
      raise_watch_error (call.loop, args[0], error);
      return NULL;
    }
  /* Whether somebody looks or not: it may be there for long, and somebody come later. */
  name (call.loop->loop, fd, py_name_of_callable (call.callback));

  return handle;
}

static PyObject *
remove_watch (PyObject *self, PyObject *fd_object, gboolean (*remove) (LoopEventLoop *, int))
{
  PyLoop *loop = (PyLoop *) self;
  int fd;

  if (loop->is_closed || loop->loop == NULL)
    Py_RETURN_FALSE;
  fd = PyObject_AsFileDescriptor (fd_object);
  if (fd < 0)
    return NULL;

  return PyBool_FromLong (remove (loop->loop, fd));
}

/* Where nothing could be removed: it is not for the caller to remove, or there is nothing. */
static PyObject *
loop_check_unused (PyObject *self, PyObject *fd)
{
  return py_loop_check_unused ((PyLoop *) self, fd) ? Py_NewRef (Py_False) : NULL;
}

static PyObject *
loop_add_reader (PyObject *self, PyObject *const *args, Py_ssize_t n_args)
{
  return add_watch (self, args, n_args, "add_reader", loop_event_loop_add_reader_full, loop_event_loop_name_reader);
}

static PyObject *
loop_add_writer (PyObject *self, PyObject *const *args, Py_ssize_t n_args)
{
  return add_watch (self, args, n_args, "add_writer", loop_event_loop_add_writer_full, loop_event_loop_name_writer);
}

static PyObject *
loop_remove_reader (PyObject *self, PyObject *fd)
{
  return remove_watch (self, fd, loop_event_loop_remove_reader);
}

static PyObject *
loop_remove_writer (PyObject *self, PyObject *fd)
{
  return remove_watch (self, fd, loop_event_loop_remove_writer);
}

/* --- What libloop reports --------------------------------------------------------------------- */

static void
report_context (LoopEventLoop *event_loop, LoopExceptionContext *context, gpointer data)
{
  const GError *error = loop_exception_context_get_exception (context);
  PyObject *exception = error != NULL ? py_exception_from_gerror (error) : Py_NewRef (Py_None);
  PyObject *result = NULL;

  /* Of a protocol factory that failed, its own exception was reported. */
  if (exception != NULL && !g_error_matches (error, LOOP_ERROR, LOOP_ERROR_PROTOCOL_FACTORY))
    result =
        PyObject_CallMethod (data, "_report_context", "sO", loop_exception_context_get_message (context), exception);
  else if (exception != NULL)
    result = Py_NewRef (Py_None);
  Py_XDECREF (exception);
  py_loop_check (data, result, data);
}

/* --- The type --------------------------------------------------------------------------------- */

static void
close_loop (PyLoop *self)
{
  if (self->loop == NULL)
    return;

  if (!loop_event_loop_is_closed (self->loop))
    loop_event_loop_close_full (self->loop, NULL);
}

PyDoc_STRVAR (close_doc, "_close()\n--\n\nClose the loop of libloop.");

static PyObject *
loop_close (PyObject *self, PyObject *unused)
{
  PyLoop *loop = (PyLoop *) self;
  GError *error = NULL;

  loop->is_closed = TRUE;
  if (loop->loop != NULL && !loop_event_loop_is_closed (loop->loop) && !loop_event_loop_close_full (loop->loop, &error))
    {
      loop->is_closed = FALSE;
      py_raise_gerror (error);
      return NULL;
    }
  loop->thread = 0;

  Py_RETURN_NONE;
}

static int
loop_init (PyObject *self, PyObject *args, PyObject *kwargs)
{
  static char *keywords[] = { "context", NULL };
  PyLoop *loop = (PyLoop *) self;
  PyObject *context = Py_None;

  if (!PyArg_ParseTupleAndKeywords (args, kwargs, "|O", keywords, &context))
    return -1;
  if (loop->loop != NULL)
    {
      PyErr_SetString (PyExc_RuntimeError, "The event loop was initialised before");
      return -1;
    }

  loop->owned.prev = loop->owned.next = &loop->owned;
  if (context == Py_None)
    {
      loop->loop = loop_event_loop_new ();
    }
  else
    {
      PyObject *gi = pygobject_init (3, 0, 0);

      if (gi == NULL)
        return -1;
      Py_DECREF (gi);
      if (!pyg_boxed_check (context, G_TYPE_MAIN_CONTEXT))
        {
          PyErr_Format (PyExc_TypeError, "context must be a GLib.MainContext or None, not %s",
                        Py_TYPE (context)->tp_name);
          return -1;
        }
      loop->loop = loop_event_loop_new_for_context (pyg_boxed_get (context, GMainContext));
    }

  loop->gil_states = g_array_new (FALSE, FALSE, sizeof (PyGILState_STATE));
  Py_XSETREF (loop->task_factory, Py_NewRef (Py_None));
  loop_event_loop_set_interpreter_hooks (loop->loop, &hooks, loop);
  py_debug_add_loop (loop);
  py_inspection_add (loop);
  loop_event_loop_set_exception_handler (loop->loop, report_context, loop, NULL);
  py_gc_add_loop (loop);

  return 0;
}

static int
loop_traverse (PyObject *self, visitproc visit, void *arg)
{
  PyOwned *list = &((PyLoop *) self)->owned;

  for (PyOwned *owned = list->next; owned != NULL && owned != list; owned = owned->next)
    Py_VISIT (owned->object);
  Py_VISIT (Py_TYPE (self));
  Py_VISIT (((PyLoop *) self)->interrupted_by);
  Py_VISIT (((PyLoop *) self)->task_factory);

  return 0;
}

static int
loop_clear (PyObject *self)
{
  close_loop ((PyLoop *) self);
  Py_CLEAR (((PyLoop *) self)->interrupted_by);
  Py_CLEAR (((PyLoop *) self)->task_factory);

  return 0;
}

static void
loop_dealloc (PyObject *self)
{
  PyLoop *loop = (PyLoop *) self;
  PyTypeObject *type = Py_TYPE (self);

  PyObject_GC_UnTrack (self);
  py_gc_remove_loop (loop);
  loop_clear (self);
  if (loop->loop != NULL)
    {
      py_inspection_remove (loop);
      py_debug_remove_loop (loop);
      loop_event_loop_set_interpreter_hooks (loop->loop, NULL, NULL);
      loop_event_loop_set_exception_handler (loop->loop, NULL, NULL, NULL);
      g_clear_object (&loop->loop);
    }
  g_clear_pointer (&loop->gil_states, g_array_unref);
  type->tp_free (self);
  Py_DECREF (type);
}

PyDoc_STRVAR (create_future_doc, "create_future($self, /)\n--\n\nCreate a Future attached to the loop.");
PyDoc_STRVAR (create_task_doc,
              "create_task($self, coro, *, name=None, context=None, **kwargs)\n--\n\n"
              "Schedule a coroutine and return its Task.");
PyDoc_STRVAR (get_debug_doc, "get_debug($self, /)\n--\n\nTell whether debug mode is on.");
PyDoc_STRVAR (sock_recv_doc, "sock_recv($self, sock, n, /)\n--\n\nReceive up to n bytes from a socket.");
PyDoc_STRVAR (sock_recv_into_doc,
              "sock_recv_into($self, sock, buf, /)\n--\n\n"
              "Receive into a buffer from a socket, and return the number of bytes.");
PyDoc_STRVAR (sock_sendall_doc, "sock_sendall($self, sock, data, /)\n--\n\nSend all of data to a socket.");

static PyMemberDef loop_members[] = {
  { "_closed", T_BOOL, offsetof (PyLoop, is_closed), 0, NULL },
  { "_task_factory", T_OBJECT, offsetof (PyLoop, task_factory), 0, NULL },
  { NULL },
};

static PyGetSetDef loop_getset[] = {
  { "_debug", py_debug_get, py_debug_set, NULL, (void *) "_debug" },
  { "slow_callback_duration", py_slow_callback_duration_get, py_slow_callback_duration_set, NULL,
    (void *) "slow_callback_duration" },
  { "_turn", py_turn_get, NULL, NULL, NULL },
  { NULL },
};

#define FASTCALL(function) ((PyCFunction) (void (*) (void)) (function))

static PyMethodDef loop_methods[] = {
  { "_run", loop_run, METH_NOARGS, run_doc },
  { "_close", loop_close, METH_NOARGS, close_doc },
  { "stop", loop_stop, METH_NOARGS, stop_doc },
  { "get_debug", py_loop_get_debug, METH_NOARGS, get_debug_doc },
  { "time", loop_time, METH_NOARGS, time_doc },
  { "call_soon", FASTCALL (loop_call_soon), METH_FASTCALL | METH_KEYWORDS, call_soon_doc },
  { "call_soon_threadsafe", FASTCALL (loop_call_soon_threadsafe), METH_FASTCALL | METH_KEYWORDS,
    call_soon_threadsafe_doc },
  { "call_later", FASTCALL (loop_call_later), METH_FASTCALL | METH_KEYWORDS, call_later_doc },
  { "call_at", FASTCALL (loop_call_at), METH_FASTCALL | METH_KEYWORDS, call_at_doc },
  { "_add_reader", FASTCALL (loop_add_reader), METH_FASTCALL, NULL },
  { "_add_writer", FASTCALL (loop_add_writer), METH_FASTCALL, NULL },
  { "_remove_reader", loop_remove_reader, METH_O, NULL },
  { "_remove_writer", loop_remove_writer, METH_O, NULL },
  { "create_future", py_loop_create_future, METH_NOARGS, create_future_doc },
  { "_check_unused", loop_check_unused, METH_O, NULL },
  { "_transports_of", py_loop_get_transports_of, METH_O, NULL },
  { "create_task", FASTCALL (py_loop_create_task), METH_FASTCALL | METH_KEYWORDS, create_task_doc },
  { "_make_socket_transport", FASTCALL (py_loop_make_socket_transport), METH_VARARGS | METH_KEYWORDS, NULL },
  { "sock_recv", FASTCALL (py_loop_sock_recv), METH_FASTCALL, sock_recv_doc },
  { "sock_recv_into", FASTCALL (py_loop_sock_recv_into), METH_FASTCALL, sock_recv_into_doc },
  { "sock_sendall", FASTCALL (py_loop_sock_sendall), METH_FASTCALL, sock_sendall_doc },
  { "_serve", py_loop_serve, METH_VARARGS, NULL },
  { NULL },
};

PyDoc_STRVAR (loop_doc, "_Loop(context=None)\n--\n\nThe part of libloop.EventLoop that is called all the time.");

static PyType_Slot loop_slots[] = {
  { Py_tp_doc, (void *) loop_doc },  { Py_tp_init, loop_init },     { Py_tp_dealloc, loop_dealloc },
  { Py_tp_traverse, loop_traverse }, { Py_tp_clear, loop_clear },   { Py_tp_methods, loop_methods },
  { Py_tp_members, loop_members },   { Py_tp_getset, loop_getset }, { 0, NULL },
};

static PyType_Spec loop_spec = {
  .name = "_libloop.Loop",
  .basicsize = sizeof (PyLoop),
  .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
  .slots = loop_slots,
};

int
py_loop_init_type (PyObject *module)
{
  py_loop_type = (PyTypeObject *) PyType_FromModuleAndSpec (module, &loop_spec, NULL);

  return py_loop_type == NULL ? -1 : PyModule_AddType (module, py_loop_type);
}
