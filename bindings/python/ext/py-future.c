/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "py-common.h"

/* How futures and tasks are made, which are asyncio's own. */

static PyObject *future_type; /* asyncio.Future */
static PyObject *task_type;   /* asyncio.Task */
static PyObject *loop_kwnames;
static PyObject *task_kwnames;

PyObject *
py_loop_create_future (PyObject *self, PyObject *unused)
{
  return PyObject_Vectorcall (future_type, &self, 0, loop_kwnames);
}

static PyObject *
create_task (PyObject *self, PyObject *coro, PyObject *name, PyObject *context)
{
  PyObject *factory = ((PyLoop *) self)->task_factory;

  if (G_UNLIKELY (factory != Py_None))
    return PyObject_CallMethod (self, "_create_task_by_factory", "OOO", coro, name, context);
  if (name == Py_None && context == Py_None)
    return PyObject_Vectorcall (task_type, (PyObject *[]) { coro, self }, 1, loop_kwnames);

  return PyObject_Vectorcall (task_type, (PyObject *[]) { coro, self, name, context }, 1, task_kwnames);
}

/* Other arguments than name and context are for the factory or the task to know. */
static PyObject *
create_task_with (PyObject *self, PyObject *coro, PyObject *const *values, PyObject *kwnames)
{
  PyObject *kwargs = PyDict_New ();
  PyObject *task = NULL;
  gboolean success = kwargs != NULL;

  for (Py_ssize_t i = 0; success && i < PyTuple_GET_SIZE (kwnames); i++)
    success = PyDict_SetItem (kwargs, PyTuple_GET_ITEM (kwnames, i), values[i]) == 0;
  if (success)
    task = PyObject_CallMethod (self, "_create_task_with", "OO", coro, kwargs);
  Py_XDECREF (kwargs);

  return task;
}

PyObject *
py_loop_create_task (PyObject *self, PyObject *const *args, Py_ssize_t n_args, PyObject *kwnames)
{
  Py_ssize_t n_keywords = kwnames != NULL ? PyTuple_GET_SIZE (kwnames) : 0;
  PyObject *coro = n_args > 0 ? args[0] : NULL;
  PyObject *name = Py_None;
  PyObject *context = Py_None;
  gboolean has_others = FALSE;

  for (Py_ssize_t i = 0; i < n_keywords; i++)
    {
      PyObject *key = PyTuple_GET_ITEM (kwnames, i);

      if (PyUnicode_Compare (key, py_str.name) == 0)
        name = args[n_args + i];
      else if (PyUnicode_Compare (key, py_str.context) == 0)
        context = args[n_args + i];
      else if (coro == NULL && PyUnicode_CompareWithASCIIString (key, "coro") == 0)
        coro = args[n_args + i];
      else
        has_others = TRUE;
    }

  if (coro == NULL || n_args > 1)
    return PyErr_Format (PyExc_TypeError, "create_task() takes one positional argument, coro, not %zd", n_args);
  if (py_loop_get_open (self) == NULL)
    return NULL;
  if (has_others)
    return create_task_with (self, coro, args + n_args, kwnames);

  return create_task (self, coro, name, context);
}

int
py_future_init (void)
{
  future_type = py_import_attribute ("asyncio", "Future");
  task_type = py_import_attribute ("asyncio", "Task");
  loop_kwnames = Py_BuildValue ("(O)", py_str.loop);
  task_kwnames = Py_BuildValue ("(OOO)", py_str.loop, py_str.name, py_str.context);

  return future_type != NULL && task_type != NULL && loop_kwnames != NULL && task_kwnames != NULL ? 0 : -1;
}
