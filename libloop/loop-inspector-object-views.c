/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-inspector-views-private.h"

#include "loop-server-private.h"
#include "loop-transport-private.h"

#include <string.h>

/*
 * What lives long: transports and servers. All of this runs under a hold of the guard, and only copies: it takes no reference,
 * allocates nothing, and calls nothing that takes a lock.
 */

static void
set_address (LoopRow *row, const struct sockaddr *address, guint length)
{
  row->address_length = MIN (length, sizeof row->address);
  if (row->address_length > 0)
    memcpy (&row->address, address, row->address_length);
}

void
loop_view_collect_transports (LoopEventLoop *loop, LoopRowPage *page)
{
  LOOP_REGISTRY_FOREACH (&loop->registry, LOOP_REGISTRY_TRANSPORTS, node)
    {
      LoopTransport *transport = (LoopTransport *) ((char *) node - G_STRUCT_OFFSET (LoopTransport, node));
      LoopTransportDescription description = { .fd = -1 };
      LoopRow row = { .id = node->id };

      LOOP_TRANSPORT_GET_CLASS (transport)->describe (transport, &description);
      row.kind = description.kind;
      row.state = description.state;
      row.fd = description.fd;
      row.flag = description.is_reading;
      row.names[0].name = transport->protocol != NULL ? G_OBJECT_TYPE_NAME (transport->protocol) : NULL;
      row.numbers[0] = description.n_received;
      row.numbers[1] = description.n_sent;
      row.numbers[2] = description.write_buffer_size;
      set_address (&row, description.peer, description.peer_length);
      loop_row_page_offer (page, &row);
    }
}

void
loop_view_collect_servers (LoopEventLoop *loop, LoopRowPage *page)
{
  LOOP_REGISTRY_FOREACH (&loop->registry, LOOP_REGISTRY_SERVERS, node)
    {
      LoopServer *server = (LoopServer *) ((char *) node - G_STRUCT_OFFSET (LoopServer, node));
      LoopRow row = { .id = node->id, .fd = -1 };

      row.state = server->listeners == NULL ? "closed" : server->is_serving ? "serving" : "idle";
      row.numbers[0] = g_hash_table_size (server->clients);
      row.numbers[1] = server->n_accepted;

      if (server->listeners != NULL && server->listeners->len > 0)
        {
          const LoopListener *listener = g_ptr_array_index (server->listeners, 0);
          socklen_t length = sizeof row.address;

          /* It neither blocks nor takes a lock that the loop thread could hold. */
          if (listener->watch.fd >= 0 &&
              getsockname (listener->watch.fd, (struct sockaddr *) &row.address, &length) == 0)
            row.address_length = MIN (length, sizeof row.address);
        }

      loop_row_page_offer (page, &row);
    }
}
