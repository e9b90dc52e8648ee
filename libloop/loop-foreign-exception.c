/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-foreign-exception.h"

#include "loop-fork-private.h"

/**
 * LoopForeignException:
 *
 * An exception of another language that travels as a [struct@GLib.Error].
 *
 * A language binding puts the exception object into a foreign exception, and makes an error
 * with its code in the %LOOP_FOREIGN_ERROR domain. However that error is copied and passed
 * on, by a gathering future for example, [func@ForeignException.lookup] finds the object
 * again, for as long as any copy of the error exists.
 */
struct _LoopForeignException
{
  int ref_count; /* guarded by the lock of the table */
  int code;
  GValue value;
};

G_DEFINE_BOXED_TYPE (LoopForeignException,
                     loop_foreign_exception,
                     loop_foreign_exception_ref,
                     loop_foreign_exception_unref)

/* Those there are, by code. What belongs to the language is never touched under the lock: it may wait for a lock of
 * the interpreter, whose holder may wait for ours. */
static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static GHashTable *table;

LOOP_FORK_WATCH (LOOP_FORK_FOREIGN_EXCEPTIONS, .mutex = &table_lock)

/* What GLib keeps in front of an error of our domain. */
typedef struct
{
  LoopForeignException *exception; /* or NULL, for a code of nobody's */
} ForeignError;

/* As in G_DEFINE_EXTENDED_ERROR, whose functions do not see the code. */
static ForeignError *
get_private (const GError *error)
{
  const gsize alignment = 2 * sizeof (gsize);
  const gsize size = (sizeof (ForeignError) + alignment - 1) & ~(alignment - 1);

  return (ForeignError *) ((char *) error - size);
}

static void
foreign_error_init (GError *error)
{
  get_private (error)->exception = loop_foreign_exception_lookup (error->code);
}

static void
foreign_error_copy (const GError *source, GError *copy)
{
  LoopForeignException *exception = get_private (source)->exception;

  /* GLib has initialised it, but the code may be somebody else's by now. */
  g_clear_pointer (&get_private (copy)->exception, loop_foreign_exception_unref);
  get_private (copy)->exception = exception != NULL ? loop_foreign_exception_ref (exception) : NULL;
}

static void
foreign_error_clear (GError *error)
{
  g_clear_pointer (&get_private (error)->exception, loop_foreign_exception_unref);
}

/**
 * loop_foreign_exception_get_domain:
 *
 * Gets the %LOOP_FOREIGN_ERROR domain.
 *
 * Returns: the quark
 */
GQuark
loop_foreign_exception_get_domain (void)
{
  static gsize quark;

  if (g_once_init_enter (&quark))
    g_once_init_leave (&quark,
                       g_error_domain_register_static ("loop-foreign-error-quark", sizeof (ForeignError),
                                                       foreign_error_init, foreign_error_copy, foreign_error_clear));

  return (GQuark) quark;
}

/**
 * loop_foreign_exception_new:
 * @value: the exception
 *
 * Makes a foreign exception, with a code that no other one has.
 *
 * Returns: (transfer full): the foreign exception
 */
LoopForeignException *
loop_foreign_exception_new (const GValue *value)
{
  static int last_code;
  LoopForeignException *self;

  g_return_val_if_fail (G_IS_VALUE (value), NULL);

  /* An error that is made by its name alone has to find its domain registered. */
  loop_foreign_exception_get_domain ();

  self = g_new0 (LoopForeignException, 1);
  self->ref_count = 1;
  g_value_init (&self->value, G_VALUE_TYPE (value));
  g_value_copy (value, &self->value);

  pthread_mutex_lock (&table_lock);
  if (table == NULL)
    table = g_hash_table_new (NULL, NULL);
  do
    last_code = last_code < G_MAXINT ? last_code + 1 : 1;
  while (g_hash_table_contains (table, GINT_TO_POINTER (last_code)));
  self->code = last_code;
  g_hash_table_insert (table, GINT_TO_POINTER (self->code), self);
  pthread_mutex_unlock (&table_lock);

  return self;
}

/**
 * loop_foreign_exception_lookup:
 * @code: the code of an error of the %LOOP_FOREIGN_ERROR domain
 *
 * Finds the exception for which an error stands.
 *
 * Returns: (transfer full) (nullable): the foreign exception, or %NULL if there is none
 */
LoopForeignException *
loop_foreign_exception_lookup (int code)
{
  LoopForeignException *self;

  pthread_mutex_lock (&table_lock);
  self = table != NULL ? g_hash_table_lookup (table, GINT_TO_POINTER (code)) : NULL;
  if (self != NULL)
    self->ref_count++;
  pthread_mutex_unlock (&table_lock);

  return self;
}

/**
 * loop_foreign_exception_ref:
 * @self: a foreign exception
 *
 * Takes a reference.
 *
 * Returns: (transfer full): @self
 */
LoopForeignException *
loop_foreign_exception_ref (LoopForeignException *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  pthread_mutex_lock (&table_lock);
  self->ref_count++;
  pthread_mutex_unlock (&table_lock);

  return self;
}

/**
 * loop_foreign_exception_unref:
 * @self: (transfer full): a foreign exception
 *
 * Drops a reference.
 */
void
loop_foreign_exception_unref (LoopForeignException *self)
{
  gboolean is_last;

  g_return_if_fail (self != NULL);

  pthread_mutex_lock (&table_lock);
  is_last = --self->ref_count == 0;
  if (is_last)
    {
      g_hash_table_remove (table, GINT_TO_POINTER (self->code));
      /* Leak checkers need not know of it. */
      if (g_hash_table_size (table) == 0)
        g_clear_pointer (&table, g_hash_table_unref);
    }
  pthread_mutex_unlock (&table_lock);

  if (!is_last)
    return;

  g_value_unset (&self->value);
  g_free (self);
}

/**
 * loop_foreign_exception_get_code:
 * @self: a foreign exception
 *
 * Gets the code of the errors that stand for the exception.
 *
 * Returns: the code, which is positive
 */
int
loop_foreign_exception_get_code (LoopForeignException *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->code;
}

/**
 * loop_foreign_exception_get_value:
 * @self: a foreign exception
 * @value: (out caller-allocates): return location for the exception, uninitialised
 *
 * Gets the exception.
 */
void
loop_foreign_exception_get_value (LoopForeignException *self, GValue *value)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (value != NULL);

  g_value_init (value, G_VALUE_TYPE (&self->value));
  g_value_copy (&self->value, value);
}
