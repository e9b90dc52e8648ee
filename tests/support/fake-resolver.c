/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "fake-resolver.h"

#include <dlfcn.h>
#include <netdb.h>

typedef struct
{
  char *name;
  char **addresses;
  int status;
  gboolean is_slow;
} Entry;

static Entry entries[16];
static guint n_entries;

static GMutex mutex;
static GCond cond;
static guint n_slow_lookups;
static guint n_lookups;
static gboolean is_released;

typedef int (*GetAddrInfo) (const char *, const char *, const struct addrinfo *, struct addrinfo **);

static void
add (const char *name, const char *addresses, int status, gboolean is_slow)
{
  g_assert (n_entries < G_N_ELEMENTS (entries));
  entries[n_entries++] = (Entry) { g_strdup (name), g_strsplit (addresses, " ", -1), status, is_slow };
}

void
fake_resolver_add (const char *name, const char *addresses)
{
  add (name, addresses, 0, FALSE);
}

void
fake_resolver_add_slow (const char *name, const char *addresses)
{
  add (name, addresses, 0, TRUE);
}

void
fake_resolver_add_failing (const char *name, int status)
{
  add (name, "", status, FALSE);
}

void
fake_resolver_wait (guint n_slow)
{
  g_mutex_lock (&mutex);
  while (n_slow_lookups < n_slow)
    g_cond_wait (&cond, &mutex);
  g_mutex_unlock (&mutex);
}

void
fake_resolver_release (void)
{
  g_mutex_lock (&mutex);
  is_released = TRUE;
  g_cond_broadcast (&cond);
  g_mutex_unlock (&mutex);
}

guint
fake_resolver_get_n_lookups (void)
{
  guint n;

  g_mutex_lock (&mutex);
  n = n_lookups;
  g_mutex_unlock (&mutex);

  return n;
}

static const Entry *
find (const char *name)
{
  for (guint i = 0; name != NULL && i < n_entries; i++)
    if (g_str_equal (entries[i].name, name))
      return &entries[i];

  return NULL;
}

static void
wait_for_release (void)
{
  g_mutex_lock (&mutex);
  n_slow_lookups++;
  g_cond_broadcast (&cond);
  while (!is_released)
    g_cond_wait (&cond, &mutex);
  g_mutex_unlock (&mutex);
}

/* Chains what the real one makes of each number: freeaddrinfo() takes such a list apart. A shared library finds it, too. */
__attribute__ ((visibility ("default"))) int
getaddrinfo (const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result)
{
  GetAddrInfo real = (GetAddrInfo) dlsym (RTLD_NEXT, "getaddrinfo");
  const Entry *entry = find (name);
  struct addrinfo **end = result;

  if (name != NULL && !(hints->ai_flags & AI_NUMERICHOST))
    {
      g_mutex_lock (&mutex);
      n_lookups++;
      g_mutex_unlock (&mutex);
    }

  if (entry == NULL)
    return real (name, service, hints, result);
  if (hints->ai_flags & AI_NUMERICHOST)
    return EAI_NONAME;
  if (entry->is_slow)
    wait_for_release ();
  if (entry->status != 0)
    return entry->status;

  *result = NULL;
  for (guint i = 0; entry->addresses[i] != NULL; i++)
    {
      if (real (entry->addresses[i], service, hints, end) != 0)
        continue;
      while (*end != NULL)
        end = &(*end)->ai_next;
    }

  return *result != NULL ? 0 : EAI_NONAME;
}
