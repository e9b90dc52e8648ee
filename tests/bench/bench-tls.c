/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "bench-tls.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>

static void
check (int status, const char *what)
{
  if (status >= 0)
    return;

  fprintf (stderr, "load: TLS %s: %s\n", what, gnutls_strerror (status));
  exit (1);
}

BenchTls *
bench_tls_connect (int fd)
{
  static gnutls_certificate_credentials_t credentials;
  gnutls_session_t session;
  int status;

  if (credentials == NULL)
    check (gnutls_certificate_allocate_credentials (&credentials), "credentials");
  check (gnutls_init (&session, GNUTLS_CLIENT), "session");
  /* As browsers and OpenSSL choose where the processor has AES. */
  check (gnutls_priority_set_direct (session, "NORMAL:-CIPHER-ALL:+AES-256-GCM:+AES-128-GCM", NULL), "priority");
  check (gnutls_credentials_set (session, GNUTLS_CRD_CERTIFICATE, credentials), "credentials");
  gnutls_transport_set_int (session, fd);
  do
    status = gnutls_handshake (session);
  while (status < 0 && !gnutls_error_is_fatal (status));
  check (status, "handshake");

  return (BenchTls *) session;
}

static ssize_t
as_errno (ssize_t n)
{
  if (n >= 0)
    return n;

  errno = n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED ? EAGAIN : EIO;
  return -1;
}

ssize_t
bench_tls_send (BenchTls *tls, const void *data, size_t size)
{
  return as_errno (gnutls_record_send ((gnutls_session_t) tls, data, size));
}

ssize_t
bench_tls_recv (BenchTls *tls, void *data, size_t size)
{
  return as_errno (gnutls_record_recv ((gnutls_session_t) tls, data, size));
}
