/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-address-info-private.h"

#include <string.h>

/**
 * LoopAddressInfo:
 *
 * One of the addresses that a name stands for: see [method@EventLoop.getaddrinfo].
 */

/**
 * LoopAddressInfoResult:
 *
 * The addresses that a name stands for, in the order in which they are to be tried: see
 * [method@EventLoop.getaddrinfo].
 */

/**
 * LoopNameInfoResult:
 *
 * The names that an address has: see [method@EventLoop.getnameinfo].
 */

G_DEFINE_BOXED_TYPE (LoopAddressInfo, loop_address_info, loop_address_info_ref, loop_address_info_unref)
G_DEFINE_BOXED_TYPE (LoopAddressInfoResult,
                     loop_address_info_result,
                     loop_address_info_result_ref,
                     loop_address_info_result_unref)
G_DEFINE_BOXED_TYPE (LoopNameInfoResult, loop_name_info_result, loop_name_info_result_ref, loop_name_info_result_unref)

static LoopAddressInfo *
loop_address_info_new (const struct addrinfo *info)
{
  LoopAddressInfo *self = g_atomic_rc_box_new0 (LoopAddressInfo);

  self->family = info->ai_family;
  self->type = info->ai_socktype;
  self->proto = info->ai_protocol;
  self->length = info->ai_addrlen;
  self->canonname = g_strdup (info->ai_canonname);
  memcpy (&self->address, info->ai_addr, info->ai_addrlen);

  return self;
}

/**
 * loop_address_info_ref:
 * @self: an address
 *
 * Takes a reference; from any thread.
 *
 * Returns: (transfer full): @self
 */
LoopAddressInfo *
loop_address_info_ref (LoopAddressInfo *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
loop_address_info_clear (gpointer data)
{
  g_free (((LoopAddressInfo *) data)->canonname);
}

/**
 * loop_address_info_unref:
 * @self: (transfer full): an address
 *
 * Drops a reference; from any thread.
 */
void
loop_address_info_unref (LoopAddressInfo *self)
{
  g_atomic_rc_box_release_full (self, loop_address_info_clear);
}

/**
 * loop_address_info_get_family:
 * @self: an address
 *
 * Gets the address family.
 *
 * Returns: `AF_INET`, `AF_INET6` or another; those that a #GSocketFamily has are the same
 */
int
loop_address_info_get_family (LoopAddressInfo *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->family;
}

/**
 * loop_address_info_get_socktype:
 * @self: an address
 *
 * Gets what type of socket it is for.
 *
 * Returns: `SOCK_STREAM`, `SOCK_DGRAM` or another
 */
int
loop_address_info_get_socktype (LoopAddressInfo *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->type;
}

/**
 * loop_address_info_get_proto:
 * @self: an address
 *
 * Gets the protocol that it is for.
 *
 * Returns: `IPPROTO_TCP`, `IPPROTO_UDP` or another
 */
int
loop_address_info_get_proto (LoopAddressInfo *self)
{
  g_return_val_if_fail (self != NULL, 0);

  return self->proto;
}

/**
 * loop_address_info_get_canonname:
 * @self: an address
 *
 * Gets the canonical name of the host.
 *
 * Returns: (transfer none) (nullable) (type filename): the name; or %NULL if it was not asked for with
 *   `AI_CANONNAME`, and of all addresses but the first
 */
const char *
loop_address_info_get_canonname (LoopAddressInfo *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->canonname;
}

/**
 * loop_address_info_get_address:
 * @self: an address
 *
 * Gets the address itself, with its port and, of IPv6, its scope.
 *
 * Returns: (transfer full): the address
 */
GSocketAddress *
loop_address_info_get_address (LoopAddressInfo *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return g_socket_address_new_from_native (&self->address, self->length);
}

/* From any thread. */
LoopAddressInfoResult *
loop_address_info_result_new (const struct addrinfo *addresses)
{
  LoopAddressInfoResult *self = g_atomic_rc_box_new0 (LoopAddressInfoResult);

  self->addresses = g_ptr_array_new_with_free_func ((GDestroyNotify) loop_address_info_unref);
  for (const struct addrinfo *info = addresses; info != NULL; info = info->ai_next)
    if (info->ai_addrlen <= sizeof (struct sockaddr_storage))
      g_ptr_array_add (self->addresses, loop_address_info_new (info));

  return self;
}

/**
 * loop_address_info_result_ref:
 * @self: addresses
 *
 * Takes a reference; from any thread.
 *
 * Returns: (transfer full): @self
 */
LoopAddressInfoResult *
loop_address_info_result_ref (LoopAddressInfoResult *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
loop_address_info_result_clear (gpointer data)
{
  g_ptr_array_unref (((LoopAddressInfoResult *) data)->addresses);
}

/**
 * loop_address_info_result_unref:
 * @self: (transfer full): addresses
 *
 * Drops a reference; from any thread.
 */
void
loop_address_info_result_unref (LoopAddressInfoResult *self)
{
  g_atomic_rc_box_release_full (self, loop_address_info_result_clear);
}

/**
 * loop_address_info_result_get_addresses:
 * @self: addresses
 *
 * Gets the addresses.
 *
 * Returns: (transfer none) (element-type LoopAddressInfo): the addresses
 */
GPtrArray *
loop_address_info_result_get_addresses (LoopAddressInfoResult *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->addresses;
}

/* From any thread. */
LoopNameInfoResult *
loop_name_info_result_new (const char *host, const char *service)
{
  LoopNameInfoResult *self = g_atomic_rc_box_new0 (LoopNameInfoResult);

  self->host = g_strdup (host);
  self->service = g_strdup (service);

  return self;
}

/**
 * loop_name_info_result_ref:
 * @self: names
 *
 * Takes a reference; from any thread.
 *
 * Returns: (transfer full): @self
 */
LoopNameInfoResult *
loop_name_info_result_ref (LoopNameInfoResult *self)
{
  return g_atomic_rc_box_acquire (self);
}

static void
loop_name_info_result_clear (gpointer data)
{
  LoopNameInfoResult *self = data;

  g_free (self->host);
  g_free (self->service);
}

/**
 * loop_name_info_result_unref:
 * @self: (transfer full): names
 *
 * Drops a reference; from any thread.
 */
void
loop_name_info_result_unref (LoopNameInfoResult *self)
{
  g_atomic_rc_box_release_full (self, loop_name_info_result_clear);
}

/**
 * loop_name_info_result_get_host:
 * @self: names
 *
 * Gets the name of the host, or its address in numbers.
 *
 * Returns: (transfer none) (type filename): the host
 */
const char *
loop_name_info_result_get_host (LoopNameInfoResult *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->host;
}

/**
 * loop_name_info_result_get_service:
 * @self: names
 *
 * Gets the name of the service, or the number of its port.
 *
 * Returns: (transfer none) (type filename): the service
 */
const char *
loop_name_info_result_get_service (LoopNameInfoResult *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return self->service;
}
