/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "scene.h"

#include <netdb.h>

/* Names and addresses, of which some are looked up in threads; and lookups that nobody waits for. */

static guint n_found;

static void
found (Scene *self, const GValue *result, gpointer user_data)
{
  if (loop_address_info_result_get_addresses (g_value_get_boxed (result))->len == 0)
    torture_fail ("a name was found that has no address");
  n_found++;
}

static void
named (Scene *self, const GValue *result, gpointer user_data)
{
  if (loop_name_info_result_get_host (g_value_get_boxed (result)) == NULL)
    torture_fail ("an address was found that has no name");
  n_found++;
}

static void
run (void)
{
  Scene *scene = scene_new ();
  g_autoptr (GSocketAddress) address = g_inet_socket_address_new_from_string ("127.0.0.1", 80);

  scene_take_future (scene, loop_event_loop_getaddrinfo (scene->loop, "127.0.0.1", 80, 0, 0, 0, 0), found, NULL);
  for (guint i = 0; i < 3; i++)
    {
      g_autoptr (LoopFuture) abandoned = loop_event_loop_getaddrinfo (scene->loop, "localhost", 80, 0, 0, 0, 0);

      loop_future_cancel (abandoned);
      scene_take_future (scene, loop_event_loop_getaddrinfo (scene->loop, "localhost", 80, 0, 0, 0, 0), found, NULL);
    }
  scene_take_future (scene, loop_event_loop_getnameinfo (scene->loop, address, NI_NUMERICHOST | NI_NUMERICSERV), named,
                     NULL);
  scene_take_future (scene, loop_event_loop_getnameinfo (scene->loop, address, NI_NUMERICHOST), named, NULL);
  scene_run (scene);
  torture_expect (n_found == 6, "all was found");
  scene_end (scene);
}

TORTURE_MAIN ("lookup", run)
