/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "json.h"

#include <json-glib/json-glib.h>
#include <math.h>

/* GVariants as JSON, by JSON-GLib: what it writes that parsers or terminals do not take well is mended here. */

static gboolean
is_bare_exponential (double value)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];

  g_ascii_dtostr (text, sizeof text, value);

  return strchr (text, 'e') != NULL && strchr (text, '.') == NULL;
}

static void
mend_double (JsonNode *node)
{
  double value = json_node_get_double (node);

  /* JSON has no word for the others. */
  if (!isfinite (value))
    json_node_init_null (node);
  /* JSON-GLib 1.6 writes 1e-08 as "1e-08.0". The number next to it has digits before its exponent. */
  else if (is_bare_exponential (value))
    json_node_set_double (node, nextafter (value, 0));
}

static void
mend (JsonNode *node)
{
  if (JSON_NODE_HOLDS_OBJECT (node))
    {
      JsonObjectIter iter;
      JsonNode *member;

      json_object_iter_init (&iter, json_node_get_object (node));
      while (json_object_iter_next (&iter, NULL, &member))
        mend (member);
    }
  else if (JSON_NODE_HOLDS_ARRAY (node))
    {
      g_autoptr (GList) elements = json_array_get_elements (json_node_get_array (node));

      for (GList *l = elements; l != NULL; l = l->next)
        mend (l->data);
    }
  else if (json_node_get_value_type (node) == G_TYPE_DOUBLE)
    {
      mend_double (node);
    }
}

/* JSON-GLib leaves U+001F as it is, which is an error to parsers, and U+0080 to U+009F, which terminals obey. */
static void
append_escaped (GString *out, const char *json)
{
  for (const char *p = json; *p != '\0'; p = g_utf8_next_char (p))
    {
      gunichar c = g_utf8_get_char (p);

      if (g_unichar_iscntrl (c) && c != '\n')
        g_string_append_printf (out, "\\u%04x", c);
      else
        g_string_append_unichar (out, c);
    }
}

/*
 * Appends @value and a newline: on one line, or over several for people. JSON-GLib has signed integers only,
 * which is enough: neither ids nor counters get to 2^63.
 */
void
ctl_json_append (GString *out, GVariant *value, gboolean pretty)
{
  g_autoptr (JsonNode) root = json_gvariant_serialize (value);
  g_autofree char *json = NULL;

  mend (root);
  json = json_to_string (root, pretty);
  append_escaped (out, json);
  g_string_append_c (out, '\n');
}
