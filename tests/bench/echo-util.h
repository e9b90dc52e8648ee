/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the echo servers share
 *
 * Each server prints {"port": N, "inspector": PATH} on standard output, and serves until the end
 * of standard input.  A 'b' and an 'e' on standard input mark the beginning
 * and the end of a measured time; at the 'e' it prints the CPU time and the
 * requests of that time.  Without marks it prints those of its whole life at
 * the end.
 */

#pragma once

#include <stdbool.h>
#include <stdint.h>

#define ECHO_BUFFER_SIZE (64 * 1024)

/* One per chunk of bytes, or datagram, that was received and sent back. */
extern uint64_t echo_requests;

void echo_init (const char *name);
int echo_listen (void);
int echo_bind_udp (void);
void echo_set_udp_buffers (int fd);
void echo_ready (unsigned int port, const char *inspector);
bool echo_control (void);
void echo_finish (void);
