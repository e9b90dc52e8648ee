/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-inspector-page-private.h"

#include "loop-event-loop-private.h"
#include "loop-fiber-stack-private.h"
#include "loop-resolver-private.h"

/*
 * The rows of a view as they go over the wire. Nothing of this runs under a hold: names are
 * looked up here, for dladdr() takes the dynamic linker's lock, which the loop thread may
 * have while it waits for us.
 */

/* Names come from programs: what could move a terminal's cursor is escaped. */
static GVariant *
text_to_variant (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autoptr (GString) escaped = g_string_new (NULL);

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (g_unichar_iscntrl (c))
        g_string_append_printf (escaped, "\\x%02x", c);
      else
        g_string_append_unichar (escaped, c);
    }

  return g_variant_new_string (escaped->str);
}

/* Of something that has a name, or is called by its function's. */
GVariant *
loop_name_to_variant (const char *name, gpointer function)
{
  g_autofree char *symbol = NULL;

  if (name != NULL)
    return text_to_variant (name);
  if (function == NULL)
    return g_variant_new_string ("");

  symbol = loop_describe_function (function);

  return text_to_variant (symbol);
}

/* Returns: (nullable): NULL of what has no address or no name, as the socket of a Unix client */
static GVariant *
address_to_variant (const LoopRow *row, int index)
{
  g_autofree char *text = NULL;

  if (row->address_lengths[index] <= sizeof (sa_family_t))
    return NULL;

  text =
      loop_resolved_address_to_string ((const struct sockaddr *) &row->addresses[index], row->address_lengths[index]);

  return text_to_variant (text);
}

static GVariant *
addresses_to_variant (const LoopRow *row)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < MIN (row->n_addresses, LOOP_ROW_N_ADDRESSES); i++)
    {
      g_autoptr (GVariant) address = address_to_variant (row, (int) i);

      /* What listens has an address, but the kernel may not have told it. */
      g_string_append_printf (text, "%s%s", text->len > 0 ? " " : "",
                              address != NULL ? g_variant_get_string (address, NULL) : "?");
    }
  if (row->n_addresses > LOOP_ROW_N_ADDRESSES)
    g_string_append (text, " …");

  return g_variant_new_string (text->str);
}

static GVariant *
events_to_variant (const LoopRow *row)
{
  static const char *const events[] = { "", "r", "w", "rw" };

  return g_variant_new_string (
      events[(row->events & LOOP_INTEREST_READ ? 1 : 0) + (row->events & LOOP_INTEREST_WRITE ? 2 : 0)]);
}

/* Returns: (nullable): what it is called, or %NULL if there is nothing */
static GVariant *
row_name_to_variant (const LoopRowName *name)
{
  if (name->name != NULL || name->function != NULL)
    return loop_name_to_variant (name->name, name->function);

  return *name->text != '\0' ? text_to_variant (name->text) : NULL;
}

static GVariant *
canceller_to_variant (const LoopRow *row)
{
  const LoopRowName *name = &row->names[LOOP_ROW_N_NAMES - 1];
  g_autoptr (GVariant) text = NULL;

  if (row->canceller_kind == NULL)
    return NULL;

  text = g_variant_ref_sink (loop_name_to_variant (name->name, name->function));

  return g_variant_new_take_string (g_strdup_printf ("%s %s", row->canceller_kind, g_variant_get_string (text, NULL)));
}

static GVariant *
origin_to_variant (const LoopRow *row)
{
  g_autofree char *origin = row->created != NULL ? g_strdup (row->created) : loop_traceback_get_origin (row->id);

  return origin != NULL ? text_to_variant (origin) : NULL;
}

static GVariant *
seconds_until_now (gint64 time, const LoopRowPage *page)
{
  return g_variant_new_double (loop_clock_to_seconds (MAX (page->now - time, 0)));
}

static GVariant *
age_to_variant (const LoopRow *row, const LoopRowPage *page)
{
  gint64 time = loop_traceback_get_time (row->id);

  return time != 0 ? seconds_until_now (time, page) : NULL;
}

/* Its pages are counted now, and not under the hold: it is a system call for each row. */
static GVariant *
stack_used_to_variant (const LoopRow *row)
{
  return row->stack_bottom != NULL
             ? g_variant_new_uint64 (loop_fiber_stack_measure (row->stack_bottom, row->stack_size))
             : NULL;
}

static GVariant *
column_to_variant (const LoopColumn *column, const LoopRow *row, const LoopRowPage *page)
{
  GVariant *name;

  switch (column->type)
    {
    case LOOP_COLUMN_ID:
      return g_variant_new_uint64 (row->id);
    case LOOP_COLUMN_KIND:
      return g_variant_new_string (row->kind);
    case LOOP_COLUMN_STATE:
      return g_variant_new_string (row->state);
    case LOOP_COLUMN_NAME:
      name = row_name_to_variant (&row->names[column->index]);
      return name != NULL || column->index > 0 ? name : g_variant_new_string ("");
    case LOOP_COLUMN_WHEN:
      return row->when == LOOP_NEVER ? NULL : g_variant_new_double (loop_clock_to_seconds (row->when));
    case LOOP_COLUMN_IN:
      return row->when == LOOP_NEVER ? NULL : g_variant_new_double (loop_clock_to_seconds (row->when - page->now));
    case LOOP_COLUMN_SINCE:
      return row->when == LOOP_NEVER ? NULL : seconds_until_now (row->when, page);
    case LOOP_COLUMN_FD:
      return g_variant_new_int32 (row->fd);
    case LOOP_COLUMN_EVENTS:
      return events_to_variant (row);
    case LOOP_COLUMN_PAUSED:
      return row->events != 0 ? events_to_variant (row) : NULL;
    case LOOP_COLUMN_ADDRESS:
      return address_to_variant (row, column->index);
    case LOOP_COLUMN_ADDRESSES:
      return addresses_to_variant (row);
    case LOOP_COLUMN_FLAG:
      return g_variant_new_boolean (row->flag);
    case LOOP_COLUMN_NUMBER:
      return g_variant_new_uint64 (row->numbers[column->index]);
    case LOOP_COLUMN_RETURNCODE:
      return row->flag ? g_variant_new_int32 ((gint32) row->numbers[column->index]) : NULL;
    case LOOP_COLUMN_LINK:
      return row->numbers[column->index] != 0 ? g_variant_new_uint64 (row->numbers[column->index]) : NULL;
    case LOOP_COLUMN_CANCELLER:
      return canceller_to_variant (row);
    case LOOP_COLUMN_CREATED:
      return origin_to_variant (row);
    case LOOP_COLUMN_AGE:
      return age_to_variant (row, page);
    case LOOP_COLUMN_STACK_USED:
      return stack_used_to_variant (row);
    case LOOP_COLUMN_STACK_SIZE:
      return row->stack_bottom != NULL ? g_variant_new_uint64 (row->stack_size) : NULL;
    default:
      g_assert_not_reached ();
    }
}

/* Returns: (transfer floating): the row as a dictionary */
GVariant *
loop_row_to_variant (const LoopRow *row, const LoopColumn *columns, const LoopRowPage *page)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  for (const LoopColumn *column = columns; column->name != NULL; column++)
    {
      GVariant *value = column_to_variant (column, row, page);

      if (value != NULL)
        g_variant_builder_add (&builder, "{sv}", column->name, value);
    }

  return g_variant_builder_end (&builder);
}
