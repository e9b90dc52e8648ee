/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-inspector-views-private.h"

#include "loop-datagram-transport-private.h"
#include "loop-protocol-vtable-private.h"
#include "loop-server-private.h"
#include "loop-subprocess-transport-private.h"
#include "loop-transport-private.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

/*
 * What lives long: transports, servers and subprocesses. All of this runs under a hold of the guard, and only
 * copies: it takes no reference, allocates nothing, and calls nothing that takes a lock.
 */

/* Of a descriptor that is open: these system calls neither block nor take a lock that the loop thread could hold. */
static void
ask_for_address (LoopRow *row, guint index, int fd, int (*ask) (int fd, struct sockaddr *address, socklen_t *length))
{
  socklen_t length = sizeof row->addresses[index];

  if (ask (fd, (struct sockaddr *) &row->addresses[index], &length) == 0)
    row->address_lengths[index] = (guint) MIN (length, sizeof row->addresses[index]);
}

void
loop_view_collect_transports (LoopEventLoop *loop, LoopRowPage *page)
{
  LOOP_REGISTRY_FOREACH (&loop->registry, LOOP_REGISTRY_TRANSPORTS, node)
    {
      LoopTransport *transport = (LoopTransport *) ((char *) node - G_STRUCT_OFFSET (LoopTransport, node));
      LoopTransportDescription description = { .fd = -1 };
      LoopRow row;

      if (loop_row_page_skips (page, node->id))
        continue;

      LOOP_TRANSPORT_GET_CLASS (transport)->describe (transport, &description);
      row = (LoopRow) {
        .id = node->id,
        .object = transport,
        .kind = description.kind,
        .state = description.state,
        .fd = description.fd,
        .when = transport->made,
        .flag = description.is_reading,
        .events = (guint8) ((description.is_read_paused ? LOOP_INTEREST_READ : 0) |
                            (description.is_write_paused ? LOOP_INTEREST_WRITE : 0)),
        .numbers = { description.n_received, description.n_sent, description.write_buffer_size, description.low_water,
                     description.high_water, transport->owner_id },
      };
      loop_row_page_offer (page, &row);
    }
}

void
loop_view_complete_transport (LoopRow *row)
{
  LoopTransport *transport = (LoopTransport *) row->object;
  LoopTransportDescription description = { .fd = -1 };

  LOOP_TRANSPORT_GET_CLASS (transport)->describe (transport, &description);
  row->address_lengths[0] = MIN (description.peer_length, (guint) sizeof row->addresses[0]);
  if (row->address_lengths[0] > 0)
    memcpy (&row->addresses[0], description.peer, row->address_lengths[0]);
  else if (row->fd >= 0)
    ask_for_address (row, 0, row->fd, getpeername);
  if (row->fd >= 0)
    ask_for_address (row, 1, row->fd, getsockname);

  if (transport->protocol == NULL)
    return;

  row->names[0].name = loop_vtable_protocol_get_name (transport->protocol);
  row->names[0].function = loop_vtable_protocol_get_function (transport->protocol);
  if (row->names[0].function == NULL)
    row->names[0].function = loop_datagram_vtable_protocol_get_function (transport->protocol);
  if (row->names[0].name == NULL && row->names[0].function == NULL)
    row->names[0].name = G_OBJECT_TYPE_NAME (transport->protocol);
}

/* How many connections the kernel has made that were not accepted yet; it tells of TCP's alone. */
static guint64
count_waiting (int fd)
{
  struct tcp_info info;
  socklen_t length = sizeof info;

  return getsockopt (fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0 && info.tcpi_state == TCP_LISTEN
             ? info.tcpi_unacked
             : 0;
}

static gboolean
is_throttled (const LoopServer *server)
{
  for (guint i = 0; i < server->listeners->len; i++)
    {
      const LoopListener *listener = g_ptr_array_index (server->listeners, i);

      if (listener->watch.wanted == LOOP_INTEREST_NONE)
        return TRUE;
    }

  return FALSE;
}

void
loop_view_collect_servers (LoopEventLoop *loop, LoopRowPage *page)
{
  LOOP_REGISTRY_FOREACH (&loop->registry, LOOP_REGISTRY_SERVERS, node)
    {
      LoopServer *server = (LoopServer *) ((char *) node - G_STRUCT_OFFSET (LoopServer, node));
      LoopRow row = { .id = node->id, .object = server, .fd = -1, .when = server->made };

      row.state = server->listeners == NULL ? "closed"
                  : !server->is_serving     ? "idle"
                  : is_throttled (server)   ? "throttled"
                                            : "serving";
      row.numbers[0] = server->n_clients;
      row.numbers[1] = server->n_accepted;
      row.numbers[3] = (guint64) MAX (server->backlog, 0);
      for (guint i = 0; server->is_serving && i < server->listeners->len; i++)
        row.numbers[2] += count_waiting (((LoopListener *) g_ptr_array_index (server->listeners, i))->watch.fd);
      loop_row_page_offer (page, &row);
    }
}

void
loop_view_complete_server (LoopRow *row)
{
  const LoopServer *server = row->object;

  for (guint i = 0; server->listeners != NULL && i < server->listeners->len; i++)
    {
      const LoopListener *listener = g_ptr_array_index (server->listeners, i);

      if (listener->watch.fd < 0)
        continue;
      if (row->n_addresses < LOOP_ROW_N_ADDRESSES)
        ask_for_address (row, row->n_addresses, listener->watch.fd, getsockname);
      row->n_addresses++;
    }
}

void
loop_view_collect_subprocesses (LoopEventLoop *loop, LoopRowPage *page)
{
  LOOP_REGISTRY_FOREACH (&loop->registry, LOOP_REGISTRY_SUBPROCESSES, node)
    {
      const LoopSubprocessTransport *process =
          (LoopSubprocessTransport *) ((char *) node - G_STRUCT_OFFSET (LoopSubprocessTransport, node));
      LoopRow row = { .id = node->id, .fd = -1, .when = process->made };

      if (loop_row_page_skips (page, node->id))
        continue;

      row.state = process->is_lost      ? "closed"
                  : process->has_exited ? "exited"
                  : process->is_closing ? "closing"
                                        : "running";
      row.flag = process->has_exited;
      row.numbers[0] = (guint64) process->child.pid;
      row.numbers[1] = (guint64) process->returncode;
      g_strlcpy (row.names[0].text, process->program, sizeof row.names[0].text);
      for (int i = 0; i < LOOP_SUBPROCESS_N_PIPES; i++)
        {
          if (loop_subprocess_pipe_is_open (process->pipes[i]))
            row.numbers[2 + i] = ((LoopTransport *) process->pipes[i]->transport)->node.id;
        }
      loop_row_page_offer (page, &row);
    }
}
