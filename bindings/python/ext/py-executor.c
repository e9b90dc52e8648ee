/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "py-common.h"

#include <errno.h>
#include <semaphore.h>

/*
 * What threads of Python's are given to do for a loop: the queue of its default executor. A job
 * goes to a thread and its result comes back without any object of Python's in between.
 *
 * All of it is changed with the interpreter's lock. A thread that finds nothing to do counts
 * itself among the idle ones and waits without that lock; whoever adds a job takes it from
 * there and wakes it up.
 */
typedef struct _Job Job;
struct _Job
{
  Job *next;
  PyLoop *loop;     /* or NULL: nobody waits for the result */
  PyObject *future; /* likewise */
  PyObject *function;
  PyObject *args;
  PyObject *result;
  PyObject *exception;
};

typedef struct
{
  PyObject_HEAD Job *first;
  Job *last;
  sem_t wakeups;
  guint n_idle; /* threads that nobody has woken up yet */
  gboolean is_shut_down;
} PyJobQueue;

static PyTypeObject *queue_type;
static PyObject *convert_exception; /* asyncio.futures._convert_future_exc: concurrent.futures' classes to asyncio's */

static void
job_free (gpointer data)
{
  Job *self = data;

  Py_XDECREF (self->future);
  Py_XDECREF (self->loop);
  Py_XDECREF (self->function);
  Py_XDECREF (self->args);
  Py_XDECREF (self->result);
  Py_XDECREF (self->exception);
  g_free (self);
}

/* A future refuses StopIteration, which would end the coroutine that waits for it. */
static PyObject *
make_settable (PyObject *exception)
{
  PyObject *error;

  if (!PyErr_GivenExceptionMatches (exception, PyExc_StopIteration))
    return PyObject_CallOneArg (convert_exception, exception);

  error = PyObject_CallFunction (PyExc_RuntimeError, "s", "the function raised StopIteration");
  if (error != NULL)
    PyException_SetCause (error, Py_NewRef (exception));

  return error;
}

static PyObject *
fulfil (Job *self)
{
  PyObject *exception;
  PyObject *status;

  if (self->result != NULL)
    return PyObject_CallMethodOneArg (self->future, py_str.set_result, self->result);
  /* The executor was shut down before it was the job's turn. */
  if (self->exception == NULL)
    return PyObject_CallMethod (self->future, "cancel", NULL);

  exception = make_settable (self->exception);
  status = exception != NULL ? PyObject_CallMethod (self->future, "set_exception", "O", exception) : NULL;
  Py_XDECREF (exception);

  return status;
}

/* In the loop's thread. */
static void
job_done (gpointer data)
{
  Job *self = data;
  PyObject *done = PyObject_CallMethodNoArgs (self->future, py_str.done);

  if (done == Py_False)
    Py_XSETREF (done, fulfil (self));
  py_loop_check (self->loop, done, self->future);
}

/* Takes @self. Whoever has closed the loop does not want the result any more. */
static void
job_send_back (Job *self)
{
  Py_CLEAR (self->function);
  Py_CLEAR (self->args);
  if (self->loop == NULL || self->loop->is_closed || self->loop->loop == NULL)
    job_free (self);
  else
    loop_event_loop_call_soon_threadsafe (self->loop->loop, job_done, self, job_free, NULL, NULL);
}

static int
job_is_cancelled (Job *self)
{
  PyObject *cancelled = self->future != NULL ? PyObject_CallMethodNoArgs (self->future, py_str.cancelled) : NULL;
  int status = cancelled != NULL ? PyObject_IsTrue (cancelled) : 0;

  Py_XDECREF (cancelled);
  if (PyErr_Occurred ())
    PyErr_WriteUnraisable (self->future);

  return status == 1;
}

static void
job_run (Job *self)
{
  if (job_is_cancelled (self))
    {
      job_free (self);
      return;
    }

  self->result = PyObject_CallObject (self->function, self->args);
  if (self->result == NULL)
    {
      if (self->future == NULL)
        PyErr_WriteUnraisable (self->function);
      else
        self->exception = py_take_exception ();
    }
  job_send_back (self);
}

/* --- The queue -------------------------------------------------------------------------------- */

static Job *
take_first (PyJobQueue *self)
{
  Job *job = self->first;

  if (job != NULL)
    {
      self->first = job->next;
      if (self->first == NULL)
        self->last = NULL;
    }

  return job;
}

PyDoc_STRVAR (add_doc,
              "add($self, loop, future, function, args, /)\n--\n\n"
              "Have a thread call a function and the future told of it. Return True if all threads are busy.");

static PyObject *
queue_add (PyObject *object, PyObject *args)
{
  PyJobQueue *self = (PyJobQueue *) object;
  PyObject *loop;
  PyObject *future;
  PyObject *function;
  PyObject *function_args;
  Job *job;

  if (!PyArg_ParseTuple (args, "OOOO!", &loop, &future, &function, &PyTuple_Type, &function_args))
    return NULL;
  if (loop != Py_None && !PyObject_TypeCheck (loop, py_loop_type))
    return PyErr_Format (PyExc_TypeError, "loop must be a libloop.EventLoop, not %s", Py_TYPE (loop)->tp_name);
  if (self->is_shut_down)
    return PyErr_Format (PyExc_RuntimeError, "cannot schedule new futures after shutdown");

  job = g_new0 (Job, 1);
  if (loop != Py_None)
    {
      job->loop = (PyLoop *) Py_NewRef (loop);
      job->future = Py_NewRef (future);
    }
  job->function = Py_NewRef (function);
  job->args = Py_NewRef (function_args);
  if (self->last != NULL)
    self->last->next = job;
  else
    self->first = job;
  self->last = job;

  if (self->n_idle == 0)
    Py_RETURN_TRUE;

  self->n_idle--;
  sem_post (&self->wakeups);

  Py_RETURN_FALSE;
}

static void
wait_for_wakeup (PyJobQueue *self)
{
  int status;

  self->n_idle++;
  Py_BEGIN_ALLOW_THREADS;
  do
    status = sem_wait (&self->wakeups);
  while (status < 0 && errno == EINTR);
  Py_END_ALLOW_THREADS;
}

PyDoc_STRVAR (work_doc, "work($self, /)\n--\n\nDo what is added, until shutdown(). For a thread to run.");

static PyObject *
queue_work (PyObject *object, PyObject *unused)
{
  PyJobQueue *self = (PyJobQueue *) object;

  for (;;)
    {
      Job *job = take_first (self);

      if (job != NULL)
        job_run (job);
      else if (self->is_shut_down)
        Py_RETURN_NONE;
      else
        wait_for_wakeup (self);
    }
}

PyDoc_STRVAR (shutdown_doc,
              "shutdown($self, cancel_futures, /)\n--\n\n"
              "Have the threads end when they have done what was added, or what they do now.");

static PyObject *
queue_shutdown (PyObject *object, PyObject *cancel_futures)
{
  PyJobQueue *self = (PyJobQueue *) object;
  int is_cancelling = PyObject_IsTrue (cancel_futures);
  Job *job;

  if (is_cancelling < 0)
    return NULL;

  self->is_shut_down = TRUE;
  while (is_cancelling && (job = take_first (self)) != NULL)
    job_send_back (job);
  for (; self->n_idle > 0; self->n_idle--)
    sem_post (&self->wakeups);

  Py_RETURN_NONE;
}

static PyObject *
queue_new (PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
  PyJobQueue *self = (PyJobQueue *) type->tp_alloc (type, 0);

  if (self != NULL)
    sem_init (&self->wakeups, 0, 0);

  return (PyObject *) self;
}

static void
queue_dealloc (PyObject *object)
{
  PyJobQueue *self = (PyJobQueue *) object;
  PyTypeObject *type = Py_TYPE (object);
  Job *job;

  while ((job = take_first (self)) != NULL)
    job_free (job);
  sem_destroy (&self->wakeups);
  type->tp_free (object);
  Py_DECREF (type);
}

static PyMethodDef queue_methods[] = {
  { "add", queue_add, METH_VARARGS, add_doc },
  { "work", queue_work, METH_NOARGS, work_doc },
  { "shutdown", queue_shutdown, METH_O, shutdown_doc },
  { NULL },
};

PyDoc_STRVAR (queue_doc, "What threads are given to do for a loop.");

static PyType_Slot queue_slots[] = {
  { Py_tp_doc, (void *) queue_doc },
  { Py_tp_new, queue_new },
  { Py_tp_dealloc, queue_dealloc },
  { Py_tp_methods, queue_methods },
  { 0, NULL },
};

static PyType_Spec queue_spec = {
  .name = "_libloop.JobQueue",
  .basicsize = sizeof (PyJobQueue),
  .flags = Py_TPFLAGS_DEFAULT,
  .slots = queue_slots,
};

int
py_executor_init_type (PyObject *module)
{
  convert_exception = py_import_attribute ("asyncio.futures", "_convert_future_exc");
  if (convert_exception == NULL)
    return -1;

  queue_type = (PyTypeObject *) PyType_FromModuleAndSpec (module, &queue_spec, NULL);

  return queue_type == NULL ? -1 : PyModule_AddType (module, queue_type);
}
