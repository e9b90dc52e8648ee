/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Distributions build GLib without ThreadSanitizer, and its locks are futexes of its own: the
 * sanitizer sees none of them and would report whatever they protect. These functions stand before
 * GLib's in an instrumented test program and tell what orders what.
 */

#include "config.h"

#ifdef LOOP_WITH_TSAN

#include <dlfcn.h>
#include <gio/gio.h>
#include <sanitizer/tsan_interface.h>

#define ACQUIRE(address) __tsan_acquire ((gpointer) (address))
#define RELEASE(address) __tsan_release ((gpointer) (address))

/* GLib's own function, as "real". */
#define REAL(name)                                                                                                     \
  static gpointer cached;                                                                                              \
  __typeof__ (&(name)) real;                                                                                           \
  if (__atomic_load_n (&cached, __ATOMIC_RELAXED) == NULL)                                                             \
    __atomic_store_n (&cached, dlsym (RTLD_NEXT, #name), __ATOMIC_RELAXED);                                            \
  real = (__typeof__ (real)) __atomic_load_n (&cached, __ATOMIC_RELAXED)

#define LOCK(name, Type)                                                                                               \
  void name (Type *lock)                                                                                               \
  {                                                                                                                    \
    REAL (name);                                                                                                       \
    real (lock);                                                                                                       \
    ACQUIRE (lock);                                                                                                    \
  }

#define TRYLOCK(name, Type)                                                                                            \
  gboolean name (Type *lock)                                                                                           \
  {                                                                                                                    \
    REAL (name);                                                                                                       \
    gboolean taken = real (lock);                                                                                      \
    if (taken)                                                                                                         \
      ACQUIRE (lock);                                                                                                  \
    return taken;                                                                                                      \
  }

#define UNLOCK(name, Type)                                                                                             \
  void name (Type *lock)                                                                                               \
  {                                                                                                                    \
    REAL (name);                                                                                                       \
    RELEASE (lock);                                                                                                    \
    real (lock);                                                                                                       \
  }

LOCK (g_mutex_lock, GMutex)
TRYLOCK (g_mutex_trylock, GMutex)
UNLOCK (g_mutex_unlock, GMutex)
LOCK (g_rec_mutex_lock, GRecMutex)
TRYLOCK (g_rec_mutex_trylock, GRecMutex)
UNLOCK (g_rec_mutex_unlock, GRecMutex)
LOCK (g_rw_lock_writer_lock, GRWLock)
TRYLOCK (g_rw_lock_writer_trylock, GRWLock)
UNLOCK (g_rw_lock_writer_unlock, GRWLock)
LOCK (g_rw_lock_reader_lock, GRWLock)
TRYLOCK (g_rw_lock_reader_trylock, GRWLock)
UNLOCK (g_rw_lock_reader_unlock, GRWLock)

void
g_cond_wait (GCond *cond, GMutex *mutex)
{
  REAL (g_cond_wait);
  RELEASE (mutex);
  real (cond, mutex);
  ACQUIRE (mutex);
}

gboolean
g_cond_wait_until (GCond *cond, GMutex *mutex, gint64 end_time)
{
  REAL (g_cond_wait_until);
  RELEASE (mutex);
  gboolean signalled = real (cond, mutex, end_time);
  ACQUIRE (mutex);
  return signalled;
}

/* Whoever drops the last reference comes after all who dropped one before. */
void
g_object_unref (gpointer object)
{
  REAL (g_object_unref);
  RELEASE (object);
  ACQUIRE (object);
  real (object);
}

void
g_bytes_unref (GBytes *bytes)
{
  REAL (g_bytes_unref);
  if (bytes != NULL)
    {
      RELEASE (bytes);
      ACQUIRE (bytes);
    }
  real (bytes);
}

#undef g_atomic_ref_count_dec

gboolean
g_atomic_ref_count_dec (gatomicrefcount *count)
{
  REAL (g_atomic_ref_count_dec);
  RELEASE (count);
  gboolean is_last = real (count);
  if (is_last)
    ACQUIRE (count);
  return is_last;
}

void
g_async_queue_push (GAsyncQueue *queue, gpointer data)
{
  REAL (g_async_queue_push);
  RELEASE (queue);
  real (queue, data);
}

gpointer
g_async_queue_pop (GAsyncQueue *queue)
{
  REAL (g_async_queue_pop);
  gpointer data = real (queue);
  ACQUIRE (queue);
  return data;
}

gpointer
g_async_queue_try_pop (GAsyncQueue *queue)
{
  REAL (g_async_queue_try_pop);
  gpointer data = real (queue);
  ACQUIRE (queue);
  return data;
}

gpointer
g_async_queue_timeout_pop (GAsyncQueue *queue, guint64 timeout)
{
  REAL (g_async_queue_timeout_pop);
  gpointer data = real (queue, timeout);
  ACQUIRE (queue);
  return data;
}

/* --- From a thread to one of a pool ----------------------------------------------------------- */

typedef struct
{
  GFunc function;
  gpointer user_data;
} PoolCall;

static void
pool_run (gpointer data, gpointer user_data)
{
  PoolCall *call = user_data;
  ACQUIRE (data);
  call->function (data, call->user_data);
}

/* What it allocates lives as long as the pool: in a test, to its end. */
GThreadPool *
g_thread_pool_new (GFunc function, gpointer user_data, gint max_threads, gboolean exclusive, GError **error)
{
  static GSList *calls;
  REAL (g_thread_pool_new);
  PoolCall *call = g_new (PoolCall, 1);
  call->function = function;
  call->user_data = user_data;
  calls = g_slist_prepend (calls, call);
  RELEASE (call);
  return real (pool_run, call, max_threads, exclusive, error);
}

gboolean
g_thread_pool_push (GThreadPool *pool, gpointer data, GError **error)
{
  REAL (g_thread_pool_push);
  RELEASE (data);
  return real (pool, data, error);
}

/* --- From a thread to the main context that runs a source or a task's callback ---------------- */

typedef struct
{
  GSourceFunc function;
  gpointer data;
  GDestroyNotify notify;
} Call;

static gboolean
call_run (gpointer data)
{
  Call *call = data;
  ACQUIRE (call);
  return call->function (call->data);
}

static void
call_free (gpointer data)
{
  Call *call = data;
  ACQUIRE (call);
  if (call->notify != NULL)
    call->notify (call->data);
  g_free (call);
}

static Call *
call_new (GSourceFunc function, gpointer data, GDestroyNotify notify)
{
  Call *call = g_new (Call, 1);
  call->function = function;
  call->data = data;
  call->notify = notify;
  RELEASE (call);
  return call;
}

void
g_main_context_invoke_full (GMainContext *context,
                            gint priority,
                            GSourceFunc function,
                            gpointer data,
                            GDestroyNotify notify)
{
  REAL (g_main_context_invoke_full);
  real (context, priority, call_run, call_new (function, data, notify), call_free);
}

void
g_main_context_invoke (GMainContext *context, GSourceFunc function, gpointer data)
{
  g_main_context_invoke_full (context, G_PRIORITY_DEFAULT, function, data, NULL);
}

static void
task_thread (GTask *task, gpointer source, gpointer task_data, GCancellable *cancellable)
{
  ACQUIRE (task);
  GTaskThreadFunc function = (GTaskThreadFunc) g_object_get_data (G_OBJECT (task), "tsan-thread-func");
  function (task, source, task_data, cancellable);
  RELEASE (task);
}

void
g_task_run_in_thread (GTask *task, GTaskThreadFunc function)
{
  REAL (g_task_run_in_thread);
  g_object_set_data (G_OBJECT (task), "tsan-thread-func", (gpointer) function);
  RELEASE (task);
  real (task, task_thread);
}

void
g_task_return_pointer (GTask *task, gpointer result, GDestroyNotify notify)
{
  REAL (g_task_return_pointer);
  RELEASE (task);
  real (task, result, notify);
}

gpointer
g_task_propagate_pointer (GTask *task, GError **error)
{
  REAL (g_task_propagate_pointer);
  ACQUIRE (task);
  return real (task, error);
}

#else

/* An object file must not be empty. */
typedef int loop_tsan_glib_is_empty;

#endif
