/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-process-pool-executor.h"

#include "loop-future-private.h"
#include "loop-process-function-private.h"
#include "loop-process-pool-private.h"

/**
 * LoopProcessPoolExecutor:
 *
 * An executor that has worker processes: for functions that take long, would hold up an
 * interpreter, or may crash. What it runs are functions that were registered by a name, with
 * a [struct@GLib.Variant] for their parameters and another for their result.
 *
 *     static GVariant *
 *     add (GVariant *parameters, gpointer user_data, GError **error)
 *     {
 *       gint32 a, b;
 *
 *       g_variant_get (parameters, "(ii)", &a, &b);
 *
 *       return g_variant_new_int32 (a + b);
 *     }
 *
 *     loop_process_pool_executor_register ("add", G_VARIANT_TYPE ("(ii)"), add, NULL, NULL, &error);
 *     executor = loop_process_pool_executor_new (0, &error);
 *     loop = loop_event_loop_new ();
 *     future = loop_process_pool_executor_submit (executor, loop, "add", g_variant_new ("(ii)", 1, 2));
 *
 * Workers are forked from the zygote, a process that [ctor@ProcessPoolExecutor.new] forks from
 * this one and that all executors share. This has to happen before the process has a second
 * thread, since whatever lock that would hold at this moment is held in a child for ever: at the
 * beginning of `main()`, after the functions are registered. A program that makes its
 * executors later calls [func@ProcessPoolExecutor.start_zygote] there. Loops that let
 * themselves be inspected start a thread.
 *
 * The zygote and the workers have no file descriptor of the parent's but standard output and
 * standard error, are in a process group of their own, and handle no signals but ignore those
 * that the parent ignored. They end as soon as the parent does, however that happens, and
 * without running what it wanted to run with `atexit()`. They are children of the
 * zygote, and the zygote is the parent's, which should not wait for children that it does not know.
 *
 * A worker is forked when there is a job, none of the workers is idle, and there are fewer than
 * [property@ProcessPoolExecutor:max-workers]; it then stays until the executor is shut down or
 * freed. Each runs one function at a time; they begin in the order in which they were submitted.
 * If a worker ends in the middle of a job, this job fails with
 * %LOOP_ERROR_BROKEN_PROCESS_POOL, and another worker takes its place: no job is ever run
 * twice. If the zygote ends, so do the workers, and all jobs fail, later ones too.
 *
 * The parameters of a job, and its result, have 256 MiB at most. Handles of descriptors in them
 * are mere numbers.
 *
 * Loops of several threads may share an executor. It cannot be the default executor of a loop,
 * and [method@Executor.submit] is refused, because a function of this process means nothing in
 * another. When the last reference is dropped, the workers end as after [method@Executor.shutdown]
 * without waiting.
 *
 * From Python, functions that were registered in C can be used, and functions of Python's as
 * well: the zygote has to be started while the interpreter has one thread. The hooks of
 * `os.register_at_fork()` are not run, so that all workers have the same `random` numbers. GJS
 * has threads from its beginning: there a zygote cannot be started.
 */
struct _LoopProcessPoolExecutor
{
  GObject parent_instance;

  guint max_workers;
  LoopProcessPool *pool;
};

enum
{
  PROP_0,
  PROP_MAX_WORKERS,
  PROP_N_WORKERS,
  PROP_N_IDLE,
  PROP_QUEUE_DEPTH,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

static void loop_process_pool_executor_executor_init (LoopExecutorInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (LoopProcessPoolExecutor,
                               loop_process_pool_executor,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (LOOP_TYPE_EXECUTOR, loop_process_pool_executor_executor_init))

static LoopFuture *
loop_process_pool_executor_refuse (LoopExecutor *executor,
                                   LoopEventLoop *loop,
                                   LoopExecutorFunc func,
                                   gpointer user_data,
                                   GDestroyNotify notify)
{
  loop_destroy_user_data (user_data, notify);

  return loop_future_new_failed (loop, "run_in_executor",
                                 g_error_new_literal (G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                                                      "A process pool runs functions that were registered: see "
                                                      "loop_process_pool_executor_submit()"));
}

static void
loop_process_pool_executor_shutdown (LoopExecutor *executor, gboolean wait, gboolean cancel_futures)
{
  loop_process_pool_shutdown (LOOP_PROCESS_POOL_EXECUTOR (executor)->pool, wait, cancel_futures);
}

static void
loop_process_pool_executor_executor_init (LoopExecutorInterface *iface)
{
  iface->submit = loop_process_pool_executor_refuse;
  iface->shutdown = loop_process_pool_executor_shutdown;
}

static void
loop_process_pool_executor_constructed (GObject *object)
{
  LoopProcessPoolExecutor *self = LOOP_PROCESS_POOL_EXECUTOR (object);

  G_OBJECT_CLASS (loop_process_pool_executor_parent_class)->constructed (object);

  if (self->max_workers == 0)
    self->max_workers = g_get_num_processors ();
  self->pool = loop_process_pool_new (self->max_workers);
}

static void
loop_process_pool_executor_finalize (GObject *object)
{
  LoopProcessPoolExecutor *self = LOOP_PROCESS_POOL_EXECUTOR (object);

  loop_process_pool_shutdown (self->pool, FALSE, FALSE);
  loop_process_pool_unref (self->pool);

  G_OBJECT_CLASS (loop_process_pool_executor_parent_class)->finalize (object);
}

static void
loop_process_pool_executor_get_property (GObject *object, guint property_id, GValue *value, GParamSpec *pspec)
{
  LoopProcessPoolExecutor *self = LOOP_PROCESS_POOL_EXECUTOR (object);

  switch (property_id)
    {
    case PROP_MAX_WORKERS:
      g_value_set_uint (value, self->max_workers);
      break;
    case PROP_N_WORKERS:
      g_value_set_uint (value, loop_process_pool_executor_get_n_workers (self));
      break;
    case PROP_N_IDLE:
      g_value_set_uint (value, loop_process_pool_executor_get_n_idle (self));
      break;
    case PROP_QUEUE_DEPTH:
      g_value_set_uint (value, loop_process_pool_executor_get_queue_depth (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
loop_process_pool_executor_set_property (GObject *object, guint property_id, const GValue *value, GParamSpec *pspec)
{
  LoopProcessPoolExecutor *self = LOOP_PROCESS_POOL_EXECUTOR (object);

  switch (property_id)
    {
    case PROP_MAX_WORKERS:
      self->max_workers = g_value_get_uint (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
loop_process_pool_executor_class_init (LoopProcessPoolExecutorClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->constructed = loop_process_pool_executor_constructed;
  object_class->finalize = loop_process_pool_executor_finalize;
  object_class->get_property = loop_process_pool_executor_get_property;
  object_class->set_property = loop_process_pool_executor_set_property;

  /**
   * LoopProcessPoolExecutor:max-workers: (getter get_max_workers)
   *
   * How many workers there may be. 0 when it is set stands for the number of processors.
   */
  properties[PROP_MAX_WORKERS] = g_param_spec_uint (
      "max-workers", NULL, NULL, 0, G_MAXINT, 0, G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopProcessPoolExecutor:n-workers: (getter get_n_workers)
   *
   * How many workers there are.
   */
  properties[PROP_N_WORKERS] =
      g_param_spec_uint ("n-workers", NULL, NULL, 0, G_MAXUINT, 0, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * LoopProcessPoolExecutor:n-idle: (getter get_n_idle)
   *
   * How many workers there are with nothing to do.
   */
  properties[PROP_N_IDLE] =
      g_param_spec_uint ("n-idle", NULL, NULL, 0, G_MAXUINT, 0, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * LoopProcessPoolExecutor:queue-depth: (getter get_queue_depth)
   *
   * How many jobs wait for a worker.
   */
  properties[PROP_QUEUE_DEPTH] =
      g_param_spec_uint ("queue-depth", NULL, NULL, 0, G_MAXUINT, 0, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
loop_process_pool_executor_init (LoopProcessPoolExecutor *self)
{
}

/**
 * loop_process_pool_executor_new:
 * @max_workers: how many workers there may be; 0 for as many as there are processors
 * @error: return location for an error
 *
 * Makes an executor, which has no worker yet, and starts the zygote unless it runs already. An
 * executor that is made as an object of its type starts it for the first job.
 *
 * Returns: (transfer full): the executor, or %NULL with %LOOP_ERROR_INVALID_STATE if there is
 *   no zygote and the process has threads, and with an error of %G_IO_ERROR if the system refuses
 */
LoopProcessPoolExecutor *
loop_process_pool_executor_new (guint max_workers, GError **error)
{
  g_autoptr (LoopProcessPoolExecutor) self = NULL;

  g_return_val_if_fail (max_workers <= G_MAXINT, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  self = g_object_new (LOOP_TYPE_PROCESS_POOL_EXECUTOR, "max-workers", max_workers, NULL);
  if (!loop_process_pool_prepare (self->pool, error))
    return NULL;

  return g_steal_pointer (&self);
}

static LoopProcessFrame *
make_call (const LoopProcessFunction *function, GVariant *parameters, GError **error)
{
  g_autoptr (GVariant) normal = NULL;

  if (function->parameter_type != NULL && !g_variant_is_of_type (parameters, function->parameter_type))
    {
      g_autofree char *expected = g_variant_type_dup_string (function->parameter_type);

      g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                   "The function “%s” takes parameters of type “%s”, not “%s”", function->name, expected,
                   g_variant_get_type_string (parameters));
      return NULL;
    }

  normal = g_variant_get_normal_form (parameters);

  return loop_process_frame_new (LOOP_PROCESS_FRAME_CALL, g_variant_new ("(sv)", function->name, normal), error);
}

/**
 * loop_process_pool_executor_submit:
 * @self: an executor
 * @loop: the event loop of the calling thread
 * @function: the name of a function, as it was registered
 * @parameters: (nullable): its parameters; %NULL for an empty tuple. A floating reference is taken
 *
 * Has a function run by a worker, and its result or error handed to @loop.
 *
 * Cancelling the future keeps a function from being called that is not running yet. One
 * that runs goes on to its end, and what it returns is dropped. Closing a loop stops no functions.
 *
 * Returns: (transfer full): a future, the result of which is a [struct@GLib.Variant]. It fails
 *   with the error of the function, and with %LOOP_ERROR_BROKEN_PROCESS_POOL if the worker ends;
 *   it has failed with %G_IO_ERROR_NOT_FOUND if no such function is registered, with
 *   %G_IO_ERROR_INVALID_ARGUMENT if it takes other parameters, with %G_IO_ERROR_MESSAGE_TOO_LARGE
 *   if these are too long, and with %LOOP_ERROR_CLOSED if the executor was shut down or the loop
 *   is closed
 */
LoopFuture *
loop_process_pool_executor_submit (LoopProcessPoolExecutor *self,
                                   LoopEventLoop *loop,
                                   const char *function,
                                   GVariant *parameters)
{
  const LoopProcessFunction *registered = NULL;
  g_autoptr (GVariant) own = NULL;
  LoopProcessFrame *call = NULL;
  GError *error = NULL;

  g_return_val_if_fail (LOOP_IS_PROCESS_POOL_EXECUTOR (self), NULL);
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (loop), NULL);
  g_return_val_if_fail (function != NULL, NULL);

  own = g_variant_ref_sink (parameters != NULL ? parameters : g_variant_new ("()"));
  if (loop_event_loop_check_usable (loop, &error))
    registered = loop_process_function_lookup (function, &error);
  if (registered != NULL)
    call = make_call (registered, own, &error);
  if (call == NULL)
    return loop_future_new_failed (loop, "run_in_executor", error);

  return loop_process_pool_submit (self->pool, loop, registered->name, call);
}

/**
 * loop_process_pool_executor_get_max_workers: (get-property max-workers)
 * @self: an executor
 *
 * Gets how many workers there may be.
 *
 * Returns: a number of workers
 */
guint
loop_process_pool_executor_get_max_workers (LoopProcessPoolExecutor *self)
{
  g_return_val_if_fail (LOOP_IS_PROCESS_POOL_EXECUTOR (self), 0);

  return self->max_workers;
}

/**
 * loop_process_pool_executor_get_n_workers: (get-property n-workers)
 * @self: an executor
 *
 * Gets how many workers there are. From any thread.
 *
 * Returns: a number of workers
 */
guint
loop_process_pool_executor_get_n_workers (LoopProcessPoolExecutor *self)
{
  g_return_val_if_fail (LOOP_IS_PROCESS_POOL_EXECUTOR (self), 0);

  return loop_process_pool_get_counts (self->pool).n_workers;
}

/**
 * loop_process_pool_executor_get_n_idle: (get-property n-idle)
 * @self: an executor
 *
 * Gets how many workers have nothing to do. From any thread.
 *
 * Returns: a number of workers
 */
guint
loop_process_pool_executor_get_n_idle (LoopProcessPoolExecutor *self)
{
  g_return_val_if_fail (LOOP_IS_PROCESS_POOL_EXECUTOR (self), 0);

  return loop_process_pool_get_counts (self->pool).n_idle;
}

/**
 * loop_process_pool_executor_get_queue_depth: (get-property queue-depth)
 * @self: an executor
 *
 * Gets how many jobs wait for a worker. From any thread.
 *
 * Returns: a number of jobs
 */
guint
loop_process_pool_executor_get_queue_depth (LoopProcessPoolExecutor *self)
{
  g_return_val_if_fail (LOOP_IS_PROCESS_POOL_EXECUTOR (self), 0);

  return loop_process_pool_get_counts (self->pool).queue_depth;
}
