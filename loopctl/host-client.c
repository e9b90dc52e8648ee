/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "host-client.h"

#include "client.h"
#include "command.h"

/* Prints the id that came of it: alone where programs read it. */
static void
print_id (CtlSession *session, GVariant *state, const char *kind, guint64 id)
{
  if (ctl_output_is_json (session->output))
    {
      ctl_output_json (session->output, ctl_reply_new (state, "id", g_variant_new_uint64 (id)));
      return;
    }

  if (ctl_output_is_tsv (session->output))
    {
      ctl_output_printf (session->output, "%" G_GUINT64_FORMAT "\n", id);
      return;
    }

  ctl_session_show_state (session, state);
  ctl_output_printf (session->output, "%s #%" G_GUINT64_FORMAT "\n", kind, id);
}

gboolean
ctl_host_call (CtlSession *session, const char *method, const char *kind, GVariant *parameters, GError **error)
{
  g_autoptr (GVariant) reply = ctl_session_call (session, CTL_HOST_INTERFACE, method, parameters, "(ta{sv})", error);
  g_autoptr (GVariant) state = NULL;
  guint64 id;

  if (reply == NULL)
    return FALSE;

  g_variant_get (reply, "(t@a{sv})", &id, &state);
  print_id (session, state, kind, id);

  return TRUE;
}

static void
print_id_and_number (CtlSession *session,
                     GVariant *reply,
                     const char *key,
                     char *(*describe) (guint64 id, guint number))
{
  g_autoptr (GVariant) id = g_variant_get_child_value (reply, 0);
  g_autoptr (GVariant) number = g_variant_get_child_value (reply, 1);
  g_autoptr (GVariant) state = g_variant_get_child_value (reply, 2);
  g_autofree char *text = NULL;
  GVariantBuilder object;

  if (ctl_output_is_json (session->output))
    {
      g_variant_builder_init (&object, G_VARIANT_TYPE_VARDICT);
      g_variant_builder_add (&object, "{sv}", "loop", state);
      g_variant_builder_add (&object, "{sv}", "id", id);
      g_variant_builder_add (&object, "{sv}", key, number);
      ctl_output_json (session->output, g_variant_builder_end (&object));
      return;
    }

  text = g_variant_print (number, FALSE);
  if (ctl_output_is_tsv (session->output))
    {
      ctl_output_printf (session->output, "%" G_GUINT64_FORMAT "\t%s\n", g_variant_get_uint64 (id), text);
      return;
    }

  ctl_session_show_state (session, state);
  g_free (text);
  text = describe (g_variant_get_uint64 (id), g_variant_is_of_type (number, G_VARIANT_TYPE_UINT16)
                                                  ? g_variant_get_uint16 (number)
                                                  : g_variant_get_uint32 (number));
  ctl_output_printf (session->output, "%s\n", text);
}

gboolean
ctl_host_call_for_number (CtlSession *session,
                          const char *method,
                          const char *key,
                          char *(*describe) (guint64 id, guint number),
                          GVariant *parameters,
                          const char *reply_type,
                          GError **error)
{
  g_autoptr (GVariant) reply = ctl_session_call (session, CTL_HOST_INTERFACE, method, parameters, reply_type, error);

  if (reply != NULL)
    print_id_and_number (session, reply, key, describe);

  return reply != NULL;
}
