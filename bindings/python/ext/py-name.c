/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "py-common.h"

/*
 * What inspectors call a function of Python's: its qualified name, and where it is. A name is
 * made once for each code object, and lives for ever, as libloop wants it.
 */

const int *py_observers;

static PyTypeObject *partial_type; /* functools.partial */
static PyObject *task_type;        /* asyncio.Task */

/* How deep a partial in a partial is looked into. */
#define MAX_DEPTH 8

#if PY_VERSION_HEX < 0x030c0000
#define PyUnstable_Eval_RequestCodeExtraIndex _PyEval_RequestCodeExtraIndex
#define PyUnstable_Code_GetExtra _PyCode_GetExtra
#define PyUnstable_Code_SetExtra _PyCode_SetExtra
#endif

static Py_ssize_t code_index; /* where a code object has its name */

static const char *
make_code_name (PyObject *code_object, const char *prefix)
{
  PyCodeObject *code = (PyCodeObject *) code_object;
  const char *qualname = PyUnicode_AsUTF8 (code->co_qualname);
  const char *path = PyUnicode_AsUTF8 (code->co_filename);
  g_autofree char *file = NULL;
  g_autofree char *name = NULL;

  if (qualname == NULL || path == NULL)
    return NULL;

  file = g_path_get_basename (path);
  name = g_strdup_printf ("%s%s %s:%d", prefix, qualname, file, code->co_firstlineno);

  return g_intern_string (name);
}

/* Of a function, or, with a prefix that is always the same for this code, of a coroutine. */
static const char *
name_of_code (PyObject *code, const char *prefix)
{
  void *name = NULL;

  if (PyUnstable_Code_GetExtra (code, code_index, &name) < 0)
    return NULL;
  if (name != NULL)
    return name;

  name = (void *) make_code_name (code, prefix);
  if (name != NULL && PyUnstable_Code_SetExtra (code, code_index, name) < 0)
    return NULL;

  return name;
}

/* Of something whose code is not Python's. There are as many such names as there are of these. */
static const char *
name_of_qualname (PyObject *object)
{
  PyObject *qualname = PyObject_GetAttr (object, py_str.__qualname__);
  const char *text = qualname != NULL && PyUnicode_Check (qualname) ? PyUnicode_AsUTF8 (qualname) : NULL;
  const char *name = text != NULL ? g_intern_string (text) : NULL;

  Py_XDECREF (qualname);

  return name;
}

/* The steps of a task are known by what it runs. */
static const char *
name_of_task (PyObject *task)
{
  PyObject *coroutine = PyObject_GetAttr (task, py_str._coro);
  PyObject *code = NULL;
  const char *name = NULL;

  if (coroutine != NULL && coroutine != Py_None)
    {
      code = PyObject_GetAttr (coroutine, PyGen_Check (coroutine) ? py_str.gi_code : py_str.cr_code);
      /* One of another kind, such as Cython's. */
      if (code == NULL && PyErr_ExceptionMatches (PyExc_AttributeError))
        {
          PyErr_Clear ();
          name = name_of_qualname (coroutine);
        }
    }
  if (code != NULL && PyCode_Check (code))
    name = name_of_code (code, "task ");
  Py_XDECREF (code);
  Py_XDECREF (coroutine);

  return name;
}

static gboolean
is_private (PyObject *function)
{
  PyObject *name = PyFunction_Check (function) ? ((PyFunctionObject *) function)->func_name : NULL;

  return name != NULL && PyUnicode_GET_LENGTH (name) > 2 && PyUnicode_READ_CHAR (name, 0) == '_' &&
         PyUnicode_READ_CHAR (name, 1) == '_';
}

/* Returns: (nullable): the task whose step @callable is */
static PyObject *
find_task (PyObject *callable)
{
  PyObject *owner = NULL;
  PyObject *task = NULL;

  /* asyncio's tasks in C are called by a type of theirs, or by a builtin method; those in Python by private methods. */
  if (PyCFunction_Check (callable) && strcmp (((PyCFunctionObject *) callable)->m_ml->ml_name, "task_wakeup") == 0)
    owner = Py_XNewRef (PyCFunction_GET_SELF (callable));
  else if (PyMethod_Check (callable) && is_private (PyMethod_GET_FUNCTION (callable)))
    owner = Py_NewRef (PyMethod_GET_SELF (callable));
  else if (strcmp (Py_TYPE (callable)->tp_name, "TaskStepMethWrapper") == 0)
    owner = PyObject_GetAttr (callable, py_str.__self__);

  if (owner != NULL && PyObject_TypeCheck (owner, (PyTypeObject *) task_type))
    task = Py_NewRef (owner);
  Py_XDECREF (owner);

  return task;
}

static const char *
name_of (PyObject *callable)
{
  PyObject *task;
  const char *name;

  for (int i = 0; i < MAX_DEPTH; i++)
    {
      PyObject *inner;

      if (PyFunction_Check (callable))
        return name_of_code (PyFunction_GET_CODE (callable), "");

      task = find_task (callable);
      if (task != NULL)
        {
          name = name_of_task (task);
          Py_DECREF (task);
          return name;
        }

      if (PyMethod_Check (callable))
        {
          callable = PyMethod_GET_FUNCTION (callable);
          continue;
        }
      if (!PyObject_TypeCheck (callable, partial_type))
        break;

      /* The partial keeps it. */
      inner = PyObject_GetAttr (callable, py_str.func);
      if (inner == NULL)
        return NULL;
      callable = inner;
      Py_DECREF (inner);
    }

  if (PyCFunction_Check (callable) || PyType_Check (callable))
    return name_of_qualname (callable);

  return name_of_qualname ((PyObject *) Py_TYPE (callable));
}

/* Returns: (nullable): what @callable is called, for ever */
const char *
py_name_of_callable (PyObject *callable)
{
  const char *name = name_of (callable);

  /* What has no name is called by libloop's function. */
  if (name == NULL)
    PyErr_Clear ();

  return name;
}

/* Returns: (nullable): what an instance's class is called, for ever */
const char *
py_name_of_type (PyObject *instance)
{
  const char *name = name_of_qualname ((PyObject *) Py_TYPE (instance));

  if (name == NULL)
    PyErr_Clear ();

  return name;
}

int
py_name_init (void)
{
  py_observers = loop_interpreter_peek_observers ();
  partial_type = (PyTypeObject *) py_import_attribute ("functools", "partial");
  task_type = py_import_attribute ("asyncio", "Task");
  if (partial_type == NULL || task_type == NULL)
    return -1;

  code_index = PyUnstable_Eval_RequestCodeExtraIndex (NULL);
  if (code_index < 0)
    {
      PyErr_SetString (PyExc_ImportError, "no room for what libloop knows of code objects");
      return -1;
    }

  return 0;
}
