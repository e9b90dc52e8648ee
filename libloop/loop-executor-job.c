/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-executor-job-private.h"

#include "loop-future-spares-private.h"

/*
 * The way back into a loop: a stack of completed jobs that any thread pushes to and the loop
 * takes over as a whole. Only whoever finds it empty has to tell the loop, so that what is
 * completed in a burst costs one call.
 *
 * A worker thread never has a reference to the loop or to a future, but may have one to the
 * port. It lives as long as the loop is open, and then for as long as there are jobs: these
 * are counted when the loop is closed, and not one by one, as counting costs cache lines that
 * move between processors.
 */
struct _LoopExecutorPort
{
  gatomicrefcount ref_count;
  LoopIncoming *incoming;

  /* The loop thread's alone. */
  LoopEventLoop *loop; /* or NULL once it is closed */
  LoopCloseHook hook;
  LoopExecutorJob *in_flight; /* all that were submitted and not delivered: changed inside the guard */
  guint n_in_flight;
  LoopExecutorJob *first_ready;
  LoopExecutorJob **last_ready;
  LoopExecutorJob *spare; /* for the next jobs, linked by `next` */
  guint n_spare;
  LoopFutureSpares spare_futures;

  /* Pushed to by all threads: away from the rest. */
  guint8 cache_line_padding[64];
  LoopExecutorJob *completed;
};

#define MAX_SPARE 64

/* The stack of a loop that was closed. */
#define CLOSED ((LoopExecutorJob *) -1)

void
loop_executor_port_unref (LoopExecutorPort *self)
{
  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_assert (self->in_flight == NULL && self->first_ready == NULL && self->completed == CLOSED);

  loop_incoming_unref (self->incoming);
  g_free (self);
}

/* --- The future of a job, which knows how to cancel it ---------------------------------------- */

typedef struct
{
  LoopFuture parent_instance;

  LoopExecutorJob *job; /* until it is done */
} LoopExecutorFuture;

typedef struct
{
  LoopFutureClass parent_class;
} LoopExecutorFutureClass;

static GType loop_executor_future_get_type (void);

G_DEFINE_FINAL_TYPE (LoopExecutorFuture, loop_executor_future, LOOP_TYPE_FUTURE)

/* Takes a job out of the list of those that the loop waits for. */
static void
leave_list (LoopExecutorJob *job)
{
  LoopExecutorPort *port = job->port;

  loop_event_loop_enter (port->loop);
  if (job->prev_in_flight != NULL)
    job->prev_in_flight->next_in_flight = job->next_in_flight;
  else
    port->in_flight = job->next_in_flight;
  if (job->next_in_flight != NULL)
    job->next_in_flight->prev_in_flight = job->prev_in_flight;
  port->n_in_flight--;
  loop_event_loop_leave (port->loop);
}

static LoopFuture *
steal_future (LoopExecutorJob *job)
{
  LoopFuture *future = job->future;

  if (future == NULL)
    return NULL;

  ((LoopExecutorFuture *) future)->job = NULL;
  loop_event_loop_enter (future->loop);
  job->future = NULL;
  loop_event_loop_leave (future->loop);

  return future;
}

/* All but the memory. */
static void
job_clear (LoopExecutorJob *self)
{
  g_assert (self->future == NULL);

  loop_destroy_user_data (self->user_data, self->notify);
  if (G_IS_VALUE (&self->result))
    g_value_unset (&self->result);
  g_clear_error (&self->error);
  self->klass->unref_owner (self->owner);
}

static void
job_free (LoopExecutorJob *self)
{
  job_clear (self);
  g_free (self);
}

/* Of a loop that was closed: the job has a reference to the port. */
static void
job_free_late (LoopExecutorJob *self)
{
  LoopExecutorPort *port = self->port;

  job_free (self);
  loop_executor_port_unref (port);
}

static gboolean
loop_executor_future_cancel (LoopFuture *future, const char *message)
{
  LoopExecutorJob *job = ((LoopExecutorFuture *) future)->job;

  if (!loop_future_is_pending (future))
    return FALSE;

  g_object_ref (future);

  if (job != NULL)
    g_object_unref (steal_future (job));
  if (job != NULL && !job->klass->withdraw (job))
    job = NULL; /* it comes back, and nobody waits for it */
  loop_future_finish_cancelled (future, message);
  if (job != NULL)
    {
      leave_list (job);
      job_free (job);
    }

  g_object_unref (future);

  return TRUE;
}

static LoopFutureSpares *
loop_executor_future_get_spares (LoopEventLoop *loop)
{
  LoopExecutorPort *port = loop->executor_port;

  return port != NULL ? &port->spare_futures : NULL;
}

static void
loop_executor_future_class_init (LoopExecutorFutureClass *klass)
{
  klass->parent_class.cancel = loop_executor_future_cancel;
  klass->parent_class.spare_type = loop_executor_future_get_type ();
  klass->parent_class.get_spares = loop_executor_future_get_spares;
}

static void
loop_executor_future_init (LoopExecutorFuture *self)
{
}

/* --- Jobs come back --------------------------------------------------------------------------- */

/* Appends what was completed to what is ready, the oldest first. */
static void
take_completed (LoopExecutorPort *self, LoopExecutorJob *stack)
{
  LoopExecutorJob *completed = __atomic_exchange_n (&self->completed, stack, __ATOMIC_ACQ_REL);
  LoopExecutorJob *last = completed;
  LoopExecutorJob *first = NULL;

  if (completed == NULL)
    return;

  while (completed != NULL)
    {
      LoopExecutorJob *next = completed->next;

      completed->next = first;
      first = completed;
      completed = next;
    }

  *self->last_ready = first;
  self->last_ready = &last->next;
}

static LoopExecutorJob *
pop_ready (LoopExecutorPort *self)
{
  LoopExecutorJob *job = self->first_ready;

  if (job == NULL)
    return NULL;

  self->first_ready = job->next;
  if (self->first_ready == NULL)
    self->last_ready = &self->first_ready;

  return job;
}

static void
finish_future (LoopFuture *future, LoopExecutorJob *job)
{
  switch ((LoopExecutorJobOutcome) job->outcome)
    {
    case LOOP_EXECUTOR_JOB_RETURNED:
      loop_future_fulfil_value (future, &job->result);
      break;
    case LOOP_EXECUTOR_JOB_RAISED:
      loop_future_fail (future, g_steal_pointer (&job->error));
      break;
    case LOOP_EXECUTOR_JOB_CANCELLED:
      loop_future_finish_cancelled (future, NULL);
      break;
    default:
      g_assert_not_reached ();
    }
}

static void
job_deliver (LoopExecutorJob *self)
{
  LoopFuture *future = steal_future (self);

  leave_list (self);
  if (future != NULL)
    {
      finish_future (future, self);
      loop_future_release (future);
    }
  job_clear (self);
}

/* While the loop runs, which it cannot be closed in. */
static void
recycle (LoopExecutorPort *self, LoopExecutorJob *job)
{
  if (self->n_spare == MAX_SPARE)
    {
      g_free (job);
      return;
    }

  job->next = self->spare;
  self->spare = job;
  self->n_spare++;
}

static LoopExecutorJob *
job_alloc (LoopExecutorPort *port)
{
  LoopExecutorJob *job = port->spare;

  if (job == NULL)
    return g_new (LoopExecutorJob, 1);

  port->spare = job->next;
  port->n_spare--;

  return job;
}

/* A notify that iterates the loop finds here what is left. */
static void
deliver (gpointer data)
{
  LoopExecutorPort *self = data;
  LoopExecutorJob *job;

  take_completed (self, NULL);
  while ((job = pop_ready (self)) != NULL)
    {
      job_deliver (job);
      recycle (self, job);
    }
}

static void
port_loop_closed (LoopCloseHook *hook)
{
  LoopExecutorPort *self = (LoopExecutorPort *) ((char *) hook - G_STRUCT_OFFSET (LoopExecutorPort, hook));
  LoopExecutorJob *job;

  loop_event_loop_enter (self->loop);
  self->loop->executor_port = NULL;
  loop_event_loop_leave (self->loop);

  /* First what the loop alone knows of: from then on jobs may be freed by other threads. */
  while ((job = self->in_flight) != NULL)
    {
      LoopFuture *future = steal_future (job);

      leave_list (job);
      job->prev_in_flight = job->next_in_flight = NULL;
      if (job->is_droppable && job->klass->withdraw (job))
        job_free (job);
      else
        g_atomic_ref_count_inc (&self->ref_count);
      g_clear_object (&future);
    }
  self->loop = NULL;
  loop_future_spares_clear (&self->spare_futures);

  take_completed (self, CLOSED);
  while ((job = pop_ready (self)) != NULL)
    job_free_late (job);

  while ((job = self->spare) != NULL)
    {
      self->spare = job->next;
      g_free (job);
    }

  loop_executor_port_unref (self);
}

static LoopExecutorPort *
get_port (LoopEventLoop *loop)
{
  LoopExecutorPort *self = loop->executor_port;

  if (G_LIKELY (self != NULL))
    return self;

  self = g_new0 (LoopExecutorPort, 1);
  g_atomic_ref_count_init (&self->ref_count);
  self->incoming = loop_incoming_ref (loop->incoming);
  self->loop = loop;
  self->last_ready = &self->first_ready;
  self->hook.closed = port_loop_closed;
  loop_event_loop_add_close_hook (loop, &self->hook);
  loop_event_loop_enter (loop);
  loop->executor_port = self;
  loop_event_loop_leave (loop);

  return self;
}

/*
 * Makes a job and its future, of which the caller takes a reference before it hands over the
 * job. @owner comes with a reference. On the loop's thread.
 */
LoopExecutorJob *
loop_executor_job_new (LoopEventLoop *loop,
                       const char *name,
                       const LoopExecutorJobClass *klass,
                       gpointer owner,
                       LoopExecutorFunc func,
                       const char *function,
                       gpointer user_data,
                       GDestroyNotify notify)
{
  LoopExecutorPort *port = get_port (loop);
  LoopExecutorFuture *future = (LoopExecutorFuture *) loop_future_spares_take (&port->spare_futures);
  LoopExecutorJob *self = job_alloc (port);

  if (future == NULL)
    future = g_object_new (loop_executor_future_get_type (), NULL);
  loop_future_set_up (&future->parent_instance, loop, name);
  future->job = self;

  *self = (LoopExecutorJob) {
    .func = func,
    .function = function,
    .user_data = user_data,
    .notify = notify,
    .klass = klass,
    .owner = owner,
    .port = port,
    .id = future->parent_instance.node.id,
    .future = &future->parent_instance,
    .next_in_flight = port->in_flight,
  };

  loop_event_loop_enter (loop);
  if (self->next_in_flight != NULL)
    self->next_in_flight->prev_in_flight = self;
  port->in_flight = self;
  port->n_in_flight++;
  loop_event_loop_leave (loop);

  return self;
}

/* Ends a job that the executor does not take, on the loop's thread. Takes @error; %NULL stands for success. */
void
loop_executor_job_refuse (LoopExecutorJob *self, GError *error)
{
  self->error = error;
  self->outcome = error != NULL ? LOOP_EXECUTOR_JOB_RAISED : LOOP_EXECUTOR_JOB_RETURNED;
  job_deliver (self);
  g_free (self);
}

/* Calls the function. In any thread. */
void
loop_executor_job_run (LoopExecutorJob *self)
{
  if (self->func (&self->result, self->user_data, &self->error))
    {
      self->outcome = LOOP_EXECUTOR_JOB_RETURNED;
      return;
    }

  self->outcome = LOOP_EXECUTOR_JOB_RAISED;
  if (self->error == NULL)
    g_set_error_literal (&self->error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE,
                         "The function of the job failed without an error");
}

/*
 * Hands a job back to its loop, with its outcome. In any thread. What is in @port is where the
 * thread's last job went: it is given back with loop_executor_port_unref().
 */
void
loop_executor_job_complete (LoopExecutorJob *self, LoopExecutorPort **port)
{
  LoopExecutorJob *top = __atomic_load_n (&self->port->completed, __ATOMIC_ACQUIRE);

  __atomic_store_n (&self->is_completed, TRUE, __ATOMIC_RELAXED);

  /* Once it is pushed, the job may be gone, and the loop closed. */
  if (*port != self->port)
    {
      g_clear_pointer (port, loop_executor_port_unref);
      g_atomic_ref_count_inc (&self->port->ref_count);
      *port = self->port;
    }

  do
    {
      if (G_UNLIKELY (top == CLOSED))
        {
          job_free_late (self);
          return;
        }
      self->next = top;
    }
  while (!__atomic_compare_exchange_n (&(*port)->completed, &top, self, TRUE, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));

  /* If it refuses, the loop is being closed, and looks at the stack once more. */
  if (top == NULL)
    loop_incoming_post ((*port)->incoming, deliver, *port, NULL);
}

void
loop_executor_foreach_job (LoopEventLoop *loop, LoopExecutorJobFunc function, gpointer user_data)
{
  LoopExecutorPort *port = loop->executor_port;

  for (LoopExecutorJob *job = port != NULL ? port->in_flight : NULL; job != NULL; job = job->next_in_flight)
    function (job, user_data);
}

guint
loop_executor_count_jobs (LoopEventLoop *loop)
{
  LoopExecutorPort *port = loop->executor_port;

  return port != NULL ? port->n_in_flight : 0;
}

/* Those that are linked by `next`, all with the same outcome. In any thread. */
void
loop_executor_jobs_complete (LoopExecutorJob *jobs, LoopExecutorJobOutcome outcome)
{
  LoopExecutorPort *port = NULL;

  while (jobs != NULL)
    {
      LoopExecutorJob *next = jobs->next;

      jobs->outcome = outcome;
      loop_executor_job_complete (jobs, &port);
      jobs = next;
    }
  g_clear_pointer (&port, loop_executor_port_unref);
}
