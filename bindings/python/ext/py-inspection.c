/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "py-common.h"

/*
 * What an inspector asks Python. The answers are made in Python, by libloop._inspection; here
 * they become GVariants. The thread that asks is one of libloop's, and never that of the loop,
 * but for what is to be done there.
 */

static GHashTable *loops; /* id → PyLoop, without a reference; with the interpreter's lock */

static GVariant *variant_from_dict (PyObject *dict);

static GVariant *
variant_from_list (PyObject *list)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("aa{sv}"));
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE (list); i++)
    {
      GVariant *row = variant_from_dict (PyList_GET_ITEM (list, i));

      if (row == NULL)
        {
          g_variant_builder_clear (&builder);
          return NULL;
        }
      g_variant_builder_add_value (&builder, row);
    }

  return g_variant_builder_end (&builder);
}

static GVariant *
variant_from_string (PyObject *string)
{
  /* File names may have what UTF-8 has not. */
  PyObject *bytes = PyUnicode_AsEncodedString (string, "utf-8", "backslashreplace");
  GVariant *variant = bytes != NULL ? g_variant_new_string (PyBytes_AS_STRING (bytes)) : NULL;

  Py_XDECREF (bytes);

  return variant;
}

static GVariant *
variant_from_object (PyObject *object)
{
  unsigned long long number;

  if (PyUnicode_Check (object))
    return variant_from_string (object);
  if (PyList_Check (object))
    return variant_from_list (object);

  number = PyLong_AsUnsignedLongLong (object);

  return PyErr_Occurred () ? NULL : g_variant_new_uint64 (number);
}

/* Returns: (transfer floating) (nullable): NULL with an exception */
static GVariant *
variant_from_dict (PyObject *dict)
{
  GVariantBuilder builder;
  PyObject *key;
  PyObject *value;
  Py_ssize_t i = 0;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  while (PyDict_Next (dict, &i, &key, &value))
    {
      const char *name = PyUnicode_AsUTF8 (key);
      GVariant *variant = name != NULL ? variant_from_object (value) : NULL;

      if (variant == NULL)
        {
          g_variant_builder_clear (&builder);
          return NULL;
        }
      g_variant_builder_add (&builder, "{sv}", name, variant);
    }

  return g_variant_builder_end (&builder);
}

static void
do_nothing (gpointer list)
{
}

static void
drop_list (gpointer list)
{
  Py_DECREF (list);
}

/*
 * Lets go of what was looked at. What nobody else has any more by now would be freed here, with
 * functions of the user's, perhaps, that are not for this thread: it goes to the loop's.
 */
static void
let_go (PyLoop *loop, PyObject *kept)
{
  PyObject *orphans = NULL;

  for (Py_ssize_t i = PyList_GET_SIZE (kept) - 1; i >= 0; i--)
    {
      PyObject *object = PyList_GET_ITEM (kept, i);

      if (Py_REFCNT (object) == 1)
        {
          if (orphans == NULL)
            orphans = PyList_New (0);
          if (orphans == NULL || PyList_Append (orphans, object) < 0)
            PyErr_Clear ();
        }
      PyList_SetItem (kept, i, Py_NewRef (Py_None));
    }
  Py_DECREF (kept);

  if (orphans != NULL && (loop->is_closed || !loop_event_loop_call_soon_threadsafe (loop->loop, do_nothing, orphans,
                                                                                    drop_list, NULL, NULL)))
    Py_DECREF (orphans);
}

/* Takes the exception that is being raised. */
static void
set_error (GError **error)
{
  PyObject *exception = py_take_exception ();
  PyObject *text = exception != NULL ? PyObject_Str (exception) : NULL;
  const char *utf8 = text != NULL ? PyUnicode_AsUTF8 (text) : NULL;

  g_set_error (error, G_IO_ERROR, G_IO_ERROR_FAILED, "Python failed to answer: %s: %s",
               exception != NULL ? Py_TYPE (exception)->tp_name : "", utf8 != NULL ? utf8 : "");
  PyErr_Clear ();
  Py_XDECREF (text);
  Py_XDECREF (exception);
}

static PyObject *
make_argument (PyLoop *loop, GVariant *argument)
{
  guint64 id;
  const char *message;

  /* Who asks for a stack means the loop's thread. */
  if (argument == NULL)
    return PyLong_FromUnsignedLong (loop->thread);

  g_variant_get (argument, "(t&s)", &id, &message);

  return Py_BuildValue ("(Ks)", (unsigned long long) id, message);
}

static GVariant *
ask (PyLoop *loop, const char *question, GVariant *argument, PyObject *kept)
{
  PyObject *function = py_import_attribute ("libloop._inspection", "answer");
  PyObject *py_argument = function != NULL ? make_argument (loop, argument) : NULL;
  PyObject *answer = NULL;
  GVariant *variant = NULL;

  if (py_argument != NULL)
    answer = PyObject_CallFunction (function, "OsOO", loop, question, py_argument, kept);
  if (answer != NULL)
    variant = variant_from_dict (answer);
  Py_XDECREF (answer);
  Py_XDECREF (py_argument);
  Py_XDECREF (function);

  return variant;
}

static GVariant *
answer (guint64 loop_id, const char *question, GVariant *argument, GError **error)
{
  PyLoop *loop = g_hash_table_lookup (loops, &loop_id);
  PyObject *kept;
  GVariant *variant = NULL;

  if (loop == NULL)
    return NULL;

  Py_INCREF (loop);
  kept = PyList_New (0);
  if (kept != NULL)
    {
      variant = ask (loop, question, argument, kept);
      if (variant == NULL)
        set_error (error);
      let_go (loop, kept);
    }
  Py_DECREF (loop);

  return variant;
}

static int
enter (void)
{
  return (int) PyGILState_Ensure ();
}

static void
leave (int state)
{
  PyGILState_Release ((PyGILState_STATE) state);
}

static const LoopInterpreter interpreter = { "Python", enter, answer, leave };

void
py_inspection_add (PyLoop *loop)
{
  guint64 *id = g_new (guint64, 1);

  *id = loop_event_loop_get_id (loop->loop);
  g_hash_table_insert (loops, id, loop);
}

void
py_inspection_remove (PyLoop *loop)
{
  guint64 id = loop_event_loop_get_id (loop->loop);

  g_hash_table_remove (loops, &id);
}

/* The interpreter ends: nobody may come into it any more. Whoever is in there leaves first. */
static PyObject *
end_inspection (PyObject *module, PyObject *unused)
{
  Py_BEGIN_ALLOW_THREADS;
  loop_inspector_set_interpreter (NULL);
  Py_END_ALLOW_THREADS;

  Py_RETURN_NONE;
}

static PyObject *
reserve_id (PyObject *module, PyObject *unused)
{
  return PyLong_FromUnsignedLongLong (loop_interpreter_reserve_id ());
}

static PyMethodDef methods[] = {
  { "_end_inspection", end_inspection, METH_NOARGS, NULL },
  { "_reserve_id", reserve_id, METH_NOARGS, NULL },
  { NULL },
};

int
py_inspection_init (PyObject *module)
{
  PyObject *at_exit = py_import_attribute ("atexit", "register");
  PyObject *end = NULL;
  PyObject *result = NULL;

  loops = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  if (at_exit != NULL && PyModule_AddFunctions (module, methods) == 0)
    end = PyObject_GetAttrString (module, "_end_inspection");
  if (end != NULL)
    result = PyObject_CallOneArg (at_exit, end);
  Py_XDECREF (end);
  Py_XDECREF (at_exit);
  if (result == NULL)
    return -1;

  Py_DECREF (result);
  loop_inspector_set_interpreter (&interpreter);

  return 0;
}
