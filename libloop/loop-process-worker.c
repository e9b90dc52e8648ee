/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-process-worker-private.h"

#include "loop-process-frame-private.h"
#include "loop-process-function-private.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void
send_frame (const LoopProcessFrame *frame, int fd)
{
  gsize offset = 0;

  while (offset < frame->size)
    {
      gssize n = loop_process_frame_send (frame, offset, fd);

      /* Nobody is left to tell. */
      if (n < 0)
        _exit (EXIT_FAILURE);
      offset += n;
    }
}

static LoopProcessFrame *
run_job (GVariant *call)
{
  g_autoptr (GVariant) parameters = NULL;
  g_autoptr (GVariant) result = NULL;
  g_autoptr (GError) error = NULL;
  LoopProcessFrame *frame;
  const char *name;

  g_variant_get (call, "(&sv)", &name, &parameters);
  result = loop_process_function_call (name, parameters, &error);
  if (result == NULL)
    return loop_process_frame_new_error (error);

  frame = loop_process_frame_new (LOOP_PROCESS_FRAME_RESULT, g_variant_new_variant (result), &error);

  return frame != NULL ? frame : loop_process_frame_new_error (error);
}

/* A function may call exit(), but what the parent wants done at its own exit is not for us to do. */
static void
leave (int status, void *data)
{
  fflush (NULL);
  _exit (status);
}

/* Runs jobs, one after the other, until the other end of the socket is closed. */
void
loop_process_worker_main (int fd)
{
  LoopProcessFrameReader reader = { 0 };

  on_exit (leave, NULL);

  while (loop_process_frame_reader_receive (&reader, fd) == LOOP_PROCESS_FRAME_COMPLETE)
    {
      LoopProcessFrameKind kind;
      g_autoptr (GVariant) call = loop_process_frame_reader_take (&reader, &kind);
      g_autoptr (LoopProcessFrame) frame = run_job (call);

      /* Whoever has the result has what was printed as well. */
      fflush (NULL);
      send_frame (frame, fd);
    }

  _exit (EXIT_SUCCESS);
}
