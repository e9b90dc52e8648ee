/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "py-common.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/*
 * What accepts connections on one socket of an asyncio.Server. That keeps the socket; the
 * LoopServer, which an inspector shows, has a copy of its descriptor.
 */
typedef struct
{
  PyObject_HEAD LoopServer *server;
} PyServing;

static PyTypeObject *serving_type;

typedef struct
{
  PyOwned owned;
  PyLoop *loop; /* not a reference: it closes its servers before it goes */
  PyObject *protocol_factory;
  PyObject *server; /* an asyncio.Server, or None */
  PyObject *both;   /* a tuple of the two, which lead back to the loop: it is in the loop's list */
} Factory;

static void
factory_free (gpointer data)
{
  Factory *self = data;

  py_owned_remove (&self->owned);
  Py_DECREF (self->both);
  g_free (self);
}

static GObject *
make_protocol (gpointer data)
{
  Factory *self = data;
  PyObject *protocol = PyObject_CallNoArgs (self->protocol_factory);
  LoopProtocol *bridge = protocol != NULL ? py_transport_make_bridge (self->loop, protocol, self->server) : NULL;

  Py_XDECREF (protocol);
  if (bridge != NULL)
    return G_OBJECT (bridge);

  /* asyncio says nothing of these unless it is debugged. */
  if (py_is_interrupt ())
    py_loop_interrupt (self->loop);
  else if (self->loop->is_debug)
    py_loop_report (self->loop, "Error on transport creation for incoming connection", py_take_exception (), Py_None,
                    Py_None);
  else
    PyErr_Clear ();

  return NULL;
}

static GSocket *
copy_socket (int fd)
{
  int copy = fcntl (fd, F_DUPFD_CLOEXEC, 0);
  g_autoptr (GError) error = NULL;
  GSocket *socket;

  if (copy < 0)
    {
      PyErr_SetFromErrno (PyExc_OSError);
      return NULL;
    }

  socket = g_socket_new_from_fd (copy, &error);
  if (socket == NULL)
    {
      close (copy);
      py_raise_gerror (g_steal_pointer (&error));
    }

  return socket;
}

/* _serve(fd, protocol_factory, server, backlog) */
PyObject *
py_loop_serve (PyObject *self, PyObject *args)
{
  PyLoop *loop = py_loop_get_open (self);
  g_autoptr (LoopServerOptions) options = NULL;
  g_autoptr (LoopFuture) future = NULL;
  g_autoptr (GSocket) socket = NULL;
  g_auto (GValue) value = G_VALUE_INIT;
  GError *error = NULL;
  PyObject *protocol_factory;
  PyObject *server;
  PyServing *serving;
  PyObject *both;
  Factory *factory;
  int fd;
  int backlog;

  if (loop == NULL || !PyArg_ParseTuple (args, "iOOi", &fd, &protocol_factory, &server, &backlog))
    return NULL;

  socket = copy_socket (fd);
  if (socket == NULL)
    return NULL;

  options = loop_server_options_new ();
  loop_server_options_set_sock (options, socket);
  loop_server_options_set_backlog (options, backlog);

  both = PyTuple_Pack (2, protocol_factory, server);
  if (both == NULL)
    return NULL;
  factory = g_new (Factory, 1);
  factory->loop = loop;
  factory->protocol_factory = protocol_factory;
  factory->server = server;
  factory->both = both;
  py_owned_add (&factory->owned, &loop->owned, both);

  /* With a socket there is nothing to wait for. */
  future = loop_event_loop_create_server (loop->loop, NULL, 0, options, make_protocol, factory, factory_free);
  if (!loop_future_result (future, &value, &error))
    {
      py_raise_gerror (error);
      return NULL;
    }

  serving = PyObject_New (PyServing, serving_type);
  if (serving != NULL)
    serving->server = g_value_dup_object (&value);

  return (PyObject *) serving;
}

static PyObject *
serving_close (PyObject *self, PyObject *unused)
{
  loop_server_close (((PyServing *) self)->server);

  Py_RETURN_NONE;
}

static void
serving_dealloc (PyObject *self)
{
  PyTypeObject *type = Py_TYPE (self);

  g_object_unref (((PyServing *) self)->server);
  PyObject_Free (self);
  Py_DECREF (type);
}

static PyMethodDef serving_methods[] = {
  { "close", serving_close, METH_NOARGS, NULL },
  { NULL },
};

static PyType_Slot serving_slots[] = {
  { Py_tp_dealloc, serving_dealloc },
  { Py_tp_methods, serving_methods },
  { 0, NULL },
};

static PyType_Spec serving_spec = {
  .name = "_libloop.Serving",
  .basicsize = sizeof (PyServing),
  .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
  .slots = serving_slots,
};

int
py_server_init_type (PyObject *module)
{
  serving_type = (PyTypeObject *) PyType_FromModuleAndSpec (module, &serving_spec, NULL);

  return serving_type == NULL ? -1 : PyModule_AddType (module, serving_type);
}
