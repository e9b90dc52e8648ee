/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "py-common.h"

PyStrings py_str;

PyObject *
py_import_attribute (const char *module, const char *name)
{
  PyObject *imported = PyImport_ImportModule (module);
  PyObject *attribute = imported != NULL ? PyObject_GetAttrString (imported, name) : NULL;

  Py_XDECREF (imported);

  return attribute;
}

/* Returns: the exception that is being raised, with its traceback, and raises it no more */
PyObject *
py_take_exception (void)
{
  PyObject *type;
  PyObject *value;
  PyObject *traceback;

  PyErr_Fetch (&type, &value, &traceback);
  PyErr_NormalizeException (&type, &value, &traceback);
  if (traceback != NULL)
    PyException_SetTraceback (value, traceback);
  Py_XDECREF (type);
  Py_XDECREF (traceback);

  return value;
}

static gboolean
intern_strings (void)
{
#define PY_STRING_INTERN(name)                                                                                         \
  if ((py_str.name = PyUnicode_InternFromString (#name)) == NULL)                                                      \
    return FALSE;
  PY_STRINGS (PY_STRING_INTERN)
#undef PY_STRING_INTERN

  return TRUE;
}

static int
module_exec (PyObject *module)
{
  /* Its types are static to the process, and so is GLib: there is one interpreter that they belong to. */
  if (PyInterpreterState_Get () != PyInterpreterState_Main ())
    {
      PyErr_SetString (PyExc_ImportError, "libloop cannot be used in a sub-interpreter");
      return -1;
    }

  if (!intern_strings () || py_gc_init () < 0 || py_name_init () < 0 || py_inspection_init (module) < 0 ||
      py_executor_init_type (module) < 0 || py_handle_init_types (module) < 0 || py_loop_init_type (module) < 0 ||
      py_server_init_type (module) < 0 || py_sock_init_type (module) < 0 || py_stream_init () < 0 ||
      py_future_init () < 0 || py_transport_init_type (module) < 0 || py_ssl_init_types (module) < 0)
    return -1;

  return 0;
}

static PyModuleDef_Slot module_slots[] = {
  { Py_mod_exec, module_exec },
  { 0, NULL },
};

static PyModuleDef module_def = {
  PyModuleDef_HEAD_INIT,
  .m_name = "_libloop",
  .m_doc = "The hot path of the package libloop.",
  .m_slots = module_slots,
};

PyMODINIT_FUNC
PyInit__libloop (void)
{
  return PyModuleDef_Init (&module_def);
}
