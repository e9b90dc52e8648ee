/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "table.h"

#include "text.h"
#include "value.h"

#include <glib/gi18n.h>
#include <string.h>

#define GAP 2
#define MIN_WIDTH 6

/* Text that has less is not worth to be shown in the last columns. */
#define USEFUL_WIDTH 8

/* Text up to this, such as an address, is not cut for the sake of columns behind it: of 80 columns, 24. */
#define WHOLE_WIDTH(terminal) ((terminal) *3 / 10)

/*
 * Rows are dictionaries, as they come from the wire. Columns that the table did not expect, because
 * the other side is newer, are shown behind those that it did.
 */
struct _CtlTable
{
  GPtrArray *names; /* of columns */
  GPtrArray *rows;  /* of GVariant */
};

typedef struct
{
  int width;
  CtlAlign align;
} Layout;

CtlTable *
ctl_table_new (const char *const *columns)
{
  CtlTable *self = g_new0 (CtlTable, 1);

  self->names = g_ptr_array_new_with_free_func (g_free);
  self->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  for (; columns != NULL && *columns != NULL; columns++)
    g_ptr_array_add (self->names, g_strdup (*columns));

  return self;
}

void
ctl_table_free (CtlTable *self)
{
  g_ptr_array_unref (self->names);
  g_ptr_array_unref (self->rows);
  g_free (self);
}

/* Keys are the other side's, and go to the terminal as they are. */
static gboolean
is_column_name (const char *name)
{
  return *name != '\0' && name[strspn (name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

void
ctl_table_add (CtlTable *self, GVariant *row)
{
  GVariantIter iter;
  const char *name;

  g_ptr_array_add (self->rows, g_variant_ref_sink (row));

  g_variant_iter_init (&iter, row);
  while (g_variant_iter_next (&iter, "{&sv}", &name, NULL))
    {
      if (is_column_name (name) && !g_ptr_array_find_with_equal_func (self->names, name, g_str_equal, NULL))
        g_ptr_array_add (self->names, g_strdup (name));
    }
}

void
ctl_table_add_all (CtlTable *self, GVariant *rows)
{
  gsize n = g_variant_n_children (rows);

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);

      ctl_table_add (self, row);
    }
}

guint
ctl_table_get_n_rows (CtlTable *self)
{
  return self->rows->len;
}

static char *
get_cell (CtlTable *self, guint row, guint column, CtlValueStyle style)
{
  g_autoptr (GVariant) value =
      g_variant_lookup_value (g_ptr_array_index (self->rows, row), g_ptr_array_index (self->names, column), NULL);

  return ctl_value_to_text (value, style);
}

static void
print_tsv (CtlTable *self, GString *out)
{
  for (guint column = 0; column < self->names->len; column++)
    g_string_append_printf (out, "%s%s", column > 0 ? "\t" : "", (char *) g_ptr_array_index (self->names, column));
  g_string_append_c (out, '\n');

  for (guint row = 0; row < self->rows->len; row++)
    {
      for (guint column = 0; column < self->names->len; column++)
        {
          g_autofree char *cell = get_cell (self, row, column, CTL_VALUE_EXACT);

          g_string_append_printf (out, "%s%s", column > 0 ? "\t" : "", cell);
        }
      g_string_append_c (out, '\n');
    }
}

/* Takes some of what is too much from the widest columns of text, down to @least. Returns: what is left of it */
static int
shorten (Layout *layouts, guint n, int least, int excess)
{
  for (; excess > 0; excess--)
    {
      Layout *widest = NULL;

      for (guint column = 0; column < n; column++)
        {
          if (layouts[column].align == CTL_ALIGN_LEFT && (widest == NULL || layouts[column].width >= widest->width))
            widest = &layouts[column];
        }

      if (widest == NULL || widest->width <= least)
        break;
      widest->width--;
    }

  return excess;
}

/* Ids and numbers stay whole, and text that is short if that is possible. */
static void
fit (Layout *layouts, guint n, int width)
{
  int excess = GAP * ((int) n - 1) - width;

  for (guint column = 0; column < n; column++)
    excess += layouts[column].width;

  excess = shorten (layouts, n, WHOLE_WIDTH (width), excess);
  excess = shorten (layouts + n - 1, 1, USEFUL_WIDTH, excess);
  shorten (layouts, n, MIN_WIDTH, excess);
}

/* Returns: how many columns have a place beside each other, with text shortened but still of use */
static guint
count_fitting (const Layout *layouts, guint n, int width)
{
  int total = 0;

  for (guint column = 0; column < n; column++)
    {
      gboolean is_text = layouts[column].align == CTL_ALIGN_LEFT;
      int whole = layouts[column].width;

      if (total + (is_text ? MIN (whole, USEFUL_WIDTH) : whole) > width)
        return MAX (column, 1);
      total += GAP + (is_text ? MIN (whole, WHOLE_WIDTH (width)) : whole);
    }

  return n;
}

/* Of the columns that there is room for. */
static GArray *
lay_out (CtlTable *self, GPtrArray *cells, int width)
{
  GArray *layouts = g_array_new (FALSE, TRUE, sizeof (Layout));
  guint n = self->names->len;

  g_array_set_size (layouts, n);
  for (guint column = 0; column < n; column++)
    {
      Layout *layout = &g_array_index (layouts, Layout, column);

      layout->width = ctl_text_get_width (g_ptr_array_index (self->names, column));
      for (guint row = 0; row < self->rows->len; row++)
        {
          g_autoptr (GVariant) value = g_variant_lookup_value (g_ptr_array_index (self->rows, row),
                                                               g_ptr_array_index (self->names, column), NULL);

          layout->width = MAX (layout->width, ctl_text_get_width (g_ptr_array_index (cells, row * n + column)));
          if (value != NULL && ctl_value_is_number (value))
            layout->align = CTL_ALIGN_RIGHT;
        }
    }
  g_array_set_size (layouts, count_fitting ((Layout *) layouts->data, n, width));
  fit ((Layout *) layouts->data, layouts->len, width);

  return layouts;
}

/* Appends a line that @cells make, no wider than the terminal even if the table is. */
static void
append_line (GString *out, gpointer *cells, const Layout *layouts, guint n, int width)
{
  g_autoptr (GString) line = g_string_new (NULL);

  for (guint column = 0; column < n; column++)
    {
      if (column > 0)
        g_string_append_printf (line, "%*s", GAP, "");
      ctl_text_append_fitted (line, cells[column], layouts[column].width, layouts[column].align);
    }

  g_strchomp (line->str);
  line->len = strlen (line->str);
  ctl_text_append_fitted (out, line->str, MIN (width, ctl_text_get_width (line->str)), CTL_ALIGN_LEFT);
}

/* What no row has would only take room. */
static void
drop_empty_columns (CtlTable *self)
{
  for (guint column = 0; column < self->names->len;)
    {
      gboolean is_used = self->rows->len == 0;

      for (guint row = 0; row < self->rows->len && !is_used; row++)
        {
          g_autoptr (GVariant) value = g_variant_lookup_value (g_ptr_array_index (self->rows, row),
                                                               g_ptr_array_index (self->names, column), NULL);

          is_used = value != NULL;
        }

      if (is_used)
        column++;
      else
        g_ptr_array_remove_index (self->names, column);
    }
}

static void
print_aligned (CtlTable *self, CtlOutput *output)
{
  guint n;
  g_autoptr (GPtrArray) cells = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GArray) layouts = NULL;
  g_autoptr (GString) heading = g_string_new (NULL);

  drop_empty_columns (self);
  n = self->names->len;
  for (guint row = 0; row < self->rows->len; row++)
    {
      for (guint column = 0; column < n; column++)
        g_ptr_array_add (cells, get_cell (self, row, column, CTL_VALUE_BRIEF));
    }

  layouts = lay_out (self, cells, output->width);
  append_line (heading, self->names->pdata, (const Layout *) layouts->data, layouts->len, output->width);
  ctl_output_styled (output, CTL_STYLE_HEADING, heading->str);
  g_string_append_c (output->text, '\n');

  for (guint row = 0; row < self->rows->len; row++)
    {
      append_line (output->text, cells->pdata + row * n, (const Layout *) layouts->data, layouts->len, output->width);
      g_string_append_c (output->text, '\n');
    }

  if (layouts->len < n)
    {
      g_autofree char *hidden = NULL;
      g_autofree char *text = NULL;

      g_ptr_array_add (self->names, NULL);
      hidden = g_strjoinv (", ", (char **) self->names->pdata + layouts->len);
      text = g_strdup_printf (_ ("for lack of room without the columns %s"), hidden);
      ctl_text_append_wrapped (output->text, text, output->width, 0);
    }
}

void
ctl_table_print (CtlTable *self, CtlOutput *output)
{
  if (ctl_output_is_tsv (output))
    print_tsv (self, output->text);
  else
    print_aligned (self, output);
}

void
ctl_record_print (GVariant *record, CtlOutput *output)
{
  gboolean is_tsv = ctl_output_is_tsv (output);
  gsize n = g_variant_n_children (record);
  int width = 0;

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) entry = g_variant_get_child_value (record, i);
      const char *name;

      g_variant_get (entry, "{&sv}", &name, NULL);
      width = MAX (width, ctl_text_get_width (name));
    }

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) entry = g_variant_get_child_value (record, i);
      g_autoptr (GVariant) value = NULL;
      g_autofree char *text = NULL;
      const char *name;

      g_variant_get (entry, "{&sv}", &name, &value);
      if (!is_column_name (name))
        continue;
      text = ctl_value_to_text (value, is_tsv ? CTL_VALUE_EXACT : CTL_VALUE_TIME);

      if (is_tsv)
        {
          ctl_output_printf (output, "%s\t%s\n", name, text);
        }
      else
        {
          g_autoptr (GString) label = g_string_new (NULL);

          ctl_text_append_fitted (label, name, width + GAP, CTL_ALIGN_LEFT);
          ctl_output_styled (output, CTL_STYLE_HEADING, label->str);
          ctl_output_printf (output, "%s\n", text);
        }
    }
}
