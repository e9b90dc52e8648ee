/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A file that is sent by nothing but sendfile(), to a socket that blocks */

#include "config.h"

#include <stdio.h>
#include <sys/sendfile.h>

#include "bench-sink.h"
#include "bench-util.h"

int
main (int argc, char **argv)
{
  uint64_t mib = sink_mib (argc > 1 ? argv[1] : NULL);
  BenchTime begin;
  off_t offset = 0;
  int file, fd;

  bench_init (120);
  bench_pin (BENCH_ROLE_MEASURED);
  file = sink_open_file (mib);
  fd = sink_connect (mib);

  bench_begin (&begin);
  while ((uint64_t) offset < mib * SINK_MIB)
    if (sendfile (fd, file, &offset, mib * SINK_MIB - (uint64_t) offset) <= 0)
      {
        perror ("sendfile");
        return 1;
      }
  sink_wait (fd);
  bench_report_time ("sendfile", mib, &begin);
  return 0;
}
