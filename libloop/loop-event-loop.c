/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-event-loop-private.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

/**
 * LoopEventLoop:
 *
 * An event loop: it runs callbacks soon, at a time, or when a file descriptor is ready,
 * and carries servers, connections and futures.
 *
 * A loop lives on a [struct@GLib.MainContext]. One from [ctor@EventLoop.new] has a
 * context of its own and is run with [method@EventLoop.run_forever]. One from
 * [ctor@EventLoop.new_for_context] shares the context of somebody else, such as a GTK
 * application, and runs whenever that context is iterated, whoever does that.
 *
 * While [method@EventLoop.run_forever] runs, the loop's context is the thread-default one:
 * what GIO's asynchronous functions start in a callback comes back to the loop, and so does
 * a [class@Gio.DBusConnection] that is used there. `g_timeout_add()`, `g_idle_add()` and what
 * else names no context mean the default one of the process: for a loop on a private
 * context attach a source to [method@EventLoop.get_context], or call
 * [method@EventLoop.call_later]. The other sources of the context have their turn, also those
 * of lower priority and when the loop always has something to do: after 2 ms it leaves them
 * some iterations, so that a window is drawn.
 *
 * But for [method@EventLoop.call_soon_threadsafe], the methods of a loop are for the
 * thread that runs it. Before it runs and after it has stopped, any one thread may call
 * them. In debug mode a call from the wrong thread is an error.
 *
 * A loop belongs to the process that made it. In the child of a fork its copy takes no
 * calls and does not run: both fail with %LOOP_ERROR_FORKED, and so does, once the callback
 * has returned, the [method@EventLoop.run_forever] in one of whose callbacks the process
 * forked. Nothing of it reaches the parent. The copy is to be closed, and a child that wants
 * a loop makes one, on a main context of its own: main contexts that it has from its parent
 * share their wakeups with it, and GLib's threads, on which `GTask` and GDBus rely, are not
 * there. Fork on the thread that runs the loop, or while it does not run.
 *
 * Time is measured in seconds, on the monotonic clock of [method@EventLoop.time].
 */

enum
{
  PROP_0,
  PROP_CONTEXT,
  PROP_DEBUG,
  PROP_SLOW_CALLBACK_DURATION,
  PROP_COLLECT_METRICS,
  PROP_DEFER_FINALIZATION,
  PROP_ID,
  N_PROPS
};

static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE (LoopEventLoop, loop_event_loop, G_TYPE_OBJECT)

static __thread LoopEventLoop *running_loop __attribute__ ((tls_model ("initial-exec")));

/* Identifies the calling thread, without a function call of the thread library. */
gpointer
loop_thread_self (void)
{
  return &running_loop;
}

LoopEventLoop *
loop_event_loop_enter_running (LoopEventLoop *self)
{
  LoopEventLoop *previous = running_loop;

  running_loop = self;

  return previous;
}

void
loop_event_loop_leave_running (LoopEventLoop *previous)
{
  running_loop = previous;
}

/* Learns which descriptor an empty context wakes itself up with. */
static int
find_wakeup_fd (GMainContext *context)
{
  GPollFD fd = { .fd = -1 };
  int timeout;
  int priority;
  int n_fds;

  if (!g_main_context_acquire (context))
    return -1;

  g_main_context_prepare (context, &priority);
  n_fds = g_main_context_query (context, priority, &timeout, &fd, 1);
  g_main_context_release (context);

  return n_fds == 1 ? fd.fd : -1;
}

/*
 * GLib ends the process when it finds no descriptor for a main context. A loop needs one
 * of its own, and the default one, which GLib makes as soon as a loop runs.
 */
static gboolean
make_contexts (LoopEventLoop *self, GError **error)
{
  int first = eventfd (0, EFD_CLOEXEC);
  int second = eventfd (0, EFD_CLOEXEC);
  int saved_errno = errno;

  if (first >= 0)
    close (first);
  if (second < 0)
    {
      loop_set_error_from_errno (error, saved_errno, "Could not create an eventfd");
      return FALSE;
    }
  close (second);

  g_main_context_default ();
  if (self->context == NULL)
    {
      /* With the flag, GLib wakes the context also for what its own thread attaches. */
      self->context = g_main_context_new_with_flags (G_MAIN_CONTEXT_FLAGS_OWNERLESS_POLLING);
      self->context_wakeup_fd = find_wakeup_fd (self->context);
    }

  return TRUE;
}

static gboolean
set_up (LoopEventLoop *self, GError **error)
{
  self->incoming = loop_incoming_new (error);

  return self->incoming != NULL && loop_poller_init (&self->poller, error) && make_contexts (self, error) &&
         loop_poller_add_internal (&self->poller, self->incoming->wakeup_fd, EPOLLIN | EPOLLET, error) &&
         (self->context_wakeup_fd < 0 ||
          loop_poller_add_internal (&self->poller, self->context_wakeup_fd, EPOLLIN, error));
}

static void
loop_event_loop_constructed (GObject *object)
{
  LoopEventLoop *self = LOOP_EVENT_LOOP (object);
  g_autoptr (GError) error = NULL;

  G_OBJECT_CLASS (loop_event_loop_parent_class)->constructed (object);

  loop_event_loop_announce ();

  if (set_up (self, &error))
    {
      self->source = loop_source_new (self);
      g_source_attach (self->source, self->context);
      if (self->context_wakeup_fd >= 0)
        loop_neighbours_init (&self->neighbours, self->source, self->context_wakeup_fd);
    }
  else
    {
      g_warning ("Could not make an event loop: %s", error->message);
      loop_poller_clear (&self->poller);
      if (self->incoming != NULL)
        loop_incoming_close (self->incoming);
      self->is_closed = TRUE;
    }

  loop_event_loop_list (self);
}

static void
loop_event_loop_dispose (GObject *object)
{
  LoopEventLoop *self = LOOP_EVENT_LOOP (object);

  if (self->defer_finalization)
    loop_event_loop_set_exception_handler (self, NULL, NULL, NULL);
  if (!self->is_closed || self->is_forked)
    loop_event_loop_close (self);

  loop_event_loop_unlist (self);

  G_OBJECT_CLASS (loop_event_loop_parent_class)->dispose (object);
}

static void
loop_event_loop_finalize (GObject *object)
{
  LoopEventLoop *self = LOOP_EVENT_LOOP (object);

  loop_event_loop_set_exception_handler (self, NULL, NULL, NULL);
  loop_destroy_user_data (self->task_factory_data, self->task_factory_notify);
  loop_handle_pool_clear (&self->pool);
  loop_write_chunk_pool_clear (&self->write_chunks);
  loop_timer_queue_clear (&self->timers);
  loop_neighbours_clear (&self->neighbours);
  loop_guard_clear (&self->guard);
  g_clear_pointer (&self->incoming, loop_incoming_unref);
  g_clear_pointer (&self->context, g_main_context_unref);
  g_clear_pointer (&self->graveyard, g_ptr_array_unref);
  g_clear_pointer (&self->fds, g_free);
  g_clear_pointer (&self->read_buffer, g_free);

  G_OBJECT_CLASS (loop_event_loop_parent_class)->finalize (object);
}

static void
loop_event_loop_get_property (GObject *object, guint property_id, GValue *value, GParamSpec *pspec)
{
  LoopEventLoop *self = LOOP_EVENT_LOOP (object);

  switch (property_id)
    {
    case PROP_CONTEXT:
      g_value_set_boxed (value, self->context);
      break;
    case PROP_DEBUG:
      g_value_set_boolean (value, loop_event_loop_get_debug (self));
      break;
    case PROP_SLOW_CALLBACK_DURATION:
      g_value_set_double (value, loop_event_loop_get_slow_callback_duration (self));
      break;
    case PROP_COLLECT_METRICS:
      g_value_set_boolean (value, self->collect_metrics);
      break;
    case PROP_DEFER_FINALIZATION:
      g_value_set_boolean (value, self->defer_finalization);
      break;
    case PROP_ID:
      g_value_set_uint64 (value, self->id);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
loop_event_loop_set_property (GObject *object, guint property_id, const GValue *value, GParamSpec *pspec)
{
  LoopEventLoop *self = LOOP_EVENT_LOOP (object);

  switch (property_id)
    {
    case PROP_CONTEXT:
      self->context = g_value_dup_boxed (value);
      break;
    case PROP_DEBUG:
      loop_event_loop_set_debug (self, g_value_get_boolean (value));
      break;
    case PROP_SLOW_CALLBACK_DURATION:
      loop_event_loop_set_slow_callback_duration (self, g_value_get_double (value));
      break;
    case PROP_COLLECT_METRICS:
      loop_event_loop_set_collect_metrics (self, g_value_get_boolean (value));
      break;
    case PROP_DEFER_FINALIZATION:
      loop_event_loop_set_defer_finalization (self, g_value_get_boolean (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, property_id, pspec);
    }
}

static void
loop_event_loop_class_init (LoopEventLoopClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->constructed = loop_event_loop_constructed;
  object_class->dispose = loop_event_loop_dispose;
  object_class->finalize = loop_event_loop_finalize;
  object_class->get_property = loop_event_loop_get_property;
  object_class->set_property = loop_event_loop_set_property;

  /**
   * LoopEventLoop:context: (getter get_context)
   *
   * The main context that the loop lives on. Without one the loop makes its own.
   */
  properties[PROP_CONTEXT] = g_param_spec_boxed ("context", NULL, NULL, G_TYPE_MAIN_CONTEXT,
                                                 G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopEventLoop:debug: (getter get_debug) (setter set_debug)
   *
   * Whether debug mode is on. It is on from the start when the environment variable
   * `LOOP_DEBUG` is set and not empty.
   */
  properties[PROP_DEBUG] = g_param_spec_boolean ("debug", NULL, NULL, FALSE,
                                                 G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopEventLoop:slow-callback-duration: (getter get_slow_callback_duration) (setter set_slow_callback_duration)
   *
   * Callbacks that take longer than this, in seconds, are reported in debug mode, and
   * make an inspector call the loop blocked.
   */
  properties[PROP_SLOW_CALLBACK_DURATION] =
      g_param_spec_double ("slow-callback-duration", NULL, NULL, 0.0, G_MAXDOUBLE, 0.1,
                           G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopEventLoop:collect-metrics: (getter get_collect_metrics) (setter set_collect_metrics)
   *
   * Whether times and distributions are collected for [method@EventLoop.get_metrics],
   * at the cost of reading the clock around each callback. They are also collected in
   * debug mode and while an inspector is on.
   */
  properties[PROP_COLLECT_METRICS] = g_param_spec_boolean (
      "collect-metrics", NULL, NULL, FALSE, G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopEventLoop:defer-finalization: (getter get_defer_finalization) (setter set_defer_finalization)
   *
   * Whether functions that are called on behalf of what is freed are called in the next
   * iteration, and not at once: the exception handler with a future's error that nobody
   * asked for, the functions of a coroutine whose task is still pending. This is for
   * languages whose functions cannot run while garbage is collected. The exception
   * handler is not told which future it was, and of what is freed when the loop is
   * closed already or freed as well the default handler is told.
   */
  properties[PROP_DEFER_FINALIZATION] = g_param_spec_boolean (
      "defer-finalization", NULL, NULL, FALSE, G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * LoopEventLoop:id: (getter get_id)
   *
   * The id by which an inspector knows the loop.
   */
  properties[PROP_ID] =
      g_param_spec_uint64 ("id", NULL, NULL, 0, G_MAXUINT64, 0, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
loop_event_loop_init (LoopEventLoop *self)
{
  const char *debug = g_getenv ("LOOP_DEBUG");

  loop_guard_init (&self->guard);
  loop_ready_queue_init (&self->ready);
  loop_ready_queue_init (&self->batch);
  loop_ready_queue_init (&self->written);
  loop_timer_queue_init (&self->timers, loop_clock_now ());
  loop_registry_init (&self->registry);
  self->close_hooks.prev = self->close_hooks.next = &self->close_hooks;

  self->id = loop_id_reserve (1);
  self->context_wakeup_fd = -1;
  self->poller.epoll_fd = self->poller.timer_fd = -1;
  self->graveyard = g_ptr_array_new_with_free_func (g_object_unref);
  self->slow_callback_ns = LOOP_NSEC_PER_SEC / 10;
  self->debug = debug != NULL && *debug != '\0';
}

/**
 * loop_event_loop_new:
 *
 * Makes a loop on a main context of its own.
 *
 * When the process has no file descriptors left for it, the loop is closed from the
 * start, with a warning that names the reason.
 *
 * Returns: (transfer full): the loop
 */
LoopEventLoop *
loop_event_loop_new (void)
{
  return g_object_new (LOOP_TYPE_EVENT_LOOP, NULL);
}

/**
 * loop_event_loop_new_for_context:
 * @context: (nullable): a main context, or %NULL for the default one
 *
 * Makes a loop on somebody else's main context. Whoever iterates the context runs the
 * loop's callbacks: the main loop of a GTK application, for example. In addition
 * [method@EventLoop.run_forever] may be called.
 *
 * When the process has no file descriptors left for it, the loop is closed from the
 * start, with a warning that names the reason.
 *
 * Returns: (transfer full): the loop
 */
LoopEventLoop *
loop_event_loop_new_for_context (GMainContext *context)
{
  return g_object_new (LOOP_TYPE_EVENT_LOOP, "context", context != NULL ? context : g_main_context_default (), NULL);
}

/**
 * loop_event_loop_get_running:
 *
 * Gets the loop that is running on the calling thread.
 *
 * Returns: (transfer none) (nullable): the loop, or %NULL outside of its callbacks
 */
LoopEventLoop *
loop_event_loop_get_running (void)
{
  return running_loop;
}

/**
 * loop_event_loop_get_context:
 * @self: an event loop
 *
 * Gets the main context that the loop lives on. Sources that are attached to it are
 * dispatched while the loop runs.
 *
 * Returns: (transfer none) (nullable): the context; %NULL if there were no file descriptors
 *   left to make one
 */
GMainContext *
loop_event_loop_get_context (LoopEventLoop *self)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);

  return self->context;
}

/**
 * loop_event_loop_get_id:
 * @self: an event loop
 *
 * Gets the id by which an inspector knows the loop.
 *
 * Returns: the id: unique in the process, and never reused
 */
guint64
loop_event_loop_get_id (LoopEventLoop *self)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), 0);

  return self->id;
}

/**
 * loop_event_loop_is_running:
 * @self: an event loop
 *
 * Tells whether the loop is running: inside [method@EventLoop.run_forever], or in one
 * of its callbacks when somebody else iterates its context.
 *
 * Returns: %TRUE if it runs
 */
gboolean
loop_event_loop_is_running (LoopEventLoop *self)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), FALSE);

  return self->is_running || self->n_dispatches > 0;
}

gboolean
loop_event_loop_check_open (LoopEventLoop *self, GError **error)
{
  if (G_LIKELY (!self->is_closed))
    return TRUE;

  loop_event_loop_set_closed_error (self, error);

  return FALSE;
}

/* Of a loop that takes no calls any more. On any thread. */
void
loop_event_loop_set_closed_error (LoopEventLoop *self, GError **error)
{
  if (self->is_forked)
    g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_FORKED,
                         "The event loop belongs to the parent process; a child process makes one of its own");
  else
    g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_CLOSED, "The event loop is closed");
}

gboolean
loop_event_loop_check_usable_slow (LoopEventLoop *self, GError **error)
{
  if (G_UNLIKELY (!loop_event_loop_check_open (self, error)))
    return FALSE;

  if (G_UNLIKELY (self->debug))
    {
      gpointer thread = __atomic_load_n (&self->thread, __ATOMIC_RELAXED);

      if (thread != NULL && thread != loop_thread_self ())
        {
          char name[16] = "?";

          pthread_getname_np (pthread_self (), name, sizeof name);
          g_set_error (error, LOOP_ERROR, LOOP_ERROR_WRONG_THREAD,
                       "The event loop runs in another thread than this one, “%s”, and may be used from there alone; "
                       "other threads have call_soon_threadsafe",
                       name);
          return FALSE;
        }
    }

  return TRUE;
}

/**
 * loop_event_loop_time:
 * @self: an event loop
 *
 * Gets the current time of the loop's clock, which is monotonic.
 *
 * Returns: seconds
 */
double
loop_event_loop_time (LoopEventLoop *self)
{
  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), 0.0);

  return loop_clock_to_seconds (loop_clock_now ());
}

/* Drops a reference once nothing that is on the stack can still use the object. */
void
loop_event_loop_unref_later (LoopEventLoop *self, gpointer object)
{
  if (self->n_dispatches > 1)
    g_ptr_array_add (self->graveyard, object);
  else
    g_object_unref (object);
}

/* The shared buffer is made on first use, and is not to be had inside another's use of it. */
guint8 *
loop_event_loop_make_read_buffer (LoopEventLoop *self, gsize *size, gboolean *is_shared)
{
  if (self->read_buffer_in_use)
    {
      *is_shared = FALSE;
      *size = LOOP_READ_BUFFER_SIZE / 4;
      return g_malloc (*size);
    }

  self->read_buffer = g_malloc (LOOP_READ_BUFFER_SIZE);

  return loop_event_loop_take_read_buffer (self, size, is_shared);
}
