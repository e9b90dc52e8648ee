/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "py-common.h"

/*
 * What the garbage collector is told late: see py-handle.c. It says when it begins.
 */
static PyLoop *loops;

void
py_gc_add_loop (PyLoop *loop)
{
  loop->next = loops;
  if (loops != NULL)
    loops->prev = loop;
  loops = loop;
}

void
py_gc_remove_loop (PyLoop *loop)
{
  if (loop->prev != NULL)
    loop->prev->next = loop->next;
  else if (loops == loop)
    loops = loop->next;
  if (loop->next != NULL)
    loop->next->prev = loop->prev;
  loop->prev = loop->next = NULL;
}

static void
track_handles (void)
{
  for (PyLoop *loop = loops; loop != NULL; loop = loop->next)
    for (PyOwned *owned = loop->owned.next; owned != &loop->owned; owned = owned->next)
      py_handle_track (owned->object);
}

#define OLDEST_GENERATION 2

/* Of gc.callbacks: (phase, info) */
static PyObject *
collection_begins (PyObject *module, PyObject *args)
{
  const char *phase;
  PyObject *info;
  PyObject *generation;

  if (!PyArg_ParseTuple (args, "sO!", &phase, &PyDict_Type, &info))
    return NULL;

  generation = PyDict_GetItemString (info, "generation");
  if (g_str_equal (phase, "start") && generation != NULL && PyLong_AsLong (generation) == OLDEST_GENERATION)
    track_handles ();

  Py_RETURN_NONE;
}

static PyMethodDef callback_def = { "collection_begins", collection_begins, METH_VARARGS, NULL };

int
py_gc_init (void)
{
  PyObject *callbacks = py_import_attribute ("gc", "callbacks");
  PyObject *callback = PyCFunction_New (&callback_def, NULL);
  int status = callbacks != NULL && callback != NULL ? PyList_Append (callbacks, callback) : -1;

  Py_XDECREF (callback);
  Py_XDECREF (callbacks);

  return status;
}
