/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-async-generator.h"

#include "loop-composite-future-private.h"

/**
 * LoopAsyncGenerator:
 *
 * Something that makes one item after the other, waits in between, and has to be told when
 * no more are wanted: so that it lets go of what it holds, for which it may have to wait as
 * well.
 *
 * The asynchronous generators of a language implement this interface. When one is first
 * asked for an item, [method@EventLoop.track_async_generator] lets the loop know of it; one
 * that is dropped before its end sees to its own closing, in a task. Those that are left when
 * a program ends are closed by [method@EventLoop.shutdown_asyncgens].
 */
G_DEFINE_INTERFACE (LoopAsyncGenerator, loop_async_generator, G_TYPE_OBJECT)

static void
loop_async_generator_default_init (LoopAsyncGeneratorInterface *iface)
{
}

/**
 * loop_async_generator_aclose: (virtual aclose)
 * @self: an asynchronous generator
 *
 * Has the generator end where it is. One that has ended already does nothing.
 *
 * Returns: (transfer full) (nullable): a future that is done when the generator has ended, and
 *   fails if it does so with an error
 */
LoopFuture *
loop_async_generator_aclose (LoopAsyncGenerator *self)
{
  g_return_val_if_fail (LOOP_IS_ASYNC_GENERATOR (self), NULL);

  return LOOP_ASYNC_GENERATOR_GET_IFACE (self)->aclose (self);
}

/* --- What a loop knows of them ---------------------------------------------------------------- */

typedef struct
{
  LoopEventLoop *loop;
  LoopCloseHook hook;
  GPtrArray *generators; /* GWeakRef: those that have ended vanish */
  guint next_sweep;      /* the number of them at which those that have gone are looked for */
  gboolean is_shut_down;
} AsyncGenerators;

#define FIRST_SWEEP 64

static void
weak_ref_free (gpointer data)
{
  GWeakRef *self = data;

  g_weak_ref_clear (self);
  g_free (self);
}

static void
async_generators_loop_closed (LoopCloseHook *hook)
{
  AsyncGenerators *self = (AsyncGenerators *) ((char *) hook - G_STRUCT_OFFSET (AsyncGenerators, hook));

  self->loop->async_generators = NULL;
  g_ptr_array_unref (self->generators);
  g_free (self);
}

/* Of a loop that is open. */
static AsyncGenerators *
get_async_generators (LoopEventLoop *loop)
{
  AsyncGenerators *self = loop->async_generators;

  if (self == NULL)
    {
      self = g_new0 (AsyncGenerators, 1);
      self->loop = loop;
      self->generators = g_ptr_array_new_with_free_func (weak_ref_free);
      self->next_sweep = FIRST_SWEEP;
      self->hook.closed = async_generators_loop_closed;
      loop_event_loop_add_close_hook (loop, &self->hook);
      loop->async_generators = self;
    }

  return self;
}

/* Those that are alive, with references, each once. */
static GPtrArray *
list_generators (AsyncGenerators *self)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  GPtrArray *alive = g_ptr_array_new_with_free_func (g_object_unref);

  for (guint i = 0; i < self->generators->len; i++)
    {
      gpointer generator = g_weak_ref_get (self->generators->pdata[i]);

      if (generator != NULL && g_hash_table_add (seen, generator))
        g_ptr_array_add (alive, generator);
      else if (generator != NULL)
        g_object_unref (generator);
    }

  return alive;
}

static void
add_generator (AsyncGenerators *self, gpointer generator)
{
  GWeakRef *weak_ref = g_new (GWeakRef, 1);

  g_weak_ref_init (weak_ref, generator);
  g_ptr_array_add (self->generators, weak_ref);
}

/* Forgets those that have gone. To do so when their number has doubled costs each of them little. */
static void
sweep (AsyncGenerators *self)
{
  g_autoptr (GPtrArray) alive = list_generators (self);

  g_ptr_array_set_size (self->generators, 0);
  for (guint i = 0; i < alive->len; i++)
    add_generator (self, alive->pdata[i]);
  self->next_sweep = MAX (FIRST_SWEEP, 2 * alive->len);
}

/**
 * loop_event_loop_track_async_generator:
 * @self: an event loop
 * @generator: an asynchronous generator, which begins
 *
 * Lets the loop know of a generator that may have to be closed when the program ends. The
 * loop takes no reference to it.
 *
 * After [method@EventLoop.shutdown_asyncgens] a warning is logged, for nobody may be there
 * to close it.
 */
void
loop_event_loop_track_async_generator (LoopEventLoop *self, LoopAsyncGenerator *generator)
{
  AsyncGenerators *ours;
  GError *error = NULL;

  g_return_if_fail (LOOP_IS_EVENT_LOOP (self));
  g_return_if_fail (LOOP_IS_ASYNC_GENERATOR (generator));

  if (!loop_event_loop_check_usable (self, &error))
    {
      loop_report_misuse (G_STRFUNC, error);
      return;
    }

  ours = get_async_generators (self);
  if (ours->is_shut_down)
    g_warning ("The asynchronous generator %s %p began after shutdown_asyncgens() was called",
               G_OBJECT_TYPE_NAME (generator), generator);

  if (ours->generators->len >= ours->next_sweep)
    sweep (ours);
  add_generator (ours, generator);
}

/* --- Closing them all ------------------------------------------------------------------------- */

typedef struct
{
  LoopCompositeFuture parent_instance;

  GPtrArray *generators; /* of its children, in their order */
} LoopShutdownAsyncgensFuture;

typedef struct
{
  LoopCompositeFutureClass parent_class;
} LoopShutdownAsyncgensFutureClass;

static GType loop_shutdown_asyncgens_future_get_type (void);

G_DEFINE_FINAL_TYPE (LoopShutdownAsyncgensFuture, loop_shutdown_asyncgens_future, LOOP_TYPE_COMPOSITE_FUTURE)

static void
report_failure (LoopEventLoop *loop, GObject *generator, const GError *error)
{
  LoopExceptionContext *context =
      loop_exception_context_new ("An error occurred while an asynchronous generator was closed", error);

  loop_exception_context_set_async_generator (context, generator);
  loop_event_loop_report (loop, context);
}

static void
loop_shutdown_asyncgens_future_child_done (LoopCompositeFuture *base, LoopChild *child)
{
  LoopShutdownAsyncgensFuture *self = (LoopShutdownAsyncgensFuture *) base;
  LoopFuture *future = &base->parent_instance;
  const GError *exception = loop_child_retrieve_exception (child);

  if (exception != NULL)
    report_failure (future->loop, self->generators->pdata[child - base->children], exception);

  if (base->n_pending == 0 && loop_future_is_pending (future))
    loop_future_fulfil (future);
}

static gboolean
loop_shutdown_asyncgens_future_cancel (LoopFuture *future, const char *message)
{
  return loop_future_is_pending (future) &&
         loop_composite_future_cancel_children ((LoopCompositeFuture *) future, message);
}

static void
loop_shutdown_asyncgens_future_finalize (GObject *object)
{
  g_clear_pointer (&((LoopShutdownAsyncgensFuture *) object)->generators, g_ptr_array_unref);

  G_OBJECT_CLASS (loop_shutdown_asyncgens_future_parent_class)->finalize (object);
}

static void
loop_shutdown_asyncgens_future_class_init (LoopShutdownAsyncgensFutureClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = loop_shutdown_asyncgens_future_finalize;
  ((LoopFutureClass *) klass)->cancel = loop_shutdown_asyncgens_future_cancel;
  LOOP_COMPOSITE_FUTURE_CLASS (klass)->child_done = loop_shutdown_asyncgens_future_child_done;
}

static void
loop_shutdown_asyncgens_future_init (LoopShutdownAsyncgensFuture *self)
{
  self->generators = g_ptr_array_new_with_free_func (g_object_unref);
}

/**
 * loop_event_loop_shutdown_asyncgens:
 * @self: an event loop
 *
 * Closes all asynchronous generators that the loop knows of and that have not ended. Errors
 * of theirs go to the exception handler, each with its generator. To be called at the end
 * of a program, when nothing else is to run.
 *
 * Cancelling the future cancels the closing of those that have not ended yet.
 *
 * Returns: (transfer full): a future that is done when all have ended, and has no result; it
 *   has failed with %LOOP_ERROR_CLOSED if the loop is closed
 */
LoopFuture *
loop_event_loop_shutdown_asyncgens (LoopEventLoop *self)
{
  static const char *const name = "shutdown_asyncgens";
  g_autoptr (GPtrArray) generators = NULL;
  g_autoptr (GPtrArray) futures = NULL;
  LoopShutdownAsyncgensFuture *shutdown;
  AsyncGenerators *ours;
  GError *error = NULL;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);

  if (!loop_event_loop_check_usable (self, &error))
    return loop_future_new_failed (self, name, error);

  ours = get_async_generators (self);
  ours->is_shut_down = TRUE;
  generators = list_generators (ours);
  g_ptr_array_set_size (ours->generators, 0);

  futures = g_ptr_array_new_with_free_func (g_object_unref);
  shutdown = loop_composite_future_new (loop_shutdown_asyncgens_future_get_type (), self, name);
  for (guint i = 0; i < generators->len; i++)
    {
      LoopFuture *future = loop_async_generator_aclose (generators->pdata[i]);

      /* As when a function of another language raises an exception in its place. */
      if (future == NULL)
        {
          report_failure (self, generators->pdata[i], NULL);
          continue;
        }

      g_ptr_array_add (shutdown->generators, g_object_ref (generators->pdata[i]));
      g_ptr_array_add (futures, future);
    }

  if (loop_composite_future_watch (&shutdown->parent_instance, (LoopFuture *const *) futures->pdata, futures->len) &&
      futures->len == 0)
    loop_future_fulfil ((LoopFuture *) shutdown);

  return (LoopFuture *) shutdown;
}
