/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include "loop-process-private.h"

#include "loop-error-private.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Has a worker forked. Whether that has succeeded is told on its status socket; it can be given a job meanwhile. */
LoopProcess *
loop_process_new (LoopZygote *zygote, GError **error)
{
  LoopProcess *self;
  int fds[2];
  int status_fds[2];
  gboolean success;

  if (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
    {
      loop_set_error_from_errno (error, errno, "Cannot make a socket for a worker");
      return NULL;
    }
  if (socketpair (AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, status_fds) < 0)
    {
      loop_set_error_from_errno (error, errno, "Cannot make a socket for a worker");
      close (fds[0]);
      close (fds[1]);
      return NULL;
    }

  /* The worker's end blocks. */
  fcntl (fds[0], F_SETFL, O_NONBLOCK);
  self = g_new0 (LoopProcess, 1);
  self->fd = fds[0];
  self->status_fd = status_fds[0];
  success = loop_zygote_fork_worker (zygote, fds[1], status_fds[1], error);
  close (fds[1]);
  close (status_fds[1]);
  if (!success)
    g_clear_pointer (&self, loop_process_free);

  return self;
}

void
loop_process_free (LoopProcess *self)
{
  g_assert (self->job == NULL);

  loop_process_dismiss (self);
  close (self->status_fd);
  loop_process_frame_reader_clear (&self->reader);
  g_free (self);
}

/* To be sent with loop_process_send(). */
void
loop_process_give (LoopProcess *self, LoopExecutorJob *job)
{
  g_assert (loop_process_is_idle (self));

  self->job = job;
  self->sent = 0;
}

/* Sends what there is to send and can be. Returns: %FALSE if nobody receives it */
gboolean
loop_process_send (LoopProcess *self)
{
  while (loop_process_is_sending (self))
    {
      gssize n = loop_process_frame_send (self->job->user_data, self->sent, self->fd);

      if (n < 0)
        return errno == EAGAIN;
      self->sent += n;
    }

  return TRUE;
}

static gboolean
set_outcome (LoopExecutorJob *job, LoopProcessFrameKind kind, GVariant *content)
{
  const char *domain;
  const char *message;
  int code;

  if (kind == LOOP_PROCESS_FRAME_CALL || !g_variant_is_normal_form (content))
    return FALSE;

  if (kind == LOOP_PROCESS_FRAME_RESULT)
    {
      g_value_init (&job->result, G_TYPE_VARIANT);
      g_value_take_variant (&job->result, g_variant_get_variant (content));
      job->outcome = LOOP_EXECUTOR_JOB_RETURNED;
    }
  else
    {
      g_variant_get (content, "(&si&s)", &domain, &code, &message);
      job->error = g_error_new_literal (g_quark_from_string (domain), code, message);
      job->outcome = LOOP_EXECUTOR_JOB_RAISED;
    }

  return TRUE;
}

/* Receives what there is; of a job that is done, the outcome. */
LoopProcessStatus
loop_process_receive (LoopProcess *self)
{
  g_autoptr (GVariant) content = NULL;
  LoopProcessFrameKind kind;

  switch (loop_process_frame_reader_receive (&self->reader, self->fd))
    {
    case LOOP_PROCESS_FRAME_INCOMPLETE:
      return LOOP_PROCESS_PENDING;
    case LOOP_PROCESS_FRAME_END:
      return LOOP_PROCESS_GONE;
    case LOOP_PROCESS_FRAME_COMPLETE:
      break;
    case LOOP_PROCESS_FRAME_INVALID:
    default:
      return LOOP_PROCESS_BROKEN;
    }

  content = loop_process_frame_reader_take (&self->reader, &kind);
  if (self->job == NULL || loop_process_is_sending (self) || !set_outcome (self->job, kind, content))
    return LOOP_PROCESS_BROKEN;

  return LOOP_PROCESS_DONE;
}

/* Returns: %FALSE if there is nothing to read */
gboolean
loop_process_read_report (LoopProcess *self, LoopZygoteReport *report)
{
  gssize n;

  do
    n = recv (self->status_fd, report, sizeof *report, 0);
  while (n < 0 && errno == EINTR);

  if (n < 0 && errno == EAGAIN)
    return FALSE;
  if (n != sizeof *report)
    *report = (LoopZygoteReport) { .event = LOOP_ZYGOTE_GONE };

  return TRUE;
}

/* Lets it end, when it has done its job. */
void
loop_process_dismiss (LoopProcess *self)
{
  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
  if (self->info != NULL)
    loop_executor_worker_set_ending (self->info);
}

/* If it has ended already, the zygote tells how; nothing is changed by this. */
void
loop_process_kill (LoopProcess *self)
{
  loop_process_dismiss (self);
  shutdown (self->status_fd, SHUT_WR);
}
