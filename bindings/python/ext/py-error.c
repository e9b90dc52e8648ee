/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "py-common.h"

#include <errno.h>

/*
 * The error number that a GError was made from. GIO has fewer codes than there are
 * numbers, but the message ends with the number's own text.
 */
static int
find_errno (const GError *error)
{
  for (int number = 1; number < 134; number++)
    {
      if (g_io_error_from_errno (number) == (GIOErrorEnum) error->code &&
          g_str_has_suffix (error->message, g_strerror (number)))
        return number;
    }

  return 0;
}

static PyObject *
make_os_error (const GError *error)
{
  int number = find_errno (error);

  if (number == 0)
    return PyObject_CallFunction (PyExc_OSError, "s", error->message);

  return PyObject_CallFunction (PyExc_OSError, "is", number, g_strerror (number));
}

/* Returns: an instance of the exception that asyncio has for @error */
PyObject *
py_exception_from_gerror (const GError *error)
{
  if (error->domain == LOOP_ERROR)
    return PyObject_CallFunction (PyExc_RuntimeError, "s",
                                  error->code == LOOP_ERROR_CLOSED ? "Event loop is closed" : error->message);
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT))
    return PyObject_CallFunction (PyExc_ValueError, "s", error->message);
  if (error->domain == G_IO_ERROR)
    return make_os_error (error);

  return PyObject_CallFunction (PyExc_RuntimeError, "s", error->message);
}

/* Takes @error. */
void
py_raise_gerror (GError *error)
{
  PyObject *exception = py_exception_from_gerror (error);

  g_error_free (error);
  if (exception == NULL)
    return;

  PyErr_SetObject ((PyObject *) Py_TYPE (exception), exception);
  Py_DECREF (exception);
}
