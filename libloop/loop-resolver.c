/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-resolver-private.h"
#include "loop-unix-path-private.h"

#include "loop-fork-private.h"
#include "loop-thread-pool-private.h"

#include <errno.h>
#include <string.h>

/*
 * Names are looked up in threads of their own, so that a slow name server holds up neither the
 * loop nor the jobs of its executor. Numbers never leave the calling thread. A lookup that is
 * cancelled, or whose loop is closed, goes on in its thread until the name server answers, but
 * nothing waits for it, and one that waits for a thread is dropped.
 */

#define MAX_THREADS 8

/* What is looked up next finds a thread; but a process that has looked up a name need not keep it for ever. */
#define IDLE_SECONDS 10

/* The longest name in the DNS, with its final dot (RFC 1035, 2.3.4). */
#define MAX_HOST_LENGTH 254

/* A question for a thread: of a name or, with flags of getnameinfo(), of an address. */
typedef struct
{
  char *host; /* or NULL; of an address, it in numbers */
  char *service;
  struct addrinfo hints;
  struct sockaddr_storage address;
  socklen_t length; /* of the address, or 0 */
  int flags;
  gint64 since;
} Lookup;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static LoopThreadPool *pool; /* of the process, for ever */

LOOP_FORK_WATCH (LOOP_FORK_RESOLVER, .mutex = &mutex)

static LoopThreadPool *
get_pool (void)
{
  pthread_mutex_lock (&mutex);
  if (pool == NULL)
    {
      pool = loop_thread_pool_new (MAX_THREADS, "resolver");
      loop_thread_pool_set_idle_timeout (pool, IDLE_SECONDS * LOOP_NSEC_PER_SEC);
    }
  pthread_mutex_unlock (&mutex);

  return pool;
}

static void
lookup_free (gpointer data)
{
  Lookup *self = data;

  g_free (self->host);
  g_free (self->service);
  g_free (self);
}

static GError *
make_error (const char *what, int status, int saved_errno)
{
  g_autofree char *text = g_utf8_make_valid (what, -1);
  GResolverError code;

  if (status == EAI_SYSTEM)
    {
      GError *error = NULL;

      loop_set_error_from_errno (&error, saved_errno, "Could not look up “%s”", text);
      return error;
    }

  switch (status)
    {
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
      code = G_RESOLVER_ERROR_NOT_FOUND;
      break;
    case EAI_AGAIN:
      code = G_RESOLVER_ERROR_TEMPORARY_FAILURE;
      break;
    default:
      code = G_RESOLVER_ERROR_INTERNAL;
    }

  return g_error_new (G_RESOLVER_ERROR, (int) code, "Could not look up “%s”: %s", text, gai_strerror (status));
}

static gboolean
check_length (const char *what, const char *name, GError **error)
{
  g_autofree char *start = NULL;

  if (name == NULL || strlen (name) <= MAX_HOST_LENGTH)
    return TRUE;

  start = g_utf8_make_valid (name, 32);
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "The %s name “%s…” is longer than %d bytes", what, start,
               MAX_HOST_LENGTH);

  return FALSE;
}

/* --- Names ------------------------------------------------------------------------------------ */

/* In any thread. Returns: as getaddrinfo() */
static int
look_up (const char *host, const char *service, const struct addrinfo *hints, GValue *result)
{
  struct addrinfo *addresses = NULL;
  int status = getaddrinfo (host, service, hints, &addresses);
  int saved_errno = errno;

  if (status == 0)
    {
      g_value_init (result, LOOP_TYPE_ADDRESS_INFO_RESULT);
      g_value_take_boxed (result, loop_address_info_result_new (addresses));
      freeaddrinfo (addresses);
    }
  errno = saved_errno;

  return status;
}

static gboolean
look_up_in_thread (GValue *result, gpointer user_data, GError **error)
{
  Lookup *self = user_data;
  int status = look_up (self->host, self->service, &self->hints, result);

  if (status == 0)
    return TRUE;

  g_propagate_error (error, make_error (self->host != NULL ? self->host : self->service, status, errno));

  return FALSE;
}

static gboolean
is_number (const char *text)
{
  return text[strspn (text, "0123456789")] == '\0';
}

/* Names that are not of ASCII alone are known to the DNS in another way. Returns: (nullable): with an error */
static char *
to_ascii (const char *host, GError **error)
{
  char *ascii;

  if (!g_hostname_is_non_ascii (host) || !g_utf8_validate (host, -1, NULL))
    return g_strdup (host);

  ascii = g_hostname_to_ascii (host);
  if (ascii == NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "“%s” is not a host name", host);

  return ascii;
}

static LoopFuture *
submit (LoopEventLoop *loop, const char *name, LoopExecutorFunc func, Lookup *lookup)
{
  lookup->since = loop_clock_now ();

  return loop_thread_pool_submit_droppable (get_pool (), loop, name, func, lookup, lookup_free);
}

/* Answers at once if no name has to be looked up. Returns: (nullable) (transfer full): else NULL */
static LoopFuture *
look_up_number (LoopEventLoop *loop, const char *host, const char *service, struct addrinfo hints)
{
  g_auto (GValue) result = G_VALUE_INIT;
  gboolean is_final = host == NULL || (hints.ai_flags & AI_NUMERICHOST) != 0;
  LoopFuture *future;
  int status;

  if (service != NULL && !is_number (service))
    return NULL;

  hints.ai_flags |= (service != NULL ? AI_NUMERICSERV : 0) | (host != NULL ? AI_NUMERICHOST : 0);
  status = look_up (host, service, &hints, &result);
  if (status == EAI_NONAME && !is_final)
    return NULL;
  if (status != 0)
    return loop_future_new_failed (loop, "getaddrinfo", make_error (host != NULL ? host : "", status, errno));

  future = loop_future_new (loop, "getaddrinfo");
  loop_future_fulfil_value (future, &result);

  return future;
}

static LoopFuture *
look_up_name (LoopEventLoop *loop, const char *host, const char *service, const struct addrinfo *hints)
{
  g_autofree char *ascii = NULL;
  GError *error = NULL;
  LoopFuture *future;
  Lookup *lookup;

  if (!check_length ("host", host, &error) || !check_length ("service", service, &error))
    return loop_future_new_failed (loop, "getaddrinfo", error);

  future = look_up_number (loop, host, service, *hints);
  if (future != NULL)
    return future;

  if (host != NULL)
    ascii = to_ascii (host, &error);
  if (error != NULL || !check_length ("host", ascii, &error))
    return loop_future_new_failed (loop, "getaddrinfo", error);

  lookup = g_new0 (Lookup, 1);
  lookup->host = g_steal_pointer (&ascii);
  lookup->service = g_strdup (service);
  lookup->hints = *hints;

  return submit (loop, "getaddrinfo", look_up_in_thread, lookup);
}

/*
 * loop_resolver_lookup:
 * @host: (nullable): a host name or address; %NULL stands for the wildcard address with
 *   AI_PASSIVE in @flags, and for the loopback address without
 * @type: SOCK_STREAM, SOCK_DGRAM or another, or 0 for all
 *
 * Looks up @host. To give up, cancel the future.
 *
 * Returns: (transfer full): a future for a LoopAddressInfoResult
 */
LoopFuture *
loop_resolver_lookup (LoopEventLoop *loop, const char *host, guint16 port, int family, int type, int proto, int flags)
{
  struct addrinfo hints = {
    .ai_family = family,
    .ai_socktype = type,
    .ai_protocol = proto,
    .ai_flags = flags,
  };
  char service[8];

  g_snprintf (service, sizeof service, "%u", port);

  return look_up_name (loop, host, service, &hints);
}

/* Who asked does not want to know any more, nor be called. Takes *@lookup, which may be %NULL. */
void
loop_resolver_abandon (LoopFuture **lookup, guint64 callback)
{
  g_autoptr (LoopFuture) abandoned = g_steal_pointer (lookup);

  if (abandoned == NULL)
    return;

  loop_future_remove_done_callback (abandoned, callback);
  /* It may have failed meanwhile. */
  abandoned->is_retrieved = TRUE;
  loop_future_cancel (abandoned);
}

/* Returns: (transfer full): the addresses of a lookup that is done: LoopResolvedAddress */
GPtrArray *
loop_resolver_dup_result (LoopFuture *future, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;

  if (!loop_future_result (future, &value, error))
    return NULL;

  return g_ptr_array_ref (((LoopAddressInfoResult *) g_value_get_boxed (&value))->addresses);
}

/* An address as people write it: 127.0.0.1:80, [::1]:80, /run/socket. */
char *
loop_resolved_address_to_string (const struct sockaddr *address, socklen_t length)
{
  char host[NI_MAXHOST];
  char service[NI_MAXSERV];

  if (address->sa_family == AF_UNIX)
    return loop_unix_path_to_string ((const struct sockaddr_un *) address, length);

  if (getnameinfo (address, length, host, sizeof host, service, sizeof service, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return g_strdup ("?");

  return g_strdup_printf (address->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, service);
}

/* --- Addresses -------------------------------------------------------------------------------- */

/* In any thread. Returns: as getnameinfo() */
static int
look_up_address (const struct sockaddr *address, socklen_t length, int flags, GValue *result)
{
  char host[NI_MAXHOST];
  char service[NI_MAXSERV];
  int status = getnameinfo (address, length, host, sizeof host, service, sizeof service, flags);

  if (status == 0)
    {
      g_value_init (result, LOOP_TYPE_NAME_INFO_RESULT);
      g_value_take_boxed (result, loop_name_info_result_new (host, service));
    }

  return status;
}

static gboolean
look_up_address_in_thread (GValue *result, gpointer user_data, GError **error)
{
  Lookup *self = user_data;
  int status = look_up_address ((const struct sockaddr *) &self->address, self->length, self->flags, result);

  if (status == 0)
    return TRUE;

  g_propagate_error (error, make_error (self->host, status, errno));

  return FALSE;
}

static LoopFuture *
look_up_address_now (LoopEventLoop *loop, const struct sockaddr *address, socklen_t length, int flags)
{
  g_auto (GValue) result = G_VALUE_INIT;
  int status = look_up_address (address, length, flags, &result);
  LoopFuture *future;

  if (status != 0)
    {
      int saved_errno = errno;
      g_autofree char *text = loop_resolved_address_to_string (address, length);

      return loop_future_new_failed (loop, "getnameinfo", make_error (text, status, saved_errno));
    }

  future = loop_future_new (loop, "getnameinfo");
  loop_future_fulfil_value (future, &result);

  return future;
}

gboolean
loop_resolver_describe_job (const LoopExecutorJob *job, LoopLookupDescription *description)
{
  const Lookup *self = job->user_data;

  if (job->func != look_up_in_thread && job->func != look_up_address_in_thread)
    return FALSE;

  *description = (LoopLookupDescription) { self->host, self->service, self->since };

  return TRUE;
}

/**
 * loop_event_loop_getaddrinfo:
 * @self: an event loop
 * @host: (nullable) (type filename): a host name or address; %NULL stands for the wildcard address
 *   with `AI_PASSIVE` in @flags, and for the loopback address without
 * @port: a port, for the addresses
 * @family: an address family, or 0 for all
 * @type: a type of sockets such as `SOCK_STREAM`, or 0 for all
 * @proto: a protocol, or 0 for all
 * @flags: flags of getaddrinfo(), such as `AI_CANONNAME`
 *
 * Looks up the addresses of a host, in a thread that is kept for lookups; jobs of an executor
 * do not wait for it, nor it for them. What is a number is answered at once. A name that is not
 * of ASCII alone is looked up as the DNS knows it.
 *
 * To give up, cancel the future; and a loop may be closed: neither waits for a name server.
 *
 * Returns: (transfer full): a future for a [struct@AddressInfoResult]; it fails with an error of
 *   %G_RESOLVER_ERROR, with %G_IO_ERROR_INVALID_ARGUMENT if @host is too long to be one, with an
 *   I/O error if there is no thread, and with %LOOP_ERROR_CLOSED if the loop is closed
 */
LoopFuture *
loop_event_loop_getaddrinfo (LoopEventLoop *self,
                             const char *host,
                             guint16 port,
                             int family,
                             int type,
                             int proto,
                             int flags)
{
  GError *error = NULL;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);

  if (!loop_event_loop_check_usable (self, &error))
    return loop_future_new_failed (self, "getaddrinfo", error);

  return loop_resolver_lookup (self, host, port, family, type, proto, flags);
}

/**
 * loop_event_loop_getaddrinfo_service:
 * @self: an event loop
 * @host: (nullable) (type filename): a host name or address, or %NULL
 * @service: (nullable) (type filename): the name of a service, such as `https`, or a number; %NULL
 *   for the port 0
 * @family: an address family, or 0 for all
 * @type: a type of sockets such as `SOCK_STREAM`, or 0 for all
 * @proto: a protocol, or 0 for all
 * @flags: flags of getaddrinfo(), such as `AI_CANONNAME`
 *
 * As [method@EventLoop.getaddrinfo], with the name of a service, which is looked up as well.
 *
 * Returns: (transfer full): a future for a [struct@AddressInfoResult]; it fails as that of
 *   [method@EventLoop.getaddrinfo]
 */
LoopFuture *
loop_event_loop_getaddrinfo_service (LoopEventLoop *self,
                                     const char *host,
                                     const char *service,
                                     int family,
                                     int type,
                                     int proto,
                                     int flags)
{
  struct addrinfo hints = {
    .ai_family = family,
    .ai_socktype = type,
    .ai_protocol = proto,
    .ai_flags = flags,
  };
  GError *error = NULL;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);

  if (!loop_event_loop_check_usable (self, &error))
    return loop_future_new_failed (self, "getaddrinfo", error);

  return look_up_name (self, host, service, &hints);
}

/**
 * loop_event_loop_getnameinfo:
 * @self: an event loop
 * @address: an internet address
 * @flags: flags of getnameinfo(), such as `NI_NAMEREQD`
 *
 * Looks up the names of an address and its port, as [method@EventLoop.getaddrinfo] does those of
 * a host: in a thread, unless numbers are asked for.
 *
 * Returns: (transfer full): a future for a [struct@NameInfoResult]; it fails as that of
 *   [method@EventLoop.getaddrinfo]
 */
LoopFuture *
loop_event_loop_getnameinfo (LoopEventLoop *self, GSocketAddress *address, int flags)
{
  const int numeric = NI_NUMERICHOST | NI_NUMERICSERV;
  struct sockaddr_storage native;
  socklen_t length;
  GError *error = NULL;
  Lookup *lookup;

  g_return_val_if_fail (LOOP_IS_EVENT_LOOP (self), NULL);
  g_return_val_if_fail (G_IS_SOCKET_ADDRESS (address), NULL);

  if (!loop_event_loop_check_usable (self, &error) ||
      !g_socket_address_to_native (address, &native, sizeof native, &error))
    return loop_future_new_failed (self, "getnameinfo", error);

  length = (socklen_t) g_socket_address_get_native_size (address);
  if ((flags & numeric) == numeric)
    return look_up_address_now (self, (const struct sockaddr *) &native, length, flags);

  lookup = g_new0 (Lookup, 1);
  lookup->host = loop_resolved_address_to_string ((const struct sockaddr *) &native, length);
  lookup->address = native;
  lookup->length = length;
  lookup->flags = flags;

  return submit (self, "getnameinfo", look_up_address_in_thread, lookup);
}
