/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "refuse-threads.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>

static gboolean is_refused;

void
refuse_threads (gboolean refused)
{
  is_refused = refused;
}

/* A sanitizer that is linked into the program, as clang does it, has its function replaced by ours; here it is again. */
int __interceptor_pthread_create (pthread_t *, const pthread_attr_t *, void *(*) (void *), void *)
    __attribute__ ((weak));

__attribute__ ((visibility ("default"))) int
pthread_create (pthread_t *thread, const pthread_attr_t *attributes, void *(*function) (void *), void *data)
{
  static int (*real) (pthread_t *, const pthread_attr_t *, void *(*) (void *), void *);

  if (is_refused)
    return EAGAIN;

  if (real == NULL)
    real = __interceptor_pthread_create;
  if (real == NULL)
    *(void **) &real = dlsym (RTLD_NEXT, "pthread_create");

  return real (thread, attributes, function, data);
}
