/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the senders of files share
 *
 * A file in memory, and a process on the other CPU that reads what comes and throws it away. When
 * it has got all, it says so by a byte.
 */

#pragma once

#include <stdint.h>

#define SINK_MIB (1024 * 1024)

/* So many MiB: a thousand and twenty-four, scaled. */
uint64_t sink_mib (const char *scale);
int sink_open_file (uint64_t mib);
/* Returns a connected blocking socket. */
int sink_connect (uint64_t mib);
void sink_wait (int fd);
