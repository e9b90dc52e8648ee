/* SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include "loop-clock-private.h"
#include "loop-error-private.h"
#include "loop-event-loop.h"
#include "loop-exception-context.h"
#include "loop-guard-private.h"
#include "loop-handle-private.h"
#include "loop-id-private.h"
#include "loop-incoming-private.h"
#include "loop-interpreter-hooks.h"
#include "loop-metrics-private.h"
#include "loop-neighbours-private.h"
#include "loop-poller-private.h"
#include "loop-registry-private.h"
#include "loop-timer-queue-private.h"
#include "loop-write-buffer-private.h"

G_BEGIN_DECLS

/* The size of the buffer that all transports of a loop read into. */
#define LOOP_READ_BUFFER_SIZE (256 * 1024)

/*
 * An operation that is under way and holds no watch, or more than one: it is told when
 * the loop is closed, and has to let go of everything then.
 */
typedef struct _LoopCloseHook LoopCloseHook;
struct _LoopCloseHook
{
  LoopCloseHook *prev;
  LoopCloseHook *next;
  void (*closed) (LoopCloseHook *hook);
};

/* An exception handler. It may be replaced while it runs. */
typedef struct
{
  LoopExceptionHandler handler;
  gpointer user_data;
  GDestroyNotify notify;
  guint ref_count;
  gboolean is_running;
} LoopExceptionClosure;

/* What runs at this moment. Callbacks nest when one of them runs a main loop of its own. */
typedef struct
{
  LoopReadyItem *item;
  gint64 started; /* 0 unless times are taken */
} LoopCurrent;

struct _LoopEventLoop
{
  GObject parent_instance;

  /* What threads that post read, apart from what the loop thread writes all the time. */
  LoopIncoming *incoming;
  guint64 id;
  GMainContext *context;
  GSource *source;
  gint64 slow_callback_ns;                 /* atomic */
  LoopExceptionClosure *exception_closure; /* or NULL for the default handler */
  int context_wakeup_fd;                   /* of a private context, or -1 */
  guint8 cache_line_padding[64];

  LoopGuard guard;
  LoopReadyQueue ready;   /* runs in the next iteration */
  LoopReadyQueue batch;   /* runs in this one */
  LoopReadyQueue written; /* writers of watches: runs when the batch has, or is interrupted */
  LoopTimerQueue timers;
  LoopHandlePool pool;
  LoopWriteChunkPool write_chunks;
  LoopIdBlock ids;
  LoopPoller poller;
  LoopNeighbours neighbours;
  LoopRegistry registry;
  LoopCurrent current;
  LoopTask *current_task;
  gpointer task_factory; /* or NULL: a LoopTaskFactory */
  gpointer task_factory_data;
  GDestroyNotify task_factory_notify;
  gpointer executor_port;    /* or NULL: by which the jobs of executors come back */
  gpointer spare_futures;    /* or NULL: to be used again; the loop thread's alone */
  gpointer spare_protocols;  /* likewise */
  gpointer datagram_share;   /* or NULL: what datagram endpoints have in common */
  gpointer default_executor; /* or NULL */
  gpointer async_generators; /* or NULL */
  LoopCloseHook close_hooks;
  struct _LoopSignalWatcher *signal_watcher; /* or NULL: there never was a signal handler */
  LoopMetrics metrics;

  /* Or NULL: what the callback that runs puts off, which is not to wait for a main loop in there. */
  void (*before_nested_poll) (gpointer data);
  gpointer before_nested_poll_data;

  gpointer thread; /* the thread in which the loop runs now, or NULL */
  gpointer home;   /* the thread that iterates a foreign context, as far as is known */

  GPollFD *fds;
  guint n_fds_allocated;

  gint64 last_yield;
  gint64 stamp;                      /* the last time that was taken for the metrics, or 0 */
  const LoopInterpreterHooks *hooks; /* or NULL */
  gpointer hooks_data;

  guint n_dispatches; /* nesting depth */
  guint n_direct;     /* iterations since other sources of the context were last checked */

  GPtrArray *graveyard; /* objects to be unreffed when no callback is running */
  guint8 *read_buffer;
  gboolean read_buffer_in_use;

  /* Whole bytes: they are set and read all the time. */
  union
  {
    struct
    {
      guint8 is_closed; /* takes nothing any more: it was closed, or left to the parent process */
      guint8 debug;
    };
    guint16 is_closed_or_debug; /* in one look: debug mode costs nothing while it is off */
  };
  guint8 interpreter_debug; /* in the place of debug, if there are hooks: atomic */
  guint8 is_forked;         /* the copy of a parent's loop that a child has, until it is closed */
  guint8 is_held;           /* its guard, while the process forks */
  guint8 is_context_lost;   /* in the child of a fork, to a thread that may have had the context's lock */
  guint8 is_running;
  guint8 is_stopping;
  guint8 is_iterating; /* run_forever drives the context, not somebody's main loop */
  guint8 is_polled;    /* the events of this iteration have been collected */
  guint8 is_polling;
  guint8 is_skipping; /* lets sources of lower priority have this iteration */
  guint8 collect_metrics;
  guint8 defer_finalization;
};

/*
 * What can wait until a loop of the process has nothing to do for a while, or NULL: it is set
 * from any thread by whoever puts something off, and called, in any thread, until it is NULL.
 */
extern G_GNUC_INTERNAL void (*loop_event_loop_put_off) (void);

/* How many users, such as an inspector, want the times of all loops taken. */
G_GNUC_INTERNAL
extern int loop_event_loop_n_observers;

/* Called before the first loop of the process is made; set by the layer of the inspector. */
G_GNUC_INTERNAL
extern void (*loop_event_loop_first_made) (void);

G_GNUC_INTERNAL
void loop_event_loop_add_close_hook (LoopEventLoop *self, LoopCloseHook *hook);
G_GNUC_INTERNAL
void loop_close_hook_remove (LoopCloseHook *hook);

G_GNUC_INTERNAL
gpointer loop_thread_self (void);
G_GNUC_INTERNAL
LoopEventLoop *loop_event_loop_enter_running (LoopEventLoop *self);
G_GNUC_INTERNAL
void loop_event_loop_leave_running (LoopEventLoop *previous);

G_GNUC_INTERNAL
void loop_event_loop_announce (void);
G_GNUC_INTERNAL
void loop_event_loop_list (LoopEventLoop *self);
G_GNUC_INTERNAL
void loop_event_loop_unlist (LoopEventLoop *self);

G_GNUC_INTERNAL
void loop_event_loop_set_closed_error (LoopEventLoop *self, GError **error);
G_GNUC_INTERNAL
gboolean loop_event_loop_check_open (LoopEventLoop *self, GError **error);
G_GNUC_INTERNAL
gboolean loop_event_loop_check_usable_slow (LoopEventLoop *self, GError **error);
G_GNUC_INTERNAL
LoopHandle *loop_event_loop_schedule (LoopEventLoop *self,
                                      LoopCallback callback,
                                      gpointer user_data,
                                      GDestroyNotify notify,
                                      const char *name);
G_GNUC_INTERNAL
LoopTimerHandle *loop_event_loop_schedule_at (LoopEventLoop *self,
                                              gint64 when,
                                              LoopCallback callback,
                                              gpointer user_data,
                                              GDestroyNotify notify,
                                              const char *name);
G_GNUC_INTERNAL
gboolean loop_incoming_post_callback (LoopIncoming *self,
                                      LoopEventLoop *loop,
                                      LoopCallback callback,
                                      gpointer user_data,
                                      GDestroyNotify notify,
                                      const char *name,
                                      LoopHandle **handle);
G_GNUC_INTERNAL
LoopHandle *loop_event_loop_next_call (LoopEventLoop *self, LoopCallBatch *batch, LoopReadyQueue *queue);
G_GNUC_INTERNAL
void loop_event_loop_drain_incoming (LoopEventLoop *self);
G_GNUC_INTERNAL
void loop_event_loop_dispatch (LoopEventLoop *self);
G_GNUC_INTERNAL
void loop_event_loop_stamp_end_of_poll (LoopEventLoop *self);
G_GNUC_INTERNAL
gboolean loop_event_loop_has_work (LoopEventLoop *self);
G_GNUC_INTERNAL
GSource *loop_source_new (LoopEventLoop *self);
G_GNUC_INTERNAL
void loop_source_abandon (GSource *source);
G_GNUC_INTERNAL
void loop_event_loop_unref_later (LoopEventLoop *self, gpointer object);
G_GNUC_INTERNAL
guint8 *loop_event_loop_make_read_buffer (LoopEventLoop *self, gsize *size, gboolean *is_shared);
G_GNUC_INTERNAL
void loop_exception_context_take_source_traceback (LoopExceptionContext *self, char *traceback);
G_GNUC_INTERNAL
void loop_event_loop_store_debug (LoopEventLoop *self, gboolean enabled);
void loop_event_loop_warn_of_open (LoopEventLoop *self, const char *kind, guint64 id);
G_GNUC_INTERNAL
void loop_event_loop_report (LoopEventLoop *self, LoopExceptionContext *context);
G_GNUC_INTERNAL
void loop_event_loop_report_freed (LoopEventLoop *self, LoopExceptionContext *context, LoopFuture *future);

/* For an inspector: calls @function for each loop, none of which can go away meanwhile. */
typedef void (*LoopEventLoopFunc) (LoopEventLoop *loop, gpointer user_data);
G_GNUC_INTERNAL
void loop_event_loop_foreach (LoopEventLoopFunc function, gpointer user_data);

static inline void
loop_event_loop_enter (LoopEventLoop *self)
{
  loop_guard_enter (&self->guard);
}

static inline void
loop_event_loop_leave (LoopEventLoop *self)
{
  loop_guard_leave (&self->guard);
}

/* Of a callback that has been called for the last time, or will not be. */
static inline void
loop_destroy_user_data (gpointer user_data, GDestroyNotify notify)
{
  if (notify != NULL)
    notify (user_data);
}

/* As loop_event_loop_check_open(), and looks at the thread in debug mode. */
static inline gboolean
loop_event_loop_check_usable (LoopEventLoop *self, GError **error)
{
  return G_LIKELY (self->is_closed_or_debug == 0) || loop_event_loop_check_usable_slow (self, error);
}

/* The shared buffer, or one of its own for a callback that runs inside another's use of it. */
static inline guint8 *
loop_event_loop_take_read_buffer (LoopEventLoop *self, gsize *size, gboolean *is_shared)
{
  if (G_UNLIKELY (self->read_buffer == NULL || self->read_buffer_in_use))
    return loop_event_loop_make_read_buffer (self, size, is_shared);

  self->read_buffer_in_use = TRUE;
  *is_shared = TRUE;
  *size = LOOP_READ_BUFFER_SIZE;

  return self->read_buffer;
}

static inline void
loop_event_loop_return_read_buffer (LoopEventLoop *self, guint8 *buffer, gboolean is_shared)
{
  if (G_LIKELY (is_shared))
    self->read_buffer_in_use = FALSE;
  else
    g_free (buffer);
}

static inline guint64
loop_event_loop_next_id (LoopEventLoop *self)
{
  return loop_id_block_take (&self->ids);
}

/* In debug mode, writes down who makes the thing of that id. */
static inline void
loop_event_loop_trace (LoopEventLoop *self, guint64 id)
{
  if (G_UNLIKELY (self->debug))
    loop_traceback_record (self->id, id);
}

/* When that thing has gone. From any thread. */
static inline void
loop_event_loop_untrace (LoopEventLoop *self, guint64 id)
{
  if (G_UNLIKELY (__atomic_load_n (&self->debug, __ATOMIC_RELAXED)))
    loop_traceback_forget (id);
}

/* From how long on a callback is slow. */
static inline gint64
loop_event_loop_get_slow_callback_ns (LoopEventLoop *self)
{
  return __atomic_load_n (&self->slow_callback_ns, __ATOMIC_RELAXED);
}

/* Before the loop falls asleep. */
static inline void
loop_event_loop_do_what_was_put_off (LoopEventLoop *self)
{
  void (*put_off) (void) = __atomic_load_n (&loop_event_loop_put_off, __ATOMIC_RELAXED);

  if (G_UNLIKELY (put_off != NULL) &&
      loop_timer_queue_next (&self->timers) - loop_clock_now () > LOOP_NSEC_PER_SEC / 100)
    put_off ();
}

static inline gboolean
loop_event_loop_is_timed (LoopEventLoop *self)
{
  return self->debug || self->collect_metrics || __atomic_load_n (&loop_event_loop_n_observers, __ATOMIC_RELAXED) > 0;
}

G_END_DECLS
