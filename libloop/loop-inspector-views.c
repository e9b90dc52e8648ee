/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-inspector-views-private.h"

#include <string.h>

/* What can be listed, and in which columns. */

struct _LoopView
{
  const char *kind;
  void (*collect) (LoopEventLoop *loop, LoopRowPage *page);
  LoopColumn columns[18];          /* ends with a name of NULL */
  void (*complete) (LoopRow *row); /* of the rows that are on the page alone, what takes longer; or NULL */
};

G_DEFINE_QUARK (loop_inspector_error, loop_inspector_error)

static const LoopView views[] = {
  { "handles",
    loop_view_collect_handles,
    { { "id", LOOP_COLUMN_ID },
      { "kind", LOOP_COLUMN_KIND },
      { "state", LOOP_COLUMN_STATE },
      { "name", LOOP_COLUMN_NAME },
      { "created", LOOP_COLUMN_CREATED },
      { "age", LOOP_COLUMN_AGE } } },
  { "timers",
    loop_view_collect_timers,
    { { "id", LOOP_COLUMN_ID },
      { "name", LOOP_COLUMN_NAME },
      { "when", LOOP_COLUMN_WHEN },
      { "in", LOOP_COLUMN_IN },
      { "created", LOOP_COLUMN_CREATED },
      { "age", LOOP_COLUMN_AGE } } },
  { "watches",
    loop_view_collect_watches,
    { { "id", LOOP_COLUMN_ID },
      { "fd", LOOP_COLUMN_FD },
      { "events", LOOP_COLUMN_EVENTS },
      { "kind", LOOP_COLUMN_KIND },
      { "name", LOOP_COLUMN_NAME },
      { "created", LOOP_COLUMN_CREATED },
      { "age", LOOP_COLUMN_AGE } } },
  { "transports",
    loop_view_collect_transports,
    { { "id", LOOP_COLUMN_ID },
      { "kind", LOOP_COLUMN_KIND },
      { "state", LOOP_COLUMN_STATE },
      { "fd", LOOP_COLUMN_FD },
      { "peer", LOOP_COLUMN_ADDRESS, 0 },
      { "local", LOOP_COLUMN_ADDRESS, 1 },
      { "protocol", LOOP_COLUMN_NAME },
      { "received", LOOP_COLUMN_NUMBER, 0 },
      { "sent", LOOP_COLUMN_NUMBER, 1 },
      { "buffered", LOOP_COLUMN_NUMBER, 2 },
      { "low_water", LOOP_COLUMN_NUMBER, 3 },
      { "high_water", LOOP_COLUMN_NUMBER, 4 },
      { "reading", LOOP_COLUMN_FLAG },
      { "paused", LOOP_COLUMN_PAUSED },
      { "owner", LOOP_COLUMN_LINK, 5 },
      { "age", LOOP_COLUMN_SINCE },
      { "created", LOOP_COLUMN_CREATED } },
    loop_view_complete_transport },
  { "servers",
    loop_view_collect_servers,
    { { "id", LOOP_COLUMN_ID },
      { "state", LOOP_COLUMN_STATE },
      { "address", LOOP_COLUMN_ADDRESSES },
      { "clients", LOOP_COLUMN_NUMBER, 0 },
      { "accepted", LOOP_COLUMN_NUMBER, 1 },
      { "waiting", LOOP_COLUMN_NUMBER, 2 },
      { "backlog", LOOP_COLUMN_NUMBER, 3 },
      { "age", LOOP_COLUMN_SINCE },
      { "created", LOOP_COLUMN_CREATED } },
    loop_view_complete_server },
  { "futures",
    loop_view_collect_futures,
    { { "id", LOOP_COLUMN_ID },
      { "name", LOOP_COLUMN_NAME },
      { "state", LOOP_COLUMN_STATE },
      { "callbacks", LOOP_COLUMN_NUMBER, 0 },
      { "waiters", LOOP_COLUMN_NUMBER, 1 },
      { "waiter", LOOP_COLUMN_LINK, 2 },
      { "cancelled_by", LOOP_COLUMN_LINK, 3 },
      { "canceller", LOOP_COLUMN_CANCELLER },
      { "created", LOOP_COLUMN_CREATED },
      { "age", LOOP_COLUMN_AGE } } },
  { "tasks",
    loop_view_collect_tasks,
    { { "id", LOOP_COLUMN_ID },
      { "name", LOOP_COLUMN_NAME },
      { "state", LOOP_COLUMN_STATE },
      { "coroutine", LOOP_COLUMN_NAME, 1 },
      { "awaits", LOOP_COLUMN_LINK, 0 },
      { "awaited", LOOP_COLUMN_NAME, 2 },
      { "cancelling", LOOP_COLUMN_NUMBER, 1 },
      { "cancelled_by", LOOP_COLUMN_LINK, 2 },
      { "canceller", LOOP_COLUMN_CANCELLER },
      { "where", LOOP_COLUMN_NAME, 3 },
      { "chain", LOOP_COLUMN_NAME, 4 },
      { "stack_used", LOOP_COLUMN_STACK_USED },
      { "created", LOOP_COLUMN_CREATED },
      { "age", LOOP_COLUMN_AGE } } },
  { "fibers",
    loop_view_collect_fibers,
    { { "id", LOOP_COLUMN_ID },
      { "name", LOOP_COLUMN_NAME },
      { "state", LOOP_COLUMN_STATE },
      { "function", LOOP_COLUMN_NAME, 1 },
      { "stack_used", LOOP_COLUMN_STACK_USED },
      { "stack_size", LOOP_COLUMN_STACK_SIZE } } },
  { "awaits",
    loop_view_collect_awaits,
    { { "id", LOOP_COLUMN_ID }, { "waiter", LOOP_COLUMN_NUMBER, 0 }, { "future", LOOP_COLUMN_NUMBER, 1 } } },
  { "executors",
    loop_view_collect_executors,
    { { "id", LOOP_COLUMN_ID },
      { "kind", LOOP_COLUMN_KIND },
      { "name", LOOP_COLUMN_NAME },
      { "max_workers", LOOP_COLUMN_NUMBER, 0 },
      { "workers", LOOP_COLUMN_NUMBER, 1 },
      { "idle", LOOP_COLUMN_NUMBER, 2 },
      { "queued", LOOP_COLUMN_NUMBER, 3 },
      { "submitted", LOOP_COLUMN_NUMBER, 4 },
      { "done", LOOP_COLUMN_NUMBER, 5 } } },
  { "workers",
    loop_view_collect_workers,
    { { "id", LOOP_COLUMN_ID },
      { "executor", LOOP_COLUMN_LINK, 0 },
      { "pid", LOOP_COLUMN_LINK, 1 },
      { "state", LOOP_COLUMN_STATE },
      { "job", LOOP_COLUMN_LINK, 2 },
      { "seconds", LOOP_COLUMN_SINCE } } },
  { "jobs",
    loop_view_collect_jobs,
    { { "id", LOOP_COLUMN_ID },
      { "state", LOOP_COLUMN_STATE },
      { "executor", LOOP_COLUMN_LINK, 0 },
      { "awaited", LOOP_COLUMN_FLAG },
      { "function", LOOP_COLUMN_NAME },
      { "created", LOOP_COLUMN_CREATED },
      { "age", LOOP_COLUMN_AGE } } },
  { "lookups",
    loop_view_collect_lookups,
    { { "id", LOOP_COLUMN_ID },
      { "kind", LOOP_COLUMN_KIND },
      { "state", LOOP_COLUMN_STATE },
      { "awaited", LOOP_COLUMN_FLAG },
      { "host", LOOP_COLUMN_NAME },
      { "service", LOOP_COLUMN_NAME, 1 },
      { "age", LOOP_COLUMN_SINCE },
      { "created", LOOP_COLUMN_CREATED } } },
  { "subprocesses",
    loop_view_collect_subprocesses,
    { { "id", LOOP_COLUMN_ID },
      { "pid", LOOP_COLUMN_NUMBER, 0 },
      { "state", LOOP_COLUMN_STATE },
      { "returncode", LOOP_COLUMN_RETURNCODE, 1 },
      { "program", LOOP_COLUMN_NAME },
      { "stdin", LOOP_COLUMN_LINK, 2 },
      { "stdout", LOOP_COLUMN_LINK, 3 },
      { "stderr", LOOP_COLUMN_LINK, 4 },
      { "age", LOOP_COLUMN_SINCE },
      { "created", LOOP_COLUMN_CREATED } } },
  { "signals",
    loop_view_collect_signals,
    { { "id", LOOP_COLUMN_ID },
      { "signal", LOOP_COLUMN_NAME },
      { "number", LOOP_COLUMN_NUMBER, 0 },
      { "pending", LOOP_COLUMN_NUMBER, 1 },
      { "caught", LOOP_COLUMN_NUMBER, 2 },
      { "callback", LOOP_COLUMN_NAME, 1 } } },
};

const LoopView *
loop_view_find (const char *kind)
{
  for (guint i = 0; i < G_N_ELEMENTS (views); i++)
    {
      if (g_str_equal (views[i].kind, kind))
        return &views[i];
    }

  return NULL;
}

static const LoopColumn *
find_column (const LoopView *self, const char *name)
{
  for (const LoopColumn *column = self->columns; column->name != NULL; column++)
    {
      if (g_str_equal (column->name, name))
        return column;
    }

  return NULL;
}

static gboolean
is_sortable (const LoopColumn *column)
{
  switch (column->type)
    {
    case LOOP_COLUMN_ID:
    case LOOP_COLUMN_WHEN:
    case LOOP_COLUMN_IN:
    case LOOP_COLUMN_SINCE:
    case LOOP_COLUMN_FD:
    case LOOP_COLUMN_NUMBER:
      return TRUE;
    default:
      return FALSE;
    }
}

gboolean
loop_view_set_sort (const LoopView *self, LoopRowPage *page, const char *sort, GError **error)
{
  page->is_descending = *sort == '-';
  page->sort = find_column (self, *sort == '\0' ? "id" : sort + page->is_descending);

  if (page->sort != NULL && is_sortable (page->sort))
    return TRUE;

  g_set_error (error, LOOP_INSPECTOR_ERROR, LOOP_INSPECTOR_ERROR_INVALID_ARGUMENT,
               "%s cannot be sorted by “%s”: there is no such column of numbers", self->kind,
               sort + page->is_descending);

  return FALSE;
}

gboolean
loop_view_check_filter (const LoopView *self, GVariant *filter, GError **error)
{
  GVariantIter iter;
  const char *name;

  g_variant_iter_init (&iter, filter);
  while (g_variant_iter_next (&iter, "{&sv}", &name, NULL))
    {
      if (find_column (self, name) == NULL)
        {
          g_set_error (error, LOOP_INSPECTOR_ERROR, LOOP_INSPECTOR_ERROR_INVALID_ARGUMENT, "%s have no column “%s”",
                       self->kind, name);
          return FALSE;
        }
    }

  return TRUE;
}

/* Of which an interpreter has some as well. */
gboolean
loop_view_has_foreign_rows (const LoopView *self)
{
  static const char *const kinds[] = { "tasks", "futures", "awaits", NULL };

  return g_strv_contains (kinds, self->kind);
}

static void
parse_foreign_value (LoopForeignRow *row, const LoopColumn *column, GVariant *value)
{
  gboolean is_number = g_variant_is_of_type (value, G_VARIANT_TYPE_UINT64);

  if (!is_number && !g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    return;

  switch (column->type)
    {
    case LOOP_COLUMN_ID:
      row->id = is_number ? g_variant_get_uint64 (value) : 0;
      break;
    case LOOP_COLUMN_LINK:
    case LOOP_COLUMN_NUMBER:
      row->numbers[column->index] = is_number ? g_variant_get_uint64 (value) : 0;
      break;
    case LOOP_COLUMN_STATE:
      row->state = is_number ? row->state : g_variant_get_string (value, NULL);
      break;
    case LOOP_COLUMN_NAME:
      row->names[column->index] = is_number ? NULL : g_variant_get_string (value, NULL);
      break;
    case LOOP_COLUMN_CREATED:
      row->created = is_number ? NULL : g_variant_get_string (value, NULL);
      break;
    default:
      break;
    }
}

/*
 * Before the hold, during which nothing is allocated. The strings are those of @rows, an array
 * of dictionaries, which has to be kept for as long.
 */
GArray *
loop_view_parse_foreign_rows (const LoopView *self, GVariant *rows)
{
  GArray *parsed = g_array_new (FALSE, TRUE, sizeof (LoopForeignRow));
  gsize n = g_variant_n_children (rows);

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) dict = g_variant_get_child_value (rows, i);
      LoopForeignRow row = { .state = "" };

      for (const LoopColumn *column = self->columns; column->name != NULL; column++)
        {
          g_autoptr (GVariant) value = g_variant_lookup_value (dict, column->name, NULL);

          if (value != NULL)
            parse_foreign_value (&row, column, value);
        }
      g_array_append_val (parsed, row);
    }

  return parsed;
}

static void
offer_foreign_row (LoopRowPage *page, const LoopForeignRow *foreign)
{
  LoopRow row = { .id = foreign->id, .state = foreign->state, .created = foreign->created, .fd = -1 };

  if (loop_row_page_skips (page, foreign->id))
    return;

  for (guint i = 0; i < LOOP_ROW_N_NAMES; i++)
    row.names[i].name = foreign->names[i];
  memcpy (row.numbers, foreign->numbers, sizeof row.numbers);
  loop_row_page_offer (page, &row);
}

/* Under a hold. */
void
loop_view_collect (const LoopView *self, LoopEventLoop *loop, LoopRowPage *page)
{
  page->n_rows = 0;
  page->greatest_id = 0;
  page->now = loop_clock_now ();
  self->collect (loop, page);
  for (guint i = 0; page->foreign != NULL && i < page->foreign->len; i++)
    offer_foreign_row (page, &g_array_index (page->foreign, LoopForeignRow, i));
  for (guint i = 0; self->complete != NULL && i < page->n_rows; i++)
    self->complete (&page->rows[i]);
  if (page->last_id == 0)
    page->last_id = page->greatest_id;
}

/* Returns: (transfer floating): the row as a dictionary */
GVariant *
loop_view_row_to_variant (const LoopView *self, const LoopRow *row, const LoopRowPage *page)
{
  return loop_row_to_variant (row, self->columns, page);
}
