/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-event-loop-private.h"
#include "loop-incoming-private.h"

#include <dlfcn.h>
#include <errno.h>
#include <unistd.h>

/* The loop cannot be woken: a kernel that never says so. The write() of this program stands before the real one. */

typedef ssize_t (*Write) (int fd, const void *data, size_t length);

static struct
{
  int fd;
  int error;
  guint n_failures; /* to come */
  guint n_calls;
} fault = { .fd = -1 };

ssize_t
write (int fd, const void *data, size_t length)
{
  Write real = (Write) dlsym (RTLD_NEXT, "write");

  if (fd == fault.fd && __atomic_add_fetch (&fault.n_calls, 1, __ATOMIC_RELAXED) <= fault.n_failures)
    {
      errno = fault.error;
      return -1;
    }

  return real (fd, data, length);
}

typedef struct
{
  LoopEventLoop *loop;
  guint n_posts;
  guint n_run;
} Posts;

static void
run_post (gpointer data)
{
  Posts *self = data;

  if (++self->n_run == self->n_posts)
    loop_event_loop_stop (self->loop);
}

static void
give_up (gpointer loop)
{
  ck_abort_msg ("the loop was not woken");
}

/* The first when the loop sleeps, the others after it. */
static gpointer
post_all (gpointer data)
{
  Posts *self = data;

  while (!__atomic_load_n (&self->loop->incoming->is_asleep, __ATOMIC_RELAXED))
    g_usleep (1000);
  for (guint i = 0; i < self->n_posts; i++)
    ck_assert (loop_event_loop_call_soon_threadsafe (self->loop, run_post, self, NULL, NULL, NULL));

  return NULL;
}

/* @n_failures of the writes fail, then they work again. Nothing else wakes the loop. */
static void
check_posts (int error, guint n_failures, guint n_posts)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  Posts posts = { .loop = loop, .n_posts = n_posts };
  GThread *thread;

  loop_event_loop_call_later (loop, 15.0, give_up, loop, NULL);
  fault.fd = loop->incoming->wakeup_fd;
  fault.error = error;
  fault.n_failures = n_failures;
  thread = g_thread_new ("posts", post_all, &posts);
  ck_assert (loop_event_loop_run_forever (loop));
  g_thread_join (thread);
  fault.fd = -1;
  ck_assert_uint_eq (posts.n_run, n_posts);
  ck_assert_uint_gt (fault.n_calls, n_failures);
}

START_TEST (test_interrupted) { check_posts (EINTR, 3, 1); }
END_TEST

/* It is said aloud, and the next post wakes the loop for both. */
START_TEST (test_fails_once)
{
  loop_check_expect_critical ("*Could not wake the event loop: Input/output error*");
  check_posts (EIO, 1, 2);
}
END_TEST

/* Whatever else wakes the loop brings it to what it was not woken for; and it can be closed. */
START_TEST (test_fails_for_ever)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  loop_check_expect_critical ("*Could not wake the event loop: Input/output error*");
  run_once (loop);
  fault.fd = loop->incoming->wakeup_fd;
  fault.error = EIO;
  fault.n_failures = G_MAXUINT;
  __atomic_store_n (&loop->incoming->is_asleep, TRUE, __ATOMIC_RELAXED);
  ck_assert (loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('a'), step_destroy, NULL, NULL));
  ck_assert_uint_eq (fault.n_calls, 1);
  run_for (loop, 0.01);
  check_steps ("aA");

  loop_check_expect_critical ("*Could not wake the event loop: Input/output error*");
  __atomic_store_n (&loop->incoming->is_asleep, TRUE, __ATOMIC_RELAXED);
  ck_assert (loop_event_loop_call_soon_threadsafe (loop, step_run, step_new ('b'), step_destroy, NULL, NULL));
  ck_assert (loop_event_loop_close (loop));
  check_steps ("B");
}
END_TEST

LOOP_TEST_MAIN ("threadsafe-wakeup", test_interrupted, test_fails_once, test_fails_for_ever)
