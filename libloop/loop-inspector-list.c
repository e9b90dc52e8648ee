/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-inspector-interpreter-private.h"
#include "loop-inspector-private.h"

#include <string.h>

/* The method List: pages of a view, filtered. */

typedef struct
{
  const LoopView *view;
  LoopRowPage page;
  LoopStateSnapshot state;
  GVariant *foreign;
  GError *foreign_error; /* why there is none of that; or NULL */
} ListRequest;

static void
list_request_free (ListRequest *self)
{
  g_clear_pointer (&self->page.foreign, g_array_unref);
  g_clear_pointer (&self->foreign, g_variant_unref);
  g_clear_error (&self->foreign_error);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ListRequest, list_request_free)

static void
collect_page (LoopEventLoop *loop, gpointer user_data)
{
  ListRequest *request = user_data;

  loop_state_snapshot_take (&request->state, loop);
  loop_view_collect (request->view, loop, &request->page);
}

/* Whether the row has the values that the filter asks for; strings are globs. */
static gboolean
matches (GVariant *row, GVariant *filter)
{
  GVariantIter iter;
  const char *name;
  GVariant *wanted;

  g_variant_iter_init (&iter, filter);
  while (g_variant_iter_loop (&iter, "{&sv}", &name, &wanted))
    {
      g_autoptr (GVariant) value = g_variant_lookup_value (row, name, NULL);
      g_autofree char *value_text = NULL;
      g_autofree char *wanted_text = NULL;

      if (value != NULL)
        value_text = g_variant_is_of_type (value, G_VARIANT_TYPE_STRING) ? g_variant_dup_string (value, NULL)
                                                                         : g_variant_print (value, FALSE);
      wanted_text = g_variant_is_of_type (wanted, G_VARIANT_TYPE_STRING) ? g_variant_dup_string (wanted, NULL)
                                                                         : g_variant_print (wanted, FALSE);

      if (value_text == NULL || !g_pattern_match_simple (wanted_text, value_text))
        {
          g_variant_unref (wanted);
          return FALSE;
        }
    }

  return TRUE;
}

static gboolean
parse_cursor (LoopRowPage *page, const char *cursor, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (cursor, ":", 3);

  if (*cursor == '\0')
    return TRUE;

  page->has_after = TRUE;
  if (g_strv_length (parts) == 3 &&
      g_ascii_string_to_signed (parts[0], 10, G_MININT64, G_MAXINT64, &page->after_key, NULL) &&
      g_ascii_string_to_unsigned (parts[1], 10, 0, G_MAXUINT64, &page->after_id, NULL) &&
      g_ascii_string_to_unsigned (parts[2], 10, 1, G_MAXUINT64, &page->last_id, NULL))
    return TRUE;

  g_set_error (error, LOOP_INSPECTOR_ERROR, LOOP_INSPECTOR_ERROR_INVALID_ARGUMENT, "“%s” is not a cursor", cursor);

  return FALSE;
}

static guint64
get_wanted_id (GVariant *filter)
{
  g_autoptr (GVariant) value = g_variant_lookup_value (filter, "id", NULL);
  guint64 id = 0;

  if (value != NULL && g_variant_is_of_type (value, G_VARIANT_TYPE_UINT64))
    return g_variant_get_uint64 (value);
  if (value != NULL && g_variant_is_of_type (value, G_VARIANT_TYPE_STRING))
    g_ascii_string_to_unsigned (g_variant_get_string (value, NULL), 10, 1, G_MAXUINT64, &id, NULL);

  return id;
}

/* Returns: (nullable): the state that all rows are to have, unless it is a glob */
static const char *
get_wanted_state (GVariant *filter)
{
  const char *state;

  if (!g_variant_lookup (filter, "state", "&s", &state) || strpbrk (state, "*?") != NULL)
    return NULL;

  return state;
}

/* What an interpreter has to show in the view. That it does not answer is no reason to show nothing. */
static void
add_foreign_rows (ListRequest *self, guint64 loop_id, const char *kind)
{
  if (!loop_view_has_foreign_rows (self->view))
    return;

  self->foreign = loop_inspector_list_of_interpreter (loop_id, kind, !self->page.has_after, &self->foreign_error);
  if (self->foreign != NULL)
    self->page.foreign = loop_view_parse_foreign_rows (self->view, self->foreign);
}

static GVariant *
state_to_variant (ListRequest *self)
{
  g_autoptr (GVariant) state = g_variant_ref_sink (loop_state_snapshot_to_variant (&self->state));
  GVariantDict dict;

  g_variant_dict_init (&dict, state);
  if (self->foreign_error != NULL)
    g_variant_dict_insert (&dict, "interpreter", "s", self->foreign_error->message);

  return g_variant_dict_end (&dict);
}

/*
 * Reads pages under a hold each, until enough rows match the filter or there are no
 * more. What was read before the first of them is not looked at again.
 */
GVariant *
loop_inspector_list (guint64 loop_id, GVariant *parameters, GError **error)
{
  g_autoptr (ListRequest) request = g_new0 (ListRequest, 1);
  g_autoptr (GVariant) filter = NULL;
  g_autofree char *next = NULL;
  GVariantBuilder rows;
  const char *kind;
  const char *sort;
  const char *cursor;
  guint32 limit;
  guint n_rows = 0;
  gboolean has_more;

  g_variant_get (parameters, "(&s@a{sv}&s&su)", &kind, &filter, &sort, &cursor, &limit);

  request->view = loop_view_find (kind);
  if (request->view == NULL)
    {
      g_set_error (error, LOOP_INSPECTOR_ERROR, LOOP_INSPECTOR_ERROR_INVALID_ARGUMENT, "There is no view “%s”", kind);
      return NULL;
    }

  if (!loop_view_set_sort (request->view, &request->page, sort, error) ||
      !loop_view_check_filter (request->view, filter, error) || !parse_cursor (&request->page, cursor, error))
    return NULL;

  if (limit == 0 || limit > LOOP_INSPECTOR_MAX_ROWS)
    limit = LOOP_INSPECTOR_MAX_ROWS;

  /* Filters by id or state, which are what looks up and completes, need not go through pages of what nobody wants. */
  request->page.only_id = get_wanted_id (filter);
  request->page.only_state = get_wanted_state (filter);

  /* One more than is wanted, to know whether it was the last page. */
  request->page.limit = 1 + (g_variant_n_children (filter) > 0 ? LOOP_INSPECTOR_MAX_ROWS : limit);

  add_foreign_rows (request, loop_id, kind);
  g_variant_builder_init (&rows, G_VARIANT_TYPE ("aa{sv}"));

  do
    {
      LoopRowPage *page = &request->page;
      guint i;

      if (!loop_inspector_with_loop (loop_id, collect_page, request, error))
        {
          g_variant_builder_clear (&rows);
          return NULL;
        }

      /* The hold is over: what is known elsewhere of an object may be looked up by its id from here on. */
      loop_row_page_sort (page);
      for (i = 0; i < page->n_rows && n_rows < limit; i++)
        {
          const LoopRow *source = loop_row_page_get (page, i);
          g_autoptr (GVariant) row = g_variant_ref_sink (loop_view_row_to_variant (request->view, source, page));

          page->has_after = TRUE;
          page->after_key = source->key;
          page->after_id = source->id;
          if (matches (row, filter))
            {
              g_variant_builder_add_value (&rows, row);
              n_rows++;
            }
        }

      has_more = i < page->n_rows || page->n_rows == page->limit;
    }
  while (n_rows < limit && has_more);

  next = !has_more ? g_strdup ("")
                   : g_strdup_printf ("%" G_GINT64_FORMAT ":%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT,
                                      request->page.after_key, request->page.after_id, request->page.last_id);

  return g_variant_new ("(aa{sv}st@a{sv})", &rows, next, request->state.generation, state_to_variant (request));
}
