/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-coroutine-private.h"

/**
 * LoopCoroutine:
 *
 * A function that can wait: it runs until it needs a future that is not done, hands that
 * out, and is told to go on later. [class@Task] drives a coroutine on a loop.
 *
 * [class@Fiber] is a coroutine for C, on a stack of its own. The coroutines or generators
 * of another language become coroutines by implementing this interface.
 *
 * A coroutine is for one thread.
 */
G_DEFINE_INTERFACE (LoopCoroutine, loop_coroutine, G_TYPE_OBJECT)

G_DEFINE_ENUM_TYPE (LoopCoroutineStatus,
                    loop_coroutine_status,
                    G_DEFINE_ENUM_VALUE (LOOP_COROUTINE_AWAITING, "awaiting"),
                    G_DEFINE_ENUM_VALUE (LOOP_COROUTINE_RETURNED, "returned"),
                    G_DEFINE_ENUM_VALUE (LOOP_COROUTINE_RAISED, "raised"))

static void
loop_coroutine_default_init (LoopCoroutineInterface *iface)
{
}

/* A function of another language that raises has no say in what is returned: it is 0, which would mean "awaiting". */
static LoopCoroutineStatus
finish_step (LoopCoroutineStatus status, LoopFuture **awaited, GError *raised, GError **error)
{
  if (raised == NULL)
    return status;

  g_clear_object (awaited);
  g_propagate_error (error, raised);

  return LOOP_COROUTINE_RAISED;
}

LoopCoroutineStatus
loop_coroutine_send_through (LoopCoroutineInterface *iface,
                             LoopCoroutine *self,
                             LoopFuture **awaited,
                             GValue *result,
                             GError **error)
{
  LoopCoroutineStatus status;
  GError *raised = NULL;

  *awaited = NULL;

  status = iface->send (self, awaited, result, &raised);

  return finish_step (status, awaited, raised, error);
}

/**
 * loop_coroutine_send: (virtual send)
 * @self: a coroutine
 * @awaited: (out) (transfer full) (nullable): return location for the future that it waits
 *   for; %NULL when it only wants to let others have their turn, or has ended
 * @result: (out caller-allocates): return location for its result, uninitialised; it stays
 *   so when the coroutine has not ended, or has ended without a result
 * @error: return location for the error with which it ended
 *
 * Lets the coroutine go on until it waits for a future or ends.
 *
 * Returns: how far it has got
 */
LoopCoroutineStatus
loop_coroutine_send (LoopCoroutine *self, LoopFuture **awaited, GValue *result, GError **error)
{
  g_return_val_if_fail (LOOP_IS_COROUTINE (self), LOOP_COROUTINE_RAISED);
  g_return_val_if_fail (awaited != NULL, LOOP_COROUTINE_RAISED);
  g_return_val_if_fail (result != NULL, LOOP_COROUTINE_RAISED);

  return loop_coroutine_send_through (LOOP_COROUTINE_GET_IFACE (self), self, awaited, result, error);
}

/**
 * loop_coroutine_throw: (virtual throw_exception)
 * @self: a coroutine
 * @exception: the error
 * @awaited: (out) (transfer full) (nullable): as for [method@Coroutine.send]
 * @result: (out caller-allocates): as for [method@Coroutine.send]
 * @error: return location for the error with which it ended
 *
 * Lets the coroutine go on as [method@Coroutine.send] does; but what it waits for seems to
 * it to have failed with @exception. A coroutine that was never begun ends at once.
 *
 * Returns: how far it has got
 */
LoopCoroutineStatus
loop_coroutine_throw (LoopCoroutine *self,
                      const GError *exception,
                      LoopFuture **awaited,
                      GValue *result,
                      GError **error)
{
  LoopCoroutineStatus status;
  GError *raised = NULL;

  g_return_val_if_fail (LOOP_IS_COROUTINE (self), LOOP_COROUTINE_RAISED);
  g_return_val_if_fail (exception != NULL, LOOP_COROUTINE_RAISED);
  g_return_val_if_fail (awaited != NULL, LOOP_COROUTINE_RAISED);
  g_return_val_if_fail (result != NULL, LOOP_COROUTINE_RAISED);

  *awaited = NULL;

  status = LOOP_COROUTINE_GET_IFACE (self)->throw_exception (self, exception, awaited, result, &raised);

  return finish_step (status, awaited, raised, error);
}

/**
 * loop_coroutine_close: (virtual close)
 * @self: a coroutine
 *
 * Ends the coroutine: what it waits for fails, and so does everything that it waits for
 * after that. It does nothing to one that has ended.
 */
void
loop_coroutine_close (LoopCoroutine *self)
{
  g_return_if_fail (LOOP_IS_COROUTINE (self));

  LOOP_COROUTINE_GET_IFACE (self)->close (self);
}

/* What an interpreter would hand out in get_name() itself, nobody would free. */
static const char *
get_name_property (LoopCoroutine *self)
{
  GParamSpec *pspec = g_object_class_find_property (G_OBJECT_GET_CLASS (self), "name");
  g_autofree char *name = NULL;

  if (pspec == NULL || pspec->value_type != G_TYPE_STRING || (pspec->flags & G_PARAM_READABLE) == 0)
    return NULL;

  g_object_get (self, "name", &name, NULL);

  return g_intern_string (name);
}

/**
 * loop_coroutine_get_name: (virtual get_name)
 * @self: a coroutine
 *
 * Gets a name for messages, such as that of the function that it runs. It is kept for
 * ever: names are not made up for each coroutine.
 *
 * Returns: (transfer none): the name
 */
const char *
loop_coroutine_get_name (LoopCoroutine *self)
{
  LoopCoroutineInterface *iface;
  const char *name = NULL;

  g_return_val_if_fail (LOOP_IS_COROUTINE (self), NULL);

  iface = LOOP_COROUTINE_GET_IFACE (self);
  if (iface->get_name != NULL)
    name = iface->get_name (self);
  else
    name = get_name_property (self);

  return name != NULL ? name : G_OBJECT_TYPE_NAME (self);
}
