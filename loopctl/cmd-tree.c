/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "commands.h"
#include "error.h"
#include "table.h"
#include "text.h"
#include "value.h"
#include "view.h"
#include "words.h"

#include <glib/gi18n.h>
#include <inttypes.h>

/* tree: who waits for whom, from those for whom nobody does downwards. */

/* How often it is read anew when the loop has gone on meanwhile. */
#define MAX_TRIES 3

/* What is deeper is not indented any more. */
#define MAX_INDENT 12

/* A future. It is open while what it waits for is being shown: who is met again there waits for itself. */
typedef struct
{
  guint64 id;
  GVariant *row;
  gboolean is_task;
  GPtrArray *children; /* of Node: what it waits for */
  guint n_waiters;
  enum
  {
    UNSEEN,
    OPEN,
    SEEN,
  } state;
} Node;

typedef struct
{
  Node *node;
  guint next_child;
} Frame;

typedef struct
{
  CtlView tasks;
  CtlView futures;
  CtlView awaits;
  GHashTable *nodes; /* of Node, by id */
  GPtrArray *order;  /* the same by age, tasks first */
  GArray *path;      /* of Frame: from a root to what is being shown */
  GPtrArray *rows;   /* of GVariant: what is shown, in this order */
  GPtrArray *cycles; /* of GVariant */
  GString *text;
  CtlOutput *output;
} Tree;

static void
node_free (gpointer data)
{
  Node *self = data;

  g_ptr_array_unref (self->children);
  g_free (self);
}

static void
tree_clear (Tree *self)
{
  ctl_view_clear (&self->tasks);
  ctl_view_clear (&self->futures);
  ctl_view_clear (&self->awaits);
  g_clear_pointer (&self->nodes, g_hash_table_unref);
  g_clear_pointer (&self->order, g_ptr_array_unref);
  g_clear_pointer (&self->path, g_array_unref);
  g_clear_pointer (&self->rows, g_ptr_array_unref);
  g_clear_pointer (&self->cycles, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Tree, tree_clear)

/* --- Reading ---------------------------------------------------------------------------------- */

static gboolean
fetch (Tree *self, CtlSession *session, GError **error)
{
  static const char *const words[] = { "--all", NULL };
  g_autoptr (CtlArguments) all = ctl_arguments_parse ((char **) words, CTL_ARGUMENTS_VIEW, error);

  return all != NULL && ctl_view_fetch (&self->tasks, session, "tasks", all, error) &&
         ctl_view_fetch (&self->futures, session, "futures", all, error) &&
         ctl_view_fetch (&self->awaits, session, "awaits", all, error);
}

static gboolean
is_of_one_moment (CtlView *a, CtlView *b)
{
  return !a->has_changed && !b->has_changed && a->generation == b->generation && a->handle == b->handle;
}

/* Whether all was read at one moment, or while one callback ran. */
static gboolean
is_exact (Tree *self)
{
  return is_of_one_moment (&self->tasks, &self->futures) && is_of_one_moment (&self->futures, &self->awaits);
}

static void
add_nodes (Tree *self, CtlView *view, gboolean is_task)
{
  for (guint i = 0; i < view->rows->len; i++)
    {
      Node *node = g_new0 (Node, 1);

      node->row = g_ptr_array_index (view->rows, i);
      node->id = ctl_value_get_id (node->row, "id");
      node->is_task = is_task;
      node->children = g_ptr_array_new ();
      g_ptr_array_add (self->order, node);
      g_hash_table_insert (self->nodes, &node->id, node);
    }
}

static gboolean
is_pending (Node *node)
{
  const char *state = ctl_value_get_string (node->row, "state");

  return g_strcmp0 (state, "finished") != 0 && g_strcmp0 (state, "cancelled") != 0;
}

/*
 * Those of which one end has come or gone between two pages are left out, and those of who is done, as is a gather that
 * failed: it does not wait any more, but looks at what becomes of the others.
 */
static void
add_edges (Tree *self)
{
  for (guint i = 0; i < self->awaits.rows->len; i++)
    {
      GVariant *row = g_ptr_array_index (self->awaits.rows, i);
      guint64 waiter_id = ctl_value_get_id (row, "waiter");
      guint64 future_id = ctl_value_get_id (row, "future");
      Node *waiter = g_hash_table_lookup (self->nodes, &waiter_id);
      Node *future = g_hash_table_lookup (self->nodes, &future_id);

      if (waiter == NULL || future == NULL || !is_pending (waiter))
        continue;

      g_ptr_array_add (waiter->children, future);
      future->n_waiters++;
    }
}

static void
build (Tree *self)
{
  self->order = g_ptr_array_new ();
  self->nodes = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, node_free);
  self->path = g_array_new (FALSE, FALSE, sizeof (Frame));
  self->rows = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  self->cycles = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);

  add_nodes (self, &self->tasks, TRUE);
  add_nodes (self, &self->futures, FALSE);
  add_edges (self);
}

/* --- Showing ---------------------------------------------------------------------------------- */

static Frame *
get_frame (Tree *self, guint depth)
{
  return &g_array_index (self->path, Frame, depth);
}

static GVariant *
make_row (Tree *self, Node *node, const char *mark)
{
  static const char *const copied[] = { "name", "state", "coroutine" };
  guint depth = self->path->len;
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&builder, "{sv}", "depth", g_variant_new_uint64 (depth));
  g_variant_builder_add (&builder, "{sv}", "id", g_variant_new_uint64 (node->id));
  if (depth > 0)
    g_variant_builder_add (&builder, "{sv}", "parent", g_variant_new_uint64 (get_frame (self, depth - 1)->node->id));
  g_variant_builder_add (&builder, "{sv}", "kind", g_variant_new_string (node->is_task ? "task" : "future"));
  for (guint i = 0; i < G_N_ELEMENTS (copied); i++)
    {
      const char *text = ctl_value_get_string (node->row, copied[i]);

      if (text != NULL)
        g_variant_builder_add (&builder, "{sv}", copied[i], g_variant_new_string (text));
    }
  if (mark != NULL)
    g_variant_builder_add (&builder, "{sv}", "mark", g_variant_new_string (mark));

  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

/* The lines that lead to what those before it wait for. */
static void
append_indent (Tree *self)
{
  guint depth = self->path->len;
  guint first = depth > MAX_INDENT ? depth - MAX_INDENT : 0;

  if (first > 0)
    g_string_append_printf (self->output->text, "[%u] ", first);

  for (guint i = first; i < depth; i++)
    {
      gboolean is_last = get_frame (self, i)->next_child == get_frame (self, i)->node->children->len;

      if (i + 1 == depth)
        g_string_append (self->output->text, is_last ? "└── " : "├── ");
      else
        g_string_append (self->output->text, is_last ? "    " : "│   ");
    }
}

/* A task that nobody has named is better known by its coroutine. */
static void
append_task (GString *text, GVariant *row)
{
  const char *name = ctl_value_get_string (row, "name");
  const char *coroutine = ctl_value_get_string (row, "coroutine");

  g_string_append (text, name != NULL ? name : "");
  if (coroutine != NULL && name != NULL && g_str_has_prefix (name, "Task-"))
    g_string_append_printf (text, " (%s)", coroutine);
  g_string_append_printf (text, ", %s", ctl_value_get_string (row, "state"));
}

static void
append_line (Tree *self, Node *node, const char *mark)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autofree char *escaped = NULL;
  const char *name = ctl_value_get_string (node->row, "name");

  g_string_append_printf (text, "#%" G_GUINT64_FORMAT " ", node->id);
  if (node->is_task)
    append_task (text, node->row);
  else
    g_string_append (text, name != NULL && *name != '\0' ? name : "future");
  escaped = ctl_text_escape (text->str, CTL_ESCAPE_CONTROLS);

  append_indent (self);
  g_string_append (self->output->text, escaped);
  if (g_strcmp0 (mark, "cycle") == 0)
    {
      g_string_append_c (self->output->text, ' ');
      ctl_output_styled (self->output, CTL_STYLE_ERROR, _ ("(cycle)"));
    }
  else if (mark != NULL)
    {
      g_string_append_printf (self->output->text, " %s", _ ("(see above)"));
    }
  g_string_append_c (self->output->text, '\n');
}

static void
show (Tree *self, Node *node, const char *mark)
{
  g_ptr_array_add (self->rows, make_row (self, node, mark));
  if (self->output->is_terminal && !ctl_output_is_json (self->output))
    append_line (self, node, mark);
}

/* From @node down the path to where it is met again. */
static void
add_cycle (Tree *self, Node *node)
{
  GVariantBuilder builder;
  guint i = self->path->len;

  while (i > 0 && get_frame (self, i - 1)->node != node)
    i--;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("at"));
  for (i--; i < self->path->len; i++)
    g_variant_builder_add (&builder, "t", get_frame (self, i)->node->id);
  g_variant_builder_add (&builder, "t", node->id);
  g_ptr_array_add (self->cycles, g_variant_ref_sink (g_variant_builder_end (&builder)));
}

static void
enter (Tree *self, Node *node)
{
  Frame frame = { .node = node };

  if (node->state == OPEN)
    {
      show (self, node, "cycle");
      add_cycle (self, node);
      return;
    }

  if (node->state == SEEN && node->children->len > 0)
    {
      show (self, node, "again");
      return;
    }

  show (self, node, NULL);
  node->state = OPEN;
  g_array_append_val (self->path, frame);
}

/* Without recursion: it may be as deep as there are tasks. */
static void
walk (Tree *self, Node *root)
{
  enter (self, root);

  while (self->path->len > 0)
    {
      Frame *frame = get_frame (self, self->path->len - 1);

      if (frame->next_child < frame->node->children->len)
        {
          enter (self, g_ptr_array_index (frame->node->children, frame->next_child++));
        }
      else
        {
          frame->node->state = SEEN;
          g_array_set_size (self->path, self->path->len - 1);
        }
    }
}

static void
walk_all (Tree *self)
{
  for (int pass = 0; pass < 2; pass++)
    {
      for (guint i = 0; i < self->order->len; i++)
        {
          Node *node = g_ptr_array_index (self->order, i);
          gboolean is_of_interest = node->children->len > 0 || (node->is_task && is_pending (node));

          /* What is left then is waited for in a circle, and has no beginning. */
          if (node->state == UNSEEN && is_of_interest && (node->n_waiters == 0 || pass > 0))
            walk (self, node);
        }
    }
}

static gboolean
walk_from (Tree *self, const char *word, GError **error)
{
  guint64 id;
  Node *node;

  if (!ctl_words_parse_id (word, &id, error))
    return FALSE;

  node = g_hash_table_lookup (self->nodes, &id);
  if (node == NULL)
    {
      g_autofree char *message = g_strdup_printf (_ ("There is no task or future %" PRIu64), id);

      g_propagate_error (error, g_dbus_error_new_for_dbus_error ("org.libloop.Error.NotFound", message));
      return FALSE;
    }

  walk (self, node);

  return TRUE;
}

static void
print_cycles (Tree *self)
{
  for (guint i = 0; i < self->cycles->len; i++)
    {
      g_autoptr (GString) text = g_string_new (_ ("cycle:"));
      GVariantIter iter;
      guint64 id;
      gboolean is_first = TRUE;

      g_variant_iter_init (&iter, g_ptr_array_index (self->cycles, i));
      while (g_variant_iter_next (&iter, "t", &id))
        {
          g_string_append_printf (text, "%s #%" G_GUINT64_FORMAT, is_first ? "" : " →", id);
          is_first = FALSE;
        }
      ctl_output_notice (self->output, CTL_STYLE_ERROR, "%s", text->str);
    }
}

static void
print_tsv (Tree *self)
{
  static const char *const columns[] = { "depth", "id", "parent", "kind", "state", "name", "coroutine", "mark", NULL };
  g_autoptr (CtlTable) table = ctl_table_new (columns);

  for (guint i = 0; i < self->rows->len; i++)
    ctl_table_add (table, g_ptr_array_index (self->rows, i));
  ctl_table_print (table, self->output);
}

static void
print_json (Tree *self)
{
  GVariantBuilder reply;

  g_variant_builder_init (&reply, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&reply, "{sv}", "loop", self->awaits.state);
  g_variant_builder_add (&reply, "{sv}", "exact", g_variant_new_boolean (is_exact (self)));
  g_variant_builder_add (
      &reply, "{sv}", "rows",
      g_variant_new_array (G_VARIANT_TYPE_VARDICT, (GVariant *const *) self->rows->pdata, self->rows->len));
  g_variant_builder_add (
      &reply, "{sv}", "cycles",
      g_variant_new_array (G_VARIANT_TYPE ("at"), (GVariant *const *) self->cycles->pdata, self->cycles->len));
  ctl_output_json (self->output, g_variant_builder_end (&reply));
}

gboolean
ctl_run_tree (CtlSession *session, const CtlCommand *command, CtlArguments *arguments, GError **error)
{
  g_auto (Tree) tree = { .output = session->output };
  CtlOutput *output = session->output;

  for (int i = 0; i < MAX_TRIES && (i == 0 || !is_exact (&tree)); i++)
    {
      tree_clear (&tree);
      tree = (Tree) { .output = output };
      if (!fetch (&tree, session, error))
        return FALSE;
    }

  build (&tree);
  if (!ctl_output_is_json (output))
    ctl_session_show_state (session, tree.awaits.state);
  if (arguments->n_words == 0)
    walk_all (&tree);
  else if (!walk_from (&tree, ctl_arguments_get (arguments, 0), error))
    return FALSE;

  if (ctl_output_is_json (output))
    {
      print_json (&tree);
      return TRUE;
    }

  if (ctl_output_is_tsv (output))
    print_tsv (&tree);
  else if (tree.rows->len == 0)
    ctl_output_printf (output, "%s\n", _ ("none"));
  print_cycles (&tree);
  if (!is_exact (&tree))
    ctl_output_notice (output, CTL_STYLE_NONE, "%s",
                       _ ("the loop went on while it was read: this is of several moments"));

  return TRUE;
}
