/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-resolver-private.h"

#include <errno.h>
#include <string.h>

/*
 * Host names are looked up in threads of their own, so that a slow name server holds up
 * neither the loop nor the jobs of its executor. Numeric addresses never leave the
 * calling thread. A lookup that is cancelled, or whose loop is closed, goes on in its
 * thread until the name server answers, but nothing waits for it.
 */

#define MAX_THREADS 8

/* The longest name in the DNS, with its final dot (RFC 1035, 2.3.4). */
#define MAX_HOST_LENGTH 254

typedef struct
{
  gatomicrefcount ref_count;
  LoopIncoming *incoming; /* until a thread has taken the job, or it is known that none will: atomic */
  char *host;
  char service[8];
  struct addrinfo hints;

  /* Written by the worker before it posts the job, read by the loop afterwards. */
  int status;
  int saved_errno;
  struct addrinfo *addresses;

  /* The loop thread's alone. */
  LoopEventLoop *loop;
  LoopFuture *future;
  LoopCloseHook hook;
} LookupJob;

static LookupJob *
lookup_job_ref (LookupJob *self)
{
  g_atomic_ref_count_inc (&self->ref_count);

  return self;
}

static void
lookup_job_unref (gpointer data)
{
  LookupJob *self = data;

  if (!g_atomic_ref_count_dec (&self->ref_count))
    return;

  g_assert (self->future == NULL);

  if (self->addresses != NULL)
    freeaddrinfo (self->addresses);
  g_clear_pointer (&self->incoming, loop_incoming_unref);
  g_free (self->host);
  g_free (self);
}

static void
lookup_job_forget_future (LookupJob *self)
{
  loop_close_hook_remove (&self->hook);
  g_clear_object (&self->future);
}

static void
lookup_job_loop_closed (LoopCloseHook *hook)
{
  LookupJob *self = (LookupJob *) ((char *) hook - G_STRUCT_OFFSET (LookupJob, hook));

  lookup_job_forget_future (self);
  lookup_job_unref (self);
}

static GPtrArray *
copy_addresses (const struct addrinfo *addresses)
{
  GPtrArray *copies = g_ptr_array_new_with_free_func (g_free);

  for (const struct addrinfo *info = addresses; info != NULL; info = info->ai_next)
    {
      LoopResolvedAddress *copy;

      if (info->ai_addrlen > sizeof copy->address)
        continue;

      copy = g_new0 (LoopResolvedAddress, 1);
      copy->family = info->ai_family;
      copy->type = info->ai_socktype;
      copy->proto = info->ai_protocol;
      copy->length = info->ai_addrlen;
      memcpy (&copy->address, info->ai_addr, info->ai_addrlen);
      g_ptr_array_add (copies, copy);
    }

  return copies;
}

static GError *
make_error (const char *host, int status, int saved_errno)
{
  g_autofree char *text = g_utf8_make_valid (host, -1);
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

static GError *
make_length_error (const char *host)
{
  g_autofree char *start = g_utf8_make_valid (host, 32);

  return g_error_new (G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT, "The host name “%s…” is longer than %d bytes", start,
                      MAX_HOST_LENGTH);
}

static void
finish_lookup (LoopFuture *future, const char *host, int status, int saved_errno, const struct addrinfo *addresses)
{
  g_auto (GValue) value = G_VALUE_INIT;

  if (!loop_future_is_pending (future))
    return;

  if (status != 0)
    {
      loop_future_fail (future, make_error (host, status, saved_errno));
      return;
    }

  g_value_init (&value, G_TYPE_PTR_ARRAY);
  g_value_take_boxed (&value, copy_addresses (addresses));
  loop_future_set_result (future, &value, NULL);
}

static void
lookup_answered (gpointer data)
{
  LookupJob *self = data;

  if (self->future != NULL)
    {
      finish_lookup (self->future, self->host, self->status, self->saved_errno, self->addresses);
      lookup_job_forget_future (self);
      lookup_job_unref (self);
    }
}

static void
look_up_in_thread (gpointer data, gpointer user_data)
{
  LookupJob *self = data;
  LoopIncoming *incoming = g_atomic_pointer_exchange (&self->incoming, NULL);

  if (incoming == NULL)
    {
      lookup_job_unref (self);
      return;
    }

  self->status = getaddrinfo (self->host, self->service, &self->hints, &self->addresses);
  self->saved_errno = errno;

  /* Once it is posted, the job is the loop's, which may be gone before the call returns. */
  if (!loop_incoming_post_callback (incoming, self->loop, lookup_answered, self, lookup_job_unref, "resolver", NULL))
    lookup_job_unref (self);

  loop_incoming_unref (incoming);
}

static GThreadPool *
get_thread_pool (void)
{
  static GThreadPool *pool;

  if (g_once_init_enter (&pool))
    g_once_init_leave (&pool, g_thread_pool_new (look_up_in_thread, NULL, MAX_THREADS, FALSE, NULL));

  return pool;
}

static void
start_job (LoopEventLoop *loop, LoopFuture *future, const char *host, const char *service, const struct addrinfo *hints)
{
  LookupJob *job = g_new0 (LookupJob, 1);
  g_autoptr (GError) error = NULL;

  g_atomic_ref_count_init (&job->ref_count);
  job->incoming = loop_incoming_ref (loop->incoming);
  job->host = g_strdup (host);
  g_strlcpy (job->service, service, sizeof job->service);
  job->hints = *hints;
  job->loop = loop;
  job->future = g_object_ref (future);
  job->hook.closed = lookup_job_loop_closed;
  loop_event_loop_add_close_hook (loop, &job->hook);

  if (!g_thread_pool_push (get_thread_pool (), lookup_job_ref (job), &error))
    {
      /* No thread could be started. GLib keeps the job in its queue, perhaps for ever: it must not keep the loop's
       * descriptor. If an earlier thread has taken it meanwhile, all is well. */
      LoopIncoming *incoming = g_atomic_pointer_exchange (&job->incoming, NULL);

      if (incoming == NULL)
        return;

      loop_incoming_unref (incoming);
      loop_future_fail (future, g_error_copy (error));
      lookup_job_forget_future (job);
      lookup_job_unref (job);
    }
}

/*
 * loop_resolver_lookup:
 * @host: (nullable): a host name or address; %NULL stands for the wildcard address with
 *   AI_PASSIVE in @flags, and for the loopback address without
 * @type: SOCK_STREAM, SOCK_DGRAM or another, or 0 for all
 *
 * Looks up @host. To give up, cancel the future.
 *
 * Returns: (transfer full): a future for a GPtrArray of LoopResolvedAddress
 */
LoopFuture *
loop_resolver_lookup (LoopEventLoop *loop, const char *host, guint16 port, int family, int type, int proto, int flags)
{
  g_autoptr (LoopFuture) future = loop_future_new (loop, "getaddrinfo");
  struct addrinfo hints = {
    .ai_family = family,
    .ai_socktype = type,
    .ai_protocol = proto,
    .ai_flags = flags,
  };
  struct addrinfo *addresses = NULL;
  char service[8];
  int status;

  if (host != NULL && strlen (host) > MAX_HOST_LENGTH)
    {
      loop_future_fail (future, make_length_error (host));
      return g_steal_pointer (&future);
    }

  g_snprintf (service, sizeof service, "%u", port);

  /* First as a number, which takes no lookup. */
  hints.ai_flags |= AI_NUMERICSERV | (host != NULL ? AI_NUMERICHOST : 0);
  status = getaddrinfo (host, service, &hints, &addresses);

  if (status == EAI_NONAME && host != NULL && !(flags & AI_NUMERICHOST))
    {
      hints.ai_flags &= ~AI_NUMERICHOST;
      start_job (loop, future, host, service, &hints);
      return g_steal_pointer (&future);
    }

  finish_lookup (future, host != NULL ? host : "", status, errno, addresses);
  if (addresses != NULL)
    freeaddrinfo (addresses);

  return g_steal_pointer (&future);
}

/* Returns: (transfer full): the addresses of a lookup that is done */
GPtrArray *
loop_resolver_dup_result (LoopFuture *future, GError **error)
{
  g_auto (GValue) value = G_VALUE_INIT;

  if (!loop_future_result (future, &value, error))
    return NULL;

  return g_value_dup_boxed (&value);
}

/* An address as people write it: 127.0.0.1:80, [::1]:80. */
char *
loop_resolved_address_to_string (const struct sockaddr *address, socklen_t length)
{
  char host[NI_MAXHOST];
  char service[NI_MAXSERV];

  if (getnameinfo (address, length, host, sizeof host, service, sizeof service, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return g_strdup ("?");

  return g_strdup_printf (address->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, service);
}
