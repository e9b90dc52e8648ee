/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-fiber-private.h"

#include "loop-error-private.h"
#include "loop-fiber-overflow-private.h"
#include "loop-fiber-stack-private.h"
#include "loop-fiber-switch-private.h"
#include "loop-future-private.h"
#include "loop-handle-private.h"

#ifdef LOOP_WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef LOOP_WITH_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/**
 * LoopFiber:
 *
 * A coroutine for C: a function on a stack of its own, which may wait for a future
 * wherever it is, however deep in other functions. [method@EventLoop.spawn] makes a task
 * of one.
 *
 * A fiber is not a thread: it runs until it waits, and all fibers of a thread take turns.
 * It stays on the thread on which it was begun. Functions of a language with an
 * interpreter cannot run in fibers, because the interpreter knows nothing of the switches;
 * such a language has coroutines of its own.
 *
 * What a fiber has on its stack stays there while it waits. One that is dropped meanwhile
 * is closed: whatever it waits for fails, until it returns.
 */

/* How often a fiber that is being closed may go on waiting before it is given up. */
#define MAX_REFUSALS 1000

typedef enum
{
  CREATED,
  RUNNING,
  SUSPENDED,
  FINISHED,
} LoopFiberState;

struct _LoopFiber
{
  GObject parent_instance;

  LoopFiberFunc func;
  gpointer user_data;
  GDestroyNotify notify;
  gpointer thread;
  guint8 state; /* read by any thread */
  guint8 is_closing;
  guint n_refusals;

  LoopFiberStack *stack;
  const char *stack_bottom; /* of what it can use of the stack, for any thread; or NULL */
  gsize stack_size;
  LoopFiberContext context; /* where it goes on */
  LoopFiberContext resumer; /* where whoever resumed it goes on */
  LoopFiber *outer;         /* a fiber that resumed this one, or NULL */

  LoopFuture *awaited;
  GError *thrown;

  /* What its function has left behind. */
  gboolean success;
  GValue result;
  GError *error;

  const char *name; /* interned */

#ifdef LOOP_WITH_ASAN
  void *fake_stack;
  const void *resumer_bottom;
  size_t resumer_size;
#endif
#ifdef LOOP_WITH_TSAN
  void *tsan_fiber;
  void *tsan_resumer;
#endif
};

static void loop_fiber_coroutine_init (LoopCoroutineInterface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (LoopFiber,
                               loop_fiber,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (LOOP_TYPE_COROUTINE, loop_fiber_coroutine_init))

static inline void
set_state (LoopFiber *self, LoopFiberState state)
{
  __atomic_store_n (&self->state, state, __ATOMIC_RELAXED);
}

static __thread LoopFiber *current_fiber __attribute__ ((tls_model ("initial-exec")));

/*
 * The switches, of which the sanitizers have to be told: on which stack, and so with which
 * shadow, the thread goes on.
 */

static void
switch_to_fiber (LoopFiber *self)
{
#ifdef LOOP_WITH_ASAN
  void *fake_stack;

  __sanitizer_start_switch_fiber (&fake_stack, self->stack->bottom, (gsize) (self->stack->top - self->stack->bottom));
#endif
#ifdef LOOP_WITH_TSAN
  if (self->tsan_fiber == NULL)
    self->tsan_fiber = __tsan_create_fiber (0);
  self->tsan_resumer = __tsan_get_current_fiber ();
  __tsan_switch_to_fiber (self->tsan_fiber, 0);
#endif

  loop_fiber_switch (&self->resumer, self->context);

#ifdef LOOP_WITH_ASAN
  __sanitizer_finish_switch_fiber (fake_stack, NULL, NULL);
#endif
}

/* The first thing on the fiber's stack after each switch to it. */
static inline void
arrive_in_fiber (LoopFiber *self)
{
#ifdef LOOP_WITH_ASAN
  __sanitizer_finish_switch_fiber (self->fake_stack, &self->resumer_bottom, &self->resumer_size);
#endif
}

static void
switch_to_resumer (LoopFiber *self)
{
#ifdef LOOP_WITH_ASAN
  __sanitizer_start_switch_fiber (self->state == FINISHED ? NULL : &self->fake_stack, self->resumer_bottom,
                                  self->resumer_size);
#endif
#ifdef LOOP_WITH_TSAN
  __tsan_switch_to_fiber (self->tsan_resumer, 0);
#endif

  loop_fiber_switch (&self->context, self->resumer);
  arrive_in_fiber (self);
}

static void
run_fiber (void *data)
{
  LoopFiber *self = data;

  arrive_in_fiber (self);
  self->success = self->func (&self->result, self->user_data, &self->error);
  set_state (self, FINISHED);
  switch_to_resumer (self);
  g_assert_not_reached ();
}

static void
release_stack (LoopFiber *self)
{
#ifdef LOOP_WITH_ASAN
  /* What has not returned has left its marks between variables. */
  if (self->stack != NULL)
    ASAN_UNPOISON_MEMORY_REGION (self->stack->bottom, (gsize) (self->stack->top - self->stack->bottom));
#endif
#ifdef LOOP_WITH_TSAN
  g_clear_pointer (&self->tsan_fiber, __tsan_destroy_fiber);
#endif
  __atomic_store_n (&self->stack_bottom, NULL, __ATOMIC_RELAXED);
  g_clear_pointer (&self->stack, loop_fiber_stack_give_back);
}

static gboolean
begin (LoopFiber *self, GError **error)
{
  const char *bottom;
  gsize size;

  loop_fiber_watch_overflow ();
  self->stack = loop_fiber_stack_take (error);
  if (self->stack == NULL)
    return FALSE;

  bottom = loop_fiber_stack_get_usable (self->stack, &size);
  __atomic_store_n (&self->stack_size, size, __ATOMIC_RELAXED);
  __atomic_store_n (&self->stack_bottom, bottom, __ATOMIC_RELEASE);
  self->thread = loop_thread_self ();
  self->context = loop_fiber_prepare (self->stack->bottom, self->stack->top, run_fiber, self);

  return TRUE;
}

static gboolean
check_resumable (LoopFiber *self, GError **error)
{
  if (self->state == RUNNING)
    g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE, "The fiber is running already");
  else if (self->state == FINISHED)
    g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE, "The fiber has ended");
  else if (self->state == SUSPENDED && self->thread != loop_thread_self ())
    g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_WRONG_THREAD, "The fiber was begun on another thread");
  else
    return TRUE;

  return FALSE;
}

static void
finish (LoopFiber *self)
{
  release_stack (self);
  if (self->notify != NULL)
    g_steal_pointer (&self->notify) (self->user_data);
}

static LoopCoroutineStatus
resume (LoopFiber *self, LoopFuture **awaited, GValue *result, GError **error)
{
  if (self->state == CREATED && !begin (self, error))
    return LOOP_COROUTINE_RAISED;

  g_object_ref (self);
  self->outer = current_fiber;
  current_fiber = self;
  set_state (self, RUNNING);
  loop_fiber_set_overflow_subject (self->stack, (gpointer) self->func);

  switch_to_fiber (self);

  current_fiber = self->outer;
  if (self->outer != NULL)
    loop_fiber_set_overflow_subject (self->outer->stack, (gpointer) self->outer->func);
  else
    loop_fiber_set_overflow_subject (NULL, NULL);

  if (G_UNLIKELY (loop_fiber_stack_has_overflowed (self->stack)))
    g_error ("Stack overflow in fiber %s, whose stack has %" G_GSIZE_FORMAT " bytes",
             loop_coroutine_get_name (LOOP_COROUTINE (self)), (gsize) (self->stack->top - self->stack->bottom));

  if (self->state != FINISHED)
    {
      *awaited = g_steal_pointer (&self->awaited);
      g_object_unref (self);
      return LOOP_COROUTINE_AWAITING;
    }

  finish (self);

  if (!self->success)
    {
      if (self->error == NULL)
        g_set_error_literal (&self->error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE,
                             "The function of the fiber failed without an error");
      g_propagate_error (error, g_steal_pointer (&self->error));
      g_object_unref (self);
      return LOOP_COROUTINE_RAISED;
    }

  *result = self->result;
  self->result = (GValue) G_VALUE_INIT;
  g_clear_error (&self->error);
  g_object_unref (self);

  return LOOP_COROUTINE_RETURNED;
}

static LoopCoroutineStatus
loop_fiber_send (LoopCoroutine *coroutine, LoopFuture **awaited, GValue *result, GError **error)
{
  LoopFiber *self = LOOP_FIBER (coroutine);

  if (!check_resumable (self, error))
    return LOOP_COROUTINE_RAISED;

  return resume (self, awaited, result, error);
}

static LoopCoroutineStatus
loop_fiber_throw (LoopCoroutine *coroutine,
                  const GError *exception,
                  LoopFuture **awaited,
                  GValue *result,
                  GError **error)
{
  LoopFiber *self = LOOP_FIBER (coroutine);

  if (!check_resumable (self, error))
    return LOOP_COROUTINE_RAISED;

  if (self->state == CREATED)
    {
      set_state (self, FINISHED);
      finish (self);
      g_propagate_error (error, g_error_copy (exception));
      return LOOP_COROUTINE_RAISED;
    }

  g_clear_error (&self->thrown);
  self->thrown = g_error_copy (exception);

  return resume (self, awaited, result, error);
}

static void
loop_fiber_close (LoopCoroutine *coroutine)
{
  LoopFiber *self = LOOP_FIBER (coroutine);
  g_autoptr (LoopFuture) awaited = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (GValue) result = G_VALUE_INIT;

  if (self->state == CREATED)
    {
      set_state (self, FINISHED);
      finish (self);
    }
  else if (self->state == SUSPENDED)
    {
      self->is_closing = TRUE;
      if (!check_resumable (self, &error))
        {
          g_critical ("A fiber that waits was dropped: %s", error->message);
          return;
        }

      resume (self, &awaited, &result, &error);
      if (self->n_refusals > MAX_REFUSALS)
        g_critical ("Fiber %s goes on waiting while it is being closed", loop_coroutine_get_name (coroutine));
    }
}

static const char *
loop_fiber_get_name (LoopCoroutine *coroutine)
{
  LoopFiber *self = LOOP_FIBER (coroutine);

  if (self->name == NULL)
    {
      g_autofree char *name = loop_describe_function ((gpointer) self->func);

      self->name = g_intern_string (name);
    }

  return self->name;
}

static void
loop_fiber_coroutine_init (LoopCoroutineInterface *iface)
{
  iface->send = loop_fiber_send;
  iface->throw_exception = loop_fiber_throw;
  iface->close = loop_fiber_close;
  iface->get_name = loop_fiber_get_name;
}

static void
loop_fiber_dispose (GObject *object)
{
  loop_fiber_close (LOOP_COROUTINE (object));

  G_OBJECT_CLASS (loop_fiber_parent_class)->dispose (object);
}

static void
loop_fiber_finalize (GObject *object)
{
  LoopFiber *self = LOOP_FIBER (object);

  /* Of one that could not be closed: nothing will ever run there again. */
  if (self->stack != NULL)
    release_stack (self);
  if (G_IS_VALUE (&self->result))
    g_value_unset (&self->result);
  g_clear_error (&self->error);
  g_clear_error (&self->thrown);
  g_clear_object (&self->awaited);

  G_OBJECT_CLASS (loop_fiber_parent_class)->finalize (object);
}

static void
loop_fiber_class_init (LoopFiberClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->dispose = loop_fiber_dispose;
  object_class->finalize = loop_fiber_finalize;
}

static void
loop_fiber_init (LoopFiber *self)
{
}

/**
 * loop_fiber_new: (skip)
 * @func: (scope notified) (closure user_data) (destroy notify): the function to run
 * @user_data: data for @func
 * @notify: frees @user_data once @func has returned or will not be called
 *
 * Makes a fiber, which runs nothing yet. See [method@EventLoop.spawn] for one that a task
 * drives.
 *
 * Returns: (transfer full): the fiber
 */
LoopFiber *
loop_fiber_new (LoopFiberFunc func, gpointer user_data, GDestroyNotify notify)
{
  LoopFiber *self;

  g_return_val_if_fail (func != NULL, NULL);

  self = g_object_new (LOOP_TYPE_FIBER, NULL);
  self->func = func;
  self->user_data = user_data;
  self->notify = notify;

  return self;
}

/**
 * loop_fiber_get_current:
 *
 * Gets the fiber that is running on the calling thread.
 *
 * Returns: (transfer none) (nullable): the fiber, or %NULL outside of fibers
 */
LoopFiber *
loop_fiber_get_current (void)
{
  return current_fiber;
}

/**
 * loop_fiber_get_stack_used:
 * @self: a fiber
 *
 * Gets how much of its stack has ever been used, by this fiber or by one that had the
 * stack before. From any thread that holds a reference, while the fiber does not end.
 *
 * Returns: bytes, in whole pages; 0 before it runs and after it has ended
 */
gsize
loop_fiber_get_stack_used (LoopFiber *self)
{
  g_return_val_if_fail (LOOP_IS_FIBER (self), 0);

  return self->stack != NULL ? loop_fiber_stack_get_high_water_mark (self->stack) : 0;
}

/**
 * loop_fiber_get_stack_size:
 *
 * Gets the size of the stacks of new fibers.
 *
 * Returns: bytes
 */
gsize
loop_fiber_get_stack_size (void)
{
  return loop_fiber_stack_get_size ();
}

/**
 * loop_fiber_set_stack_size:
 * @size: bytes, rounded up to pages, and to 16 KiB at least
 *
 * Sets the size of the stacks of fibers that begin from now on, in the whole process:
 * 128 KiB if nothing else is set. Of a stack only the pages that are touched take memory.
 */
void
loop_fiber_set_stack_size (gsize size)
{
  loop_fiber_stack_set_size (size);
}

static gboolean
refuse_to_wait (LoopFiber *self, GError **error)
{
  /* It seems not to look at the error. There is no way to end it, but to leave it where it is, for good. */
  if (++self->n_refusals > MAX_REFUSALS)
    {
      set_state (self, FINISHED);
      switch_to_resumer (self);
      g_assert_not_reached ();
    }

  g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "The fiber is being closed");

  return FALSE;
}

/* Returns: %FALSE with an error that was thrown into the fiber */
static gboolean
suspend (LoopFiber *self, LoopFuture *future, GError **error)
{
  if (self->is_closing)
    return refuse_to_wait (self, error);

  self->awaited = g_object_ref (future);
  set_state (self, SUSPENDED);
  switch_to_resumer (self);

  if (self->is_closing)
    return refuse_to_wait (self, error);

  if (self->thrown != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&self->thrown));
      return FALSE;
    }

  return TRUE;
}

static gboolean
wait (LoopFiber *self, LoopFuture *future, GError **error)
{
  /* Who has it may drop it meanwhile. */
  g_autoptr (LoopFuture) keep G_GNUC_UNUSED = g_object_ref (future);

  do
    {
      if (suspend (self, future, error))
        continue;

      /* The caller cannot know that what it waited for has come all the same. */
      if (!loop_future_is_pending (future) || self->is_closing)
        loop_future_give_back (future);
      return FALSE;
    }
  while (loop_future_is_pending (future));

  return loop_future_result (future, NULL, error);
}

/**
 * loop_await: (skip)
 * @future: a future
 * @error: return location for an error
 *
 * Waits for a future, inside a fiber. Meanwhile the loop goes on. A future that is done
 * already is not waited for.
 *
 * When it returns with an error, look at that first: the task of the fiber may have been
 * cancelled, and then @future need not be done.
 *
 * Returns: %TRUE once @future has a result; %FALSE with its error, with
 *   %G_IO_ERROR_CANCELLED if it or the task of the fiber was cancelled, or with
 *   %LOOP_ERROR_INVALID_STATE outside of a fiber
 */
gboolean
loop_await (LoopFuture *future, GError **error)
{
  LoopFiber *self = current_fiber;

  g_return_val_if_fail (LOOP_IS_FUTURE (future), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (self == NULL)
    {
      g_set_error_literal (error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE,
                           "loop_await() is for fibers; elsewhere add a done callback");
      return FALSE;
    }

  if (!loop_future_is_pending (future))
    return loop_future_result (future, NULL, error);

  return wait (self, future, error);
}

/**
 * loop_await_result: (skip)
 * @future: (transfer full): a future
 * @result: (out caller-allocates) (optional): return location for the result, uninitialised
 * @error: return location for an error
 *
 * As [func@await], and takes the future, so that it can be called with what a function
 * returns that makes one:
 *
 * ```c
 * if (!loop_await_result (loop_sleep (loop, 1.0), NULL, error))
 *   return FALSE;
 * ```
 *
 * Returns: %TRUE with @result set, or %FALSE with @error set
 */
gboolean
loop_await_result (LoopFuture *future, GValue *result, GError **error)
{
  gboolean success;

  g_return_val_if_fail (LOOP_IS_FUTURE (future), FALSE);

  success = loop_await (future, error) && loop_future_result (future, result, error);
  loop_future_release (future);

  return success;
}

/* From any thread, while somebody keeps the fiber. Takes no lock. */
void
loop_fiber_describe (LoopFiber *self, LoopFiberDescription *description)
{
  static const char *const states[] = { "new", "running", "parked", "ended" };
  description->state = states[__atomic_load_n (&self->state, __ATOMIC_RELAXED)];
  description->function = (gpointer) self->func;
  description->stack_bottom = __atomic_load_n (&self->stack_bottom, __ATOMIC_ACQUIRE);
  description->stack_size = __atomic_load_n (&self->stack_size, __ATOMIC_RELAXED);
}

/* Whether whatever it waits for fails from now on. */
gboolean
loop_fiber_is_closing (LoopFiber *self)
{
  return self->is_closing;
}
