/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "py-common.h"

/* In debug mode a loop tells what it is running, and reports what has taken long. */

void
py_turn_begin_debug (PyTurnScope *self, PyLoop *loop, PyObject *what)
{
  self->loop = (PyLoop *) Py_NewRef ((PyObject *) loop);
  self->outer = loop->turn;
  loop->turn = (PyTurn) { .what = Py_NewRef (what), .begun = g_get_monotonic_time () };
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

/* Returns: None, or what runs and since when: in seconds, of time.monotonic() */
PyObject *
py_turn_get (PyObject *self, void *unused)
{
  PyLoop *loop = (PyLoop *) self;

  if (loop->turn.what == NULL)
    Py_RETURN_NONE;

  return Py_BuildValue ("Od", loop->turn.what, (double) loop->turn.begun / G_USEC_PER_SEC);
}
