/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the echo servers share
 *
 * Each server prints {"port": N, "inspector": PATH} on standard output, and serves until the end
 * of standard input.  A 'b' and an 'e' on standard input mark the beginning
 * and the end of a measured time; at the 'e' it prints the CPU time and the
 * requests of that time.  Without marks it prints those of its whole life at
 * the end.
 *
 * With BENCH_MESSAGE=N in the environment each N bytes are a request, and answered by a
 * write of their own, however many come at once. With BENCH_UNIX=PATH it listens there.
 */

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ECHO_BUFFER_SIZE (64 * 1024)

/* One per chunk of bytes, or datagram, that was received and sent back. */
extern uint64_t echo_requests;

/* The size of a message, or 0: whatever comes at once is one. */
extern size_t echo_message_size;
/* Or NULL: the server listens on a port. */
extern const char *echo_unix_path;

/* How much of so many bytes is the next message. */
static inline size_t
echo_next (size_t left)
{
  return echo_message_size > 0 && echo_message_size < left ? echo_message_size : left;
}

void echo_init (const char *name);
int echo_listen (void);
int echo_bind_udp (void);
void echo_set_udp_buffers (int fd);
void echo_ready (unsigned int port, const char *inspector);
bool echo_control (void);
void echo_finish (void);
