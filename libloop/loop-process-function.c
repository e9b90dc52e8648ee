/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-process-function-private.h"

#include "loop-event-loop-private.h"
#include "loop-fork-private.h"
#include "loop-zygote-private.h"

/* By their names. The workers have it as it was when the zygote was forked. */
static GHashTable *functions;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

LOOP_FORK_WATCH (LOOP_FORK_PROCESS_FUNCTIONS, .mutex = &mutex)

static gboolean
check_new (const char *name, GError **error)
{
  if (loop_zygote_is_running ())
    {
      g_set_error (error, LOOP_ERROR, LOOP_ERROR_RUNNING,
                   "The function “%s” is registered too late: the zygote runs already, and will not know it", name);
      return FALSE;
    }

  if (functions != NULL && g_hash_table_contains (functions, name))
    {
      g_set_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS, "A function “%s” was registered before", name);
      return FALSE;
    }

  return TRUE;
}

/**
 * loop_process_pool_executor_register:
 * @name: what the function is to be called
 * @parameter_type: (nullable): the type of its parameters; %NULL if it takes any
 * @func: (scope notified) (closure user_data) (destroy notify): the function
 * @user_data: data for @func
 * @notify: frees @user_data if the function is refused
 * @error: return location for an error
 *
 * Makes a function known to the process pools of this process, for good: it can neither be
 * replaced nor taken back. From any thread, but before the zygote is started, see
 * [class@ProcessPoolExecutor].
 *
 * Returns: %TRUE, or %FALSE with %G_IO_ERROR_EXISTS if the name is taken, and with
 *   %LOOP_ERROR_RUNNING if the zygote runs already
 */
gboolean
loop_process_pool_executor_register (const char *name,
                                     const GVariantType *parameter_type,
                                     LoopProcessFunc func,
                                     gpointer user_data,
                                     GDestroyNotify notify,
                                     GError **error)
{
  LoopProcessFunction *function;
  gboolean is_new;

  g_return_val_if_fail (name != NULL && g_utf8_validate (name, -1, NULL), FALSE);
  g_return_val_if_fail (func != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  pthread_mutex_lock (&mutex);
  is_new = check_new (name, error);
  if (is_new)
    {
      if (functions == NULL)
        functions = g_hash_table_new (g_str_hash, g_str_equal);

      function = g_new (LoopProcessFunction, 1);
      function->name = g_strdup (name);
      function->parameter_type = parameter_type != NULL ? g_variant_type_copy (parameter_type) : NULL;
      function->func = func;
      function->user_data = user_data;
      g_hash_table_insert (functions, (gpointer) function->name, function);
    }
  pthread_mutex_unlock (&mutex);

  if (!is_new)
    loop_destroy_user_data (user_data, notify);

  return is_new;
}

const LoopProcessFunction *
loop_process_function_lookup (const char *name, GError **error)
{
  const LoopProcessFunction *self = NULL;

  pthread_mutex_lock (&mutex);
  if (functions != NULL)
    self = g_hash_table_lookup (functions, name);
  pthread_mutex_unlock (&mutex);

  if (self == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, "No function “%s” is registered", name);

  return self;
}

/*
 * Calls a function, in a worker.
 *
 * Returns: (transfer full): what it has returned, in normal form
 */
GVariant *
loop_process_function_call (const char *name, GVariant *parameters, GError **error)
{
  const LoopProcessFunction *self = loop_process_function_lookup (name, error);
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) local_error = NULL;

  if (self == NULL)
    return NULL;

  result = self->func (parameters, self->user_data, &local_error);
  if (result != NULL)
    {
      g_variant_take_ref (result);
      return g_variant_get_normal_form (result);
    }

  if (local_error == NULL)
    g_set_error (&local_error, LOOP_ERROR, LOOP_ERROR_INVALID_STATE,
                 "The function “%s” returned neither a result nor an error", name);
  g_propagate_error (error, g_steal_pointer (&local_error));

  return NULL;
}
