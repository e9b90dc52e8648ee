/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* TLS for the load generator, which believes every server */

#pragma once

#include <stddef.h>
#include <sys/types.h>

typedef struct BenchTls BenchTls;

/* Shakes hands over a blocking socket; ends the program when that fails. */
BenchTls *bench_tls_connect (int fd);

/* As send() and recv(). */
ssize_t bench_tls_send (BenchTls *tls, const void *data, size_t size);
ssize_t bench_tls_recv (BenchTls *tls, void *data, size_t size);
