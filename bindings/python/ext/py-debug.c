/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "py-common.h"

#include <math.h>

/*
 * Debug mode, which is asyncio's: what is checked and reported is so in Python. It is the
 * property of libloop's loop at the same time, so that an inspector shows and sets it.
 */

static int
refuse_to_delete (const char *name)
{
  PyErr_Format (PyExc_AttributeError, "%s cannot be deleted", name);

  return -1;
}

PyObject *
py_debug_get (PyObject *self, void *unused)
{
  return PyBool_FromLong (((PyLoop *) self)->is_debug);
}

/* asyncio's futures and tasks each ask for it when they are made. */
PyObject *
py_loop_get_debug (PyObject *self, PyObject *unused)
{
  return py_debug_get (self, NULL);
}

int
py_debug_set (PyObject *self, PyObject *value, void *name)
{
  PyLoop *loop = (PyLoop *) self;
  int enabled = value != NULL ? PyObject_IsTrue (value) : refuse_to_delete (name);

  if (enabled < 0)
    return -1;

  loop->is_debug = (char) enabled;
  if (loop->loop != NULL)
    loop_event_loop_set_debug (loop->loop, enabled);

  return 0;
}

/* Somebody else, such as an inspector, has turned it on or off. */
static void
debug_changed (LoopEventLoop *event_loop, GParamSpec *pspec, gpointer data)
{
  PyLoop *self = data;
  gboolean enabled = loop_event_loop_get_debug (event_loop);
  PyGILState_STATE state;

  if (enabled == self->is_debug)
    return;

  state = PyGILState_Ensure ();
  py_loop_check (self, PyObject_CallMethod ((PyObject *) self, "set_debug", "O", enabled ? Py_True : Py_False),
                 (PyObject *) self);
  PyGILState_Release (state);
}

/* From the beginning on it is what either of them says, libloop for the sake of `LOOP_DEBUG`. */
void
py_debug_add_loop (PyLoop *self)
{
  if (self->is_debug)
    loop_event_loop_set_debug (self->loop, TRUE);
  self->is_debug = loop_event_loop_get_debug (self->loop) ? 1 : 0;
  g_signal_connect (self->loop, "notify::debug", G_CALLBACK (debug_changed), self);
}

void
py_debug_remove_loop (PyLoop *self)
{
  g_signal_handlers_disconnect_by_func (self->loop, debug_changed, self);
}

PyObject *
py_slow_callback_duration_get (PyObject *self, void *unused)
{
  PyLoop *loop = (PyLoop *) self;
  double seconds = loop->loop != NULL ? loop_event_loop_get_slow_callback_duration (loop->loop) : 0.0;

  return PyFloat_FromDouble (seconds < G_MAXDOUBLE ? seconds : INFINITY);
}

int
py_slow_callback_duration_set (PyObject *self, PyObject *value, void *name)
{
  PyLoop *loop = (PyLoop *) self;
  double seconds = value != NULL ? PyFloat_AsDouble (value) : refuse_to_delete (name);

  if (PyErr_Occurred ())
    return -1;
  if (isnan (seconds))
    {
      PyErr_Format (PyExc_ValueError, "%s must be a number of seconds, not NaN", name);
      return -1;
    }

  /* asyncio sets what libloop begins with before there is a loop of libloop's. */
  if (loop->loop != NULL)
    loop_event_loop_set_slow_callback_duration (loop->loop, MAX (seconds, 0.0));

  return 0;
}

/* --- What is running, which is watched and timed ---------------------------------------------- */

void
py_turn_begin_debug (PyTurnScope *self, PyLoop *loop, PyObject *what)
{
  self->loop = (PyLoop *) Py_NewRef ((PyObject *) loop);
  self->outer = loop->turn;
  loop->turn = (PyTurn) {
    .what = Py_NewRef (what),
    .begun = g_get_monotonic_time (),
    .thread = PyThread_get_thread_ident (),
  };
}

void
py_turn_end_debug (PyTurnScope *self)
{
  PyLoop *loop = self->loop;
  PyObject *what = loop->turn.what;
  double seconds = (double) (g_get_monotonic_time () - loop->turn.begun) / G_USEC_PER_SEC;

  /* A main loop inside of it had its own turns. */
  loop->turn = self->outer;
  py_loop_check (loop, PyObject_CallMethod ((PyObject *) loop, "_report_if_slow", "Od", what, seconds), what);
  Py_DECREF (what);
  Py_DECREF (loop);
}

/* Returns: None, or what runs, since when, in seconds of time.monotonic(), and in which thread */
PyObject *
py_turn_get (PyObject *self, void *unused)
{
  PyTurn *turn = &((PyLoop *) self)->turn;

  if (turn->what == NULL)
    Py_RETURN_NONE;

  return Py_BuildValue ("Odk", turn->what, (double) turn->begun / G_USEC_PER_SEC, turn->thread);
}
