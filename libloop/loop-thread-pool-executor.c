/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-thread-pool-executor-private.h"

#include "loop-thread-pool-private.h"

/**
 * LoopThreadPoolExecutor:
 *
 * An executor that has threads. A thread is started when there is a function to run, none
 * of the threads is idle, and there are fewer than [property@ThreadPoolExecutor:max-workers];
 * it then stays until the executor is shut down or freed. Functions begin in the order in
 * which they were submitted. Loops of several threads may share an executor.
 *
 * When the last reference is dropped, the threads end as after [method@Executor.shutdown]
 * without waiting.
 */
struct _LoopThreadPoolExecutor
{
  GObject parent_instance;

  guint max_workers;
  char *thread_name_prefix;
  LoopThreadPool *pool;
};

enum
{
  PROP_0,
  PROP_MAX_WORKERS,
  PROP_THREAD_NAME_PREFIX,
  PROP_N_WORKERS,
  PROP_N_IDLE,
  PROP_QUEUE_DEPTH,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

static void loop_thread_pool_executor_executor_init (LoopExecutorInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (LoopThreadPoolExecutor,
                               loop_thread_pool_executor,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (LOOP_TYPE_EXECUTOR, loop_thread_pool_executor_executor_init))

static LoopFuture *
loop_thread_pool_executor_submit (LoopExecutor *executor,
                                  LoopEventLoop *loop,
                                  LoopExecutorFunc func,
                                  gpointer user_data,
                                  GDestroyNotify notify)
{
  return loop_thread_pool_submit (LOOP_THREAD_POOL_EXECUTOR (executor)->pool, loop, func, user_data, notify);
}

static void
loop_thread_pool_executor_shutdown (LoopExecutor *executor, gboolean wait, gboolean cancel_futures)
{
  loop_thread_pool_shutdown (LOOP_THREAD_POOL_EXECUTOR (executor)->pool, wait, cancel_futures);
}

static void
loop_thread_pool_executor_executor_init (LoopExecutorInterface *iface)
{
  iface->submit = loop_thread_pool_executor_submit;
  iface->shutdown = loop_thread_pool_executor_shutdown;
}

/* As Python has it: few for a small machine, as functions may be waiting and not computing. */
static guint
get_default_max_workers (void)
{
  return MIN (32, g_get_num_processors () + 4);
}

static void
loop_thread_pool_executor_constructed (GObject *object)
{
  static int n_unnamed;
  LoopThreadPoolExecutor *self = LOOP_THREAD_POOL_EXECUTOR (object);

  G_OBJECT_CLASS (loop_thread_pool_executor_parent_class)->constructed (object);

  if (self->max_workers == 0)
    self->max_workers = get_default_max_workers ();
  if (self->thread_name_prefix == NULL)
    self->thread_name_prefix = g_strdup_printf ("pool-%d", g_atomic_int_add (&n_unnamed, 1));

  self->pool = loop_thread_pool_new (self->max_workers, self->thread_name_prefix);
}

static void
loop_thread_pool_executor_finalize (GObject *object)
{
  LoopThreadPoolExecutor *self = LOOP_THREAD_POOL_EXECUTOR (object);

  loop_thread_pool_shutdown (self->pool, FALSE, FALSE);
  loop_thread_pool_unref (self->pool);
  g_free (self->thread_name_prefix);

  G_OBJECT_CLASS (loop_thread_pool_executor_parent_class)->finalize (object);
}

static void
loop_thread_pool_executor_get_property (GObject *object, guint property_id, GValue *value, GParamSpec *pspec)
{
  LoopThreadPoolExecutor *self = LOOP_THREAD_POOL_EXECUTOR (object);

  switch (property_id)
    {
    case PROP_MAX_WORKERS:
      g_value_set_uint (value, self->max_workers);
      break;
    case PROP_THREAD_NAME_PREFIX:
      g_value_set_string (value, self->thread_name_prefix);
      break;
    case PROP_N_WORKERS:
      g_value_set_uint (value, loop_thread_pool_executor_get_n_workers (self));
      break;
    case PROP_N_IDLE:
      g_value_set_uint (value, loop_thread_pool_executor_get_n_idle (self));
      break;
    case PROP_QUEUE_DEPTH:
      g_value_set_uint (value, loop_thread_pool_executor_get_queue_depth (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
loop_thread_pool_executor_set_property (GObject *object, guint property_id, const GValue *value, GParamSpec *pspec)
{
  LoopThreadPoolExecutor *self = LOOP_THREAD_POOL_EXECUTOR (object);

  switch (property_id)
    {
    case PROP_MAX_WORKERS:
      self->max_workers = g_value_get_uint (value);
      break;
    case PROP_THREAD_NAME_PREFIX:
      self->thread_name_prefix = g_value_dup_string (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
loop_thread_pool_executor_class_init (LoopThreadPoolExecutorClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->constructed = loop_thread_pool_executor_constructed;
  object_class->finalize = loop_thread_pool_executor_finalize;
  object_class->get_property = loop_thread_pool_executor_get_property;
  object_class->set_property = loop_thread_pool_executor_set_property;

  /**
   * LoopThreadPoolExecutor:max-workers: (getter get_max_workers)
   *
   * How many threads there may be. 0 when it is set stands for the number of processors
   * and 4 more, but 32 at most.
   */
  properties[PROP_MAX_WORKERS] = g_param_spec_uint (
      "max-workers", NULL, NULL, 0, G_MAXINT, 0, G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopThreadPoolExecutor:thread-name-prefix: (getter get_thread_name_prefix)
   *
   * What the names of the threads begin with; `_0`, `_1` and so on follow. Linux shows 15
   * characters of a name.
   */
  properties[PROP_THREAD_NAME_PREFIX] = g_param_spec_string (
      "thread-name-prefix", NULL, NULL, NULL, G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopThreadPoolExecutor:n-workers: (getter get_n_workers)
   *
   * How many threads there are.
   */
  properties[PROP_N_WORKERS] =
      g_param_spec_uint ("n-workers", NULL, NULL, 0, G_MAXUINT, 0, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * LoopThreadPoolExecutor:n-idle: (getter get_n_idle)
   *
   * How many threads there are with nothing to do.
   */
  properties[PROP_N_IDLE] =
      g_param_spec_uint ("n-idle", NULL, NULL, 0, G_MAXUINT, 0, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * LoopThreadPoolExecutor:queue-depth: (getter get_queue_depth)
   *
   * How many functions wait for a thread.
   */
  properties[PROP_QUEUE_DEPTH] =
      g_param_spec_uint ("queue-depth", NULL, NULL, 0, G_MAXUINT, 0, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
loop_thread_pool_executor_init (LoopThreadPoolExecutor *self)
{
}

/* As loop_executor_shutdown() without waiting; the future is done when all threads have ended. */
LoopFuture *
loop_thread_pool_executor_shutdown_async (LoopThreadPoolExecutor *self, LoopEventLoop *loop, const char *name)
{
  return loop_thread_pool_shutdown_async (self->pool, loop, name);
}

/* In any thread, while somebody keeps it. Takes no lock. */
void
loop_thread_pool_executor_describe (LoopThreadPoolExecutor *self, LoopExecutorDescription *description)
{
  loop_thread_pool_describe (self->pool, description);
}

/* Once they have: what is left of the last one takes no time. */
void
loop_thread_pool_executor_join (LoopThreadPoolExecutor *self)
{
  loop_thread_pool_join (self->pool);
}

/**
 * loop_thread_pool_executor_new:
 * @max_workers: how many threads there may be; 0 for the default
 * @thread_name_prefix: (nullable): what the names of the threads begin with, or %NULL
 *
 * Makes an executor, which has no thread yet.
 *
 * Returns: (transfer full): the executor
 */
LoopThreadPoolExecutor *
loop_thread_pool_executor_new (guint max_workers, const char *thread_name_prefix)
{
  g_return_val_if_fail (max_workers <= G_MAXINT, NULL);

  return g_object_new (LOOP_TYPE_THREAD_POOL_EXECUTOR, "max-workers", max_workers, "thread-name-prefix",
                       thread_name_prefix, NULL);
}

/**
 * loop_thread_pool_executor_get_max_workers: (get-property max-workers)
 * @self: an executor
 *
 * Gets how many threads there may be.
 *
 * Returns: a number of threads
 */
guint
loop_thread_pool_executor_get_max_workers (LoopThreadPoolExecutor *self)
{
  g_return_val_if_fail (LOOP_IS_THREAD_POOL_EXECUTOR (self), 0);

  return self->max_workers;
}

/**
 * loop_thread_pool_executor_get_thread_name_prefix: (get-property thread-name-prefix)
 * @self: an executor
 *
 * Gets what the names of the threads begin with.
 *
 * Returns: (transfer none): the prefix
 */
const char *
loop_thread_pool_executor_get_thread_name_prefix (LoopThreadPoolExecutor *self)
{
  g_return_val_if_fail (LOOP_IS_THREAD_POOL_EXECUTOR (self), NULL);

  return self->thread_name_prefix;
}

/**
 * loop_thread_pool_executor_get_n_workers: (get-property n-workers)
 * @self: an executor
 *
 * Gets how many threads there are. From any thread.
 *
 * Returns: a number of threads
 */
guint
loop_thread_pool_executor_get_n_workers (LoopThreadPoolExecutor *self)
{
  g_return_val_if_fail (LOOP_IS_THREAD_POOL_EXECUTOR (self), 0);

  return loop_thread_pool_get_counts (self->pool).n_workers;
}

/**
 * loop_thread_pool_executor_get_n_idle: (get-property n-idle)
 * @self: an executor
 *
 * Gets how many threads have nothing to do. Where the result of a function is known, its
 * thread is idle or has begun with the next. From any thread.
 *
 * Returns: a number of threads
 */
guint
loop_thread_pool_executor_get_n_idle (LoopThreadPoolExecutor *self)
{
  g_return_val_if_fail (LOOP_IS_THREAD_POOL_EXECUTOR (self), 0);

  return loop_thread_pool_get_counts (self->pool).n_idle;
}

/**
 * loop_thread_pool_executor_get_queue_depth: (get-property queue-depth)
 * @self: an executor
 *
 * Gets how many functions wait for a thread. From any thread.
 *
 * Returns: a number of functions
 */
guint
loop_thread_pool_executor_get_queue_depth (LoopThreadPoolExecutor *self)
{
  g_return_val_if_fail (LOOP_IS_THREAD_POOL_EXECUTOR (self), 0);

  return loop_thread_pool_get_counts (self->pool).queue_depth;
}
