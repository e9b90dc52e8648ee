/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "py-common.h"

#include <structmember.h>

/*
 * Handles and timers: asyncio's own classes, whose attributes are read and written at their
 * places without a look-up, and with what is called for each of them in C. Handles that
 * nobody has any more are kept to be used again.
 *
 * Most handles are gone before the garbage collector's next run, and what is pending is no
 * garbage: a handle, its context and its arguments are told to the collector only before it
 * looks at everything, or when somebody still has the handle after it was run. Until then
 * they are in the collector's eyes referred to from outside. With 200,000 handles pending,
 * looking through them again and again took more time than all the rest.
 */

typedef struct
{
  PyOwned owned;       /* while libloop has a reference */
  PyLoop *loop;        /* meanwhile: it is alive as long, whatever becomes of the attribute */
  PyObject *context;   /* in place of asyncio's slot, for nobody may have one of which the collector does not know */
  LoopHandle *pending; /* the loop's; NULL once it has run or was cancelled */
  guint64 traced_id;   /* of that of which libloop knows who made it, or 0 */
  gboolean is_put_off; /* to the next run of the loop */
} Extra;

/* Where the attributes of asyncio's classes are within an instance. */
static struct
{
  Py_ssize_t callback;
  Py_ssize_t args;
  Py_ssize_t cancelled;
  Py_ssize_t loop;
  Py_ssize_t source_traceback;
  Py_ssize_t repr;
  Py_ssize_t scheduled;
  Py_ssize_t when;
  Py_ssize_t extra;
  Py_ssize_t timer_extra;
} offset;

#define SLOT(self, name) (*(PyObject **) ((char *) (self) + offset.name))

PyTypeObject *py_handle_type;
PyTypeObject *py_timer_handle_type;

static PyObject *extract_stack; /* asyncio.format_helpers.extract_stack */

#define MAX_SPARES 1024

typedef struct
{
  PyObject *head; /* linked by the callback */
  guint length;
} Spares;

static Spares spare_handles;
static Spares spare_timers;

static inline gboolean
is_timer (PyObject *self)
{
  return Py_IS_TYPE (self, py_timer_handle_type);
}

static inline Extra *
get_extra (PyObject *self)
{
  return (Extra *) ((char *) self + (is_timer (self) ? offset.timer_extra : offset.extra));
}

static inline void
track_object (PyObject *object)
{
  if (object != NULL && PyObject_IS_GC (object) && !PyObject_GC_IsTracked (object))
    PyObject_GC_Track (object);
}

/* From now on the collector knows of it. */
static void
track (PyObject *self)
{
  PyObject *args = SLOT (self, args);

  track_object (get_extra (self)->context);
  if (args != NULL && PyTuple_CheckExact (args) && PyTuple_GET_SIZE (args) > 0)
    track_object (args);
  track_object (self);
}

/* A context that is freed takes itself off the collector's list without looking whether it is there. */
static void
drop_context (PyObject *self)
{
  PyObject *context = get_extra (self)->context;

  get_extra (self)->context = NULL;
  track_object (context);
  Py_XDECREF (context);
}

static int
handle_traverse (PyObject *self, visitproc visit, void *arg)
{
  Py_VISIT (Py_TYPE (self));
  Py_VISIT (SLOT (self, callback));
  Py_VISIT (SLOT (self, args));
  Py_VISIT (SLOT (self, loop));
  Py_VISIT (SLOT (self, source_traceback));
  Py_VISIT (get_extra (self)->context);

  return 0;
}

static int
handle_clear (PyObject *self)
{
  Py_CLEAR (SLOT (self, callback));
  Py_CLEAR (SLOT (self, args));
  Py_CLEAR (SLOT (self, loop));
  Py_CLEAR (SLOT (self, source_traceback));
  drop_context (self);
  Py_CLEAR (SLOT (self, repr));
  Py_CLEAR (SLOT (self, cancelled));
  if (is_timer (self))
    {
      Py_CLEAR (SLOT (self, scheduled));
      Py_CLEAR (SLOT (self, when));
    }

  return 0;
}

static void
handle_dealloc (PyObject *self)
{
  PyTypeObject *type = Py_TYPE (self);
  Spares *spares = is_timer (self) ? &spare_timers : &spare_handles;

  PyObject_GC_UnTrack (self);
  if (type->tp_weaklistoffset > 0 && *(PyObject **) ((char *) self + type->tp_weaklistoffset) != NULL)
    PyObject_ClearWeakRefs (self);
  handle_clear (self);

  if (spares->length < MAX_SPARES)
    {
      SLOT (self, callback) = spares->head;
      spares->head = self;
      spares->length++;
      return;
    }

  type->tp_free (self);
  Py_DECREF (type);
}

static PyObject *
handle_alloc (PyTypeObject *type, Spares *spares)
{
  PyObject *self = spares->head;

  if (self == NULL)
    {
      self = type->tp_alloc (type, 0);
      if (self != NULL)
        PyObject_GC_UnTrack (self);
      return self;
    }

  spares->head = SLOT (self, callback);
  spares->length--;
  SLOT (self, callback) = NULL;
  _Py_NewReference (self);

  return self;
}

static int
handle_set_up (PyObject *self,
               PyLoop *loop,
               PyObject *callback,
               PyObject *const *args,
               Py_ssize_t n_args,
               PyObject *context)
{
  PyObject *tuple = PyTuple_New (n_args);
  gboolean is_copied = context == NULL || context == Py_None;

  *get_extra (self) = (Extra) { .pending = NULL };
  if (tuple == NULL)
    return -1;
  for (Py_ssize_t i = 0; i < n_args; i++)
    PyTuple_SET_ITEM (tuple, i, Py_NewRef (args[i]));
  if (n_args > 0)
    PyObject_GC_UnTrack (tuple);
  SLOT (self, args) = tuple;

  context = is_copied ? PyContext_CopyCurrent () : Py_NewRef (context);
  if (context == NULL)
    return -1;
  if (is_copied)
    PyObject_GC_UnTrack (context);
  get_extra (self)->context = context;

  SLOT (self, callback) = Py_NewRef (callback);
  SLOT (self, loop) = Py_NewRef ((PyObject *) loop);
  SLOT (self, cancelled) = Py_NewRef (Py_False);
  SLOT (self, repr) = Py_NewRef (Py_None);

  if (G_UNLIKELY (loop->is_debug))
    SLOT (self, source_traceback) = PyObject_CallFunctionObjArgs (extract_stack, NULL);
  else
    SLOT (self, source_traceback) = Py_NewRef (Py_None);

  return SLOT (self, source_traceback) != NULL ? 0 : -1;
}

PyObject *
py_handle_new (PyLoop *loop, PyObject *callback, PyObject *const *args, Py_ssize_t n_args, PyObject *context)
{
  PyObject *self = handle_alloc (py_handle_type, &spare_handles);

  if (self != NULL && handle_set_up (self, loop, callback, args, n_args, context) < 0)
    Py_CLEAR (self);

  return self;
}

PyObject *
py_timer_handle_new (PyLoop *loop,
                     double when,
                     PyObject *callback,
                     PyObject *const *args,
                     Py_ssize_t n_args,
                     PyObject *context)
{
  PyObject *self = handle_alloc (py_timer_handle_type, &spare_timers);

  if (self == NULL)
    return NULL;

  SLOT (self, when) = PyFloat_FromDouble (when);
  SLOT (self, scheduled) = Py_NewRef (Py_True);
  if (SLOT (self, when) == NULL || handle_set_up (self, loop, callback, args, n_args, context) < 0)
    Py_CLEAR (self);

  return self;
}

/* Returns: a reference for libloop, which gives it back through one of the functions below */
PyObject *
py_handle_give (PyObject *self)
{
  Extra *extra = get_extra (self);

  extra->loop = (PyLoop *) SLOT (self, loop);
  py_owned_add (&extra->owned, &extra->loop->owned, self);

  return Py_NewRef (self);
}

static void
take_back (PyObject *self)
{
  Extra *extra = get_extra (self);

  py_owned_remove (&extra->owned);
  extra->loop = NULL;
  if (Py_REFCNT (self) > 1)
    track (self);
  Py_DECREF (self);
}

/* The collector is going to look at everything. */
void
py_handle_track (PyObject *self)
{
  if (Py_IS_TYPE (self, py_handle_type) || Py_IS_TYPE (self, py_timer_handle_type))
    track (self);
}

void
py_handle_set_pending (PyObject *self, LoopHandle *pending)
{
  get_extra (self)->pending = pending;
}

/* Tells an inspector who made a handle, as asyncio has found out in debug mode. */
static void
trace (PyObject *self, PyLoop *loop, LoopHandle *pending)
{
  PyObject *function = py_import_attribute ("libloop._inspection", "format_traceback");
  PyObject *text = NULL;
  const char *utf8 = NULL;

  if (function != NULL)
    text = PyObject_CallOneArg (function, SLOT (self, source_traceback));
  if (text != NULL)
    utf8 = PyUnicode_AsUTF8 (text);
  if (utf8 != NULL)
    {
      get_extra (self)->traced_id = loop_handle_get_id (pending);
      loop_interpreter_record_traceback (loop->loop, get_extra (self)->traced_id, utf8);
    }
  /* That much nobody has asked for. */
  PyErr_Clear ();
  Py_XDECREF (text);
  Py_XDECREF (function);
}

/* Somebody looks: what he sees of a handle that was just scheduled. */
void
py_handle_show (PyObject *self, LoopHandle *pending)
{
  PyLoop *loop = (PyLoop *) SLOT (self, loop);

  loop_handle_set_static_name (pending, py_name_of_callable (SLOT (self, callback)));
  if (SLOT (self, source_traceback) != Py_None)
    trace (self, loop, pending);
}

static void
report_failure (PyObject *self, PyLoop *loop)
{
  PyObject *exception;
  PyObject *result;

  if (py_is_interrupt ())
    {
      py_loop_interrupt (loop);
      return;
    }

  exception = py_take_exception ();
  result = PyObject_CallMethodObjArgs ((PyObject *) loop, py_str._report_failure, self, exception, NULL);
  Py_XDECREF (exception);
  py_loop_check (loop, result, self);
}

/* Its attributes are open to everybody. */
static gboolean
is_intact (PyObject *callback, PyObject *args, PyObject *context)
{
  if (G_LIKELY (callback != NULL && args != NULL && PyTuple_CheckExact (args) && context != NULL))
    return TRUE;

  PyErr_SetString (PyExc_TypeError, "The attributes of a handle were changed");

  return FALSE;
}

static void
run (PyObject *self)
{
  PyLoop *loop = get_extra (self)->loop;
  PyObject *callback = SLOT (self, callback);
  PyObject *args = SLOT (self, args);
  PyObject *context = get_extra (self)->context;
  PyObject *result = NULL;
  PyTurnScope turn;

  if (G_UNLIKELY (!is_intact (callback, args, context)))
    {
      report_failure (self, loop);
      return;
    }

  Py_INCREF (self);
  Py_INCREF (callback);
  Py_INCREF (args);
  Py_INCREF (context);
  py_turn_begin (&turn, loop, self);
  if (G_LIKELY (PyContext_Enter (context) == 0))
    {
      result = PyObject_Vectorcall (callback, &PyTuple_GET_ITEM (args, 0), (size_t) PyTuple_GET_SIZE (args), NULL);
      if (PyContext_Exit (context) < 0)
        Py_CLEAR (result);
    }
  if (G_UNLIKELY (result == NULL))
    report_failure (self, loop);
  else
    Py_DECREF (result);
  py_turn_end (&turn);
  Py_DECREF (context);
  Py_DECREF (args);
  Py_DECREF (callback);
  Py_DECREF (self);
}

/* Of call_soon() and its like. */
void
py_handle_run_once (gpointer handle)
{
  PyObject *self = handle;
  PyLoop *loop = get_extra (self)->loop;

  get_extra (self)->pending = NULL;

  if (SLOT (self, cancelled) == Py_True)
    return;

  /* What is left of the batch when run_forever is to raise is for its next call. */
  if (G_UNLIKELY (loop->interrupted_by != NULL))
    {
      get_extra (self)->is_put_off = TRUE;
      return;
    }

  if (is_timer (self))
    Py_XSETREF (SLOT (self, scheduled), Py_NewRef (Py_False));
  run (self);
}

/* Of a descriptor that is watched. */
void
py_handle_run (gpointer handle)
{
  PyObject *self = handle;

  if (SLOT (self, cancelled) != Py_True && get_extra (self)->loop->interrupted_by == NULL)
    run (self);
}

/* The loop is done with a handle, or is closed. */
void
py_handle_drop (gpointer handle)
{
  Extra *extra = get_extra (handle);

  extra->pending = NULL;
  if (G_UNLIKELY (extra->traced_id != 0))
    {
      loop_interpreter_forget_traceback (extra->traced_id);
      extra->traced_id = 0;
    }
  if (G_UNLIKELY (extra->is_put_off))
    {
      LoopHandle *pending;

      extra->is_put_off = FALSE;
      pending = loop_event_loop_call_soon_full (extra->loop->loop, py_handle_run_once, handle, py_handle_drop, NULL);
      if (pending != NULL)
        extra->pending = pending;
      return;
    }
  take_back (handle);
}

static void
mark_cancelled (PyObject *self)
{
  PyObject *loop = SLOT (self, loop);

  Py_XSETREF (SLOT (self, cancelled), Py_NewRef (Py_True));
  if (loop != NULL && PyObject_TypeCheck (loop, py_loop_type) && ((PyLoop *) loop)->is_debug)
    {
      PyObject *repr = PyObject_Repr (self);

      if (repr == NULL)
        PyErr_WriteUnraisable (self);
      else
        Py_XSETREF (SLOT (self, repr), repr);
    }

  Py_XSETREF (SLOT (self, callback), Py_NewRef (Py_None));
  Py_XSETREF (SLOT (self, args), Py_NewRef (Py_None));
}

/* A descriptor is not watched any more: as in asyncio, its handle is cancelled then. */
void
py_handle_removed (gpointer handle)
{
  PyObject *self = handle;

  if (SLOT (self, cancelled) != Py_True)
    mark_cancelled (self);
  take_back (self);
}

PyDoc_STRVAR (cancel_doc, "cancel()\n--\n\nCancel the callback. Nothing happens when it has run or was cancelled.");

static PyObject *
handle_cancel (PyObject *self, PyObject *unused)
{
  LoopHandle *pending = get_extra (self)->pending;

  if (SLOT (self, cancelled) == Py_True)
    Py_RETURN_NONE;

  mark_cancelled (self);
  if (is_timer (self))
    Py_XSETREF (SLOT (self, scheduled), Py_NewRef (Py_False));

  /* Another thread's cancellation is seen when it is the handle's turn. */
  if (pending != NULL && py_loop_is_thread (get_extra (self)->loop))
    loop_handle_cancel (pending);

  Py_RETURN_NONE;
}

static PyObject *
handle_get_context (PyObject *self, void *unused)
{
  PyObject *context = get_extra (self)->context;

  if (context == NULL)
    return PyErr_Format (PyExc_AttributeError, "_context");
  track_object (context);

  return Py_NewRef (context);
}

static int
handle_set_context (PyObject *self, PyObject *value, void *unused)
{
  drop_context (self);
  get_extra (self)->context = Py_XNewRef (value);

  return 0;
}

static PyGetSetDef handle_getset[] = {
  { "_context", handle_get_context, handle_set_context, NULL, NULL },
  { NULL },
};

static PyMethodDef handle_methods[] = {
  { "cancel", handle_cancel, METH_NOARGS, cancel_doc },
  { NULL },
};

PyDoc_STRVAR (handle_doc, "A callback that is scheduled or watches a descriptor.");
PyDoc_STRVAR (timer_handle_doc, "A callback that is scheduled for a time.");

static PyType_Slot handle_slots[] = {
  { Py_tp_doc, (void *) handle_doc },
  { Py_tp_dealloc, handle_dealloc },
  { Py_tp_traverse, handle_traverse },
  { Py_tp_clear, handle_clear },
  { Py_tp_methods, handle_methods },
  { Py_tp_getset, handle_getset },
  { 0, NULL },
};

static PyType_Slot timer_handle_slots[] = {
  { Py_tp_doc, (void *) timer_handle_doc },
  { Py_tp_dealloc, handle_dealloc },
  { Py_tp_traverse, handle_traverse },
  { Py_tp_clear, handle_clear },
  { Py_tp_methods, handle_methods },
  { Py_tp_getset, handle_getset },
  { 0, NULL },
};

static gboolean
find_slot (PyTypeObject *type, const char *name, Py_ssize_t *result)
{
  PyObject *descriptor = PyDict_GetItemString (type->tp_dict, name);

  if (descriptor == NULL || !Py_IS_TYPE (descriptor, &PyMemberDescr_Type))
    {
      PyErr_Format (PyExc_ImportError, "%s of this Python has no slot %s", type->tp_name, name);
      return FALSE;
    }

  *result = ((PyMemberDescrObject *) descriptor)->d_member->offset;

  return TRUE;
}

static PyTypeObject *
make_type (PyObject *module, const char *name, PyType_Slot *slots, PyTypeObject *base, Py_ssize_t *extra)
{
  PyType_Spec spec = {
    .name = name,
    .basicsize = (int) (base->tp_basicsize + (Py_ssize_t) sizeof (Extra)),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
  };

  *extra = base->tp_basicsize;

  return (PyTypeObject *) PyType_FromModuleAndSpec (module, &spec, (PyObject *) base);
}

int
py_handle_init_types (PyObject *module)
{
  PyTypeObject *handle = (PyTypeObject *) py_import_attribute ("asyncio.events", "Handle");
  PyTypeObject *timer = (PyTypeObject *) py_import_attribute ("asyncio.events", "TimerHandle");

  extract_stack = py_import_attribute ("asyncio.format_helpers", "extract_stack");
  if (handle == NULL || timer == NULL || extract_stack == NULL)
    return -1;

  if (!find_slot (handle, "_callback", &offset.callback) || !find_slot (handle, "_args", &offset.args) ||
      !find_slot (handle, "_cancelled", &offset.cancelled) || !find_slot (handle, "_loop", &offset.loop) ||
      !find_slot (handle, "_source_traceback", &offset.source_traceback) ||
      !find_slot (handle, "_repr", &offset.repr) || !find_slot (timer, "_scheduled", &offset.scheduled) ||
      !find_slot (timer, "_when", &offset.when))
    return -1;

  py_handle_type = make_type (module, "_libloop.Handle", handle_slots, handle, &offset.extra);
  py_timer_handle_type = make_type (module, "_libloop.TimerHandle", timer_handle_slots, timer, &offset.timer_extra);
  Py_DECREF (handle);
  Py_DECREF (timer);
  if (py_handle_type == NULL || py_timer_handle_type == NULL)
    return -1;

  return PyModule_AddType (module, py_handle_type) < 0 || PyModule_AddType (module, py_timer_handle_type) < 0 ? -1 : 0;
}
