/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "process-check.h"

#include "loop-process-frame-private.h"
#include "tsan-gio.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Workers that end in the middle of a job, or speak nonsense: the job fails, and the others do not. */

static void
wait_for_n_workers (LoopProcessPoolExecutor *pool, guint n)
{
  for (int i = 0; i < 10000 && loop_process_pool_executor_get_n_workers (pool) != n; i++)
    g_usleep (1000);
  ck_assert_uint_eq (loop_process_pool_executor_get_n_workers (pool), n);
}

START_TEST (test_killed)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (1);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *future;
  LoopFuture *queued[3];
  int worker;
  int zygote;
  int worker_after;

  get_pids (pool, loop, &worker, &zygote);
  future = call (pool, loop, "gate", NULL);
  for (int i = 0; i < 3; i++)
    queued[i] = call (pool, loop, "add", "(1, 2)");
  await_gate (1);
  kill (worker, SIGKILL);
  check_broken (future, "Worker process * was killed by signal 9 (Killed) before its job was done");
  for (int i = 0; i < 3; i++)
    check_result (queued[i], "3");
  get_pids (pool, loop, &worker_after, &zygote);
  ck_assert_int_ne (worker_after, worker);
  ck_assert_uint_eq (loop_process_pool_executor_get_n_workers (pool), 1);
}
END_TEST

START_TEST (test_signals_and_exits)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (2);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  g_autofree char *text = g_strdup_printf ("* was killed by signal %d (*", SIGUSR1);
  g_autofree char *parameters = g_strdup_printf ("(%d,)", SIGUSR1);
  LoopFuture *killed = call (pool, loop, "die", parameters);
  LoopFuture *ended = call (pool, loop, "exit", "(3,)");
  LoopFuture *ended_well = call (pool, loop, "exit", "(0,)");
  LoopFuture *fine = call (pool, loop, "add", "(1, 2)");

  check_broken (killed, text);
  check_broken (ended, "Worker process * exited with status 3 before its job was done");
  check_broken (ended_well, "Worker process * exited with status 0 before its job was done");
  check_result (fine, "3");
}
END_TEST

/* With nothing to do: nobody is told. */
START_TEST (test_idle)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (1);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  int worker;
  int zygote;

  for (int i = 0; i < 20; i++)
    {
      get_pids (pool, loop, &worker, &zygote);
      kill (worker, SIGKILL);
      if (i % 2 == 0)
        wait_for_n_workers (pool, 0);
      else
        while (kill (worker, 0) == 0)
          g_usleep (100);
    }
  check_result (call (pool, loop, "add", "(1, 2)"), "3");
}
END_TEST

/* Its socket: whatever is not standard input, output or error. */
static void
write_socket (const void *data, gsize size)
{
  for (int fd = 3; fd < 64; fd++)
    if (send (fd, data, size, MSG_NOSIGNAL) > 0)
      return;
}

G_GNUC_NORETURN static void
hang (void)
{
  for (;;)
    pause ();
}

static GVariant *
write_garbage (GVariant *parameters, gpointer user_data, GError **error)
{
  write_socket ("HTTP/1.1 200 OK\r\n\r\n", 19);
  hang ();
}

static GVariant *
write_huge_size (GVariant *parameters, gpointer user_data, GError **error)
{
  const guint32 header[] = { LOOP_PROCESS_FRAME_RESULT, G_MAXUINT32 };

  write_socket (header, sizeof header);

  return g_variant_new_string ("and then a result");
}

static GVariant *
write_wrong_kind (GVariant *parameters, gpointer user_data, GError **error)
{
  g_autoptr (LoopProcessFrame) frame =
      loop_process_frame_new (LOOP_PROCESS_FRAME_CALL, g_variant_new ("(sv)", "add", g_variant_new ("()")), NULL);

  write_socket (frame->data, frame->size);
  hang ();
}

/* Of a type that does not exist. */
static GVariant *
write_wrong_variant (GVariant *parameters, gpointer user_data, GError **error)
{
  const struct
  {
    guint32 kind;
    guint32 size;
    char content[8];
  } frame = { LOOP_PROCESS_FRAME_RESULT, 8, "\0\0\0\0\0(?)" };

  write_socket (&frame, sizeof frame);
  hang ();
}

static GVariant *
write_twice (GVariant *parameters, gpointer user_data, GError **error)
{
  g_autoptr (LoopProcessFrame) frame =
      loop_process_frame_new (LOOP_PROCESS_FRAME_RESULT, g_variant_new ("v", g_variant_new_int32 (1)), NULL);
  g_autofree guint8 *twice = g_malloc (2 * frame->size);

  memcpy (twice, frame->data, frame->size);
  memcpy (twice + frame->size, frame->data, frame->size);
  write_socket (twice, 2 * frame->size);
  hang ();
}

START_TEST (test_garbage)
{
  static const struct
  {
    const char *name;
    LoopProcessFunc func;
  } functions[] = {
    { "garbage", write_garbage },       { "huge", write_huge_size }, { "kind", write_wrong_kind },
    { "variant", write_wrong_variant }, { "twice", write_twice },
  };
  g_autoptr (LoopProcessPoolExecutor) pool = NULL;
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  for (guint i = 0; i < G_N_ELEMENTS (functions); i++)
    add_function (functions[i].name, NULL, functions[i].func);
  pool = make_pool (1);
  for (guint i = 0; i < G_N_ELEMENTS (functions); i++)
    {
      LoopFuture *future = call (pool, loop, functions[i].name, NULL);
      LoopFuture *next = call (pool, loop, "add", "(1, 2)");

      check_broken (future, "A worker process sent something that is not a result, and was killed");
      check_result (next, "3");
    }
}
END_TEST

static GVariant *
write_truncated (GVariant *parameters, gpointer user_data, GError **error)
{
  const guint32 header[] = { LOOP_PROCESS_FRAME_RESULT, 100, 1 };

  write_socket (header, sizeof header);
  _exit (4);
}

static GVariant *
write_half_a_header (GVariant *parameters, gpointer user_data, GError **error)
{
  const guint32 kind = LOOP_PROCESS_FRAME_RESULT;

  write_socket (&kind, 3);
  _exit (5);
}

START_TEST (test_truncated)
{
  g_autoptr (LoopProcessPoolExecutor) pool = NULL;
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add_function ("truncated", NULL, write_truncated);
  add_function ("half", NULL, write_half_a_header);
  pool = make_pool (1);
  check_broken (call (pool, loop, "truncated", NULL), "Worker process * exited with status 4 before*");
  check_broken (call (pool, loop, "half", NULL), "Worker process * exited with status 5 before*");
  check_result (call (pool, loop, "add", "(1, 2)"), "3");
}
END_TEST

static GVariant *
send_and_end (GVariant *parameters, gpointer user_data, GError **error)
{
  g_autoptr (LoopProcessFrame) frame =
      loop_process_frame_new (LOOP_PROCESS_FRAME_RESULT, g_variant_new ("v", g_variant_new_int32 (1)), NULL);

  write_socket (frame->data, frame->size);
  _exit (6);
}

/* What it has sent is not lost, though it has ended. */
START_TEST (test_last_words)
{
  g_autoptr (LoopProcessPoolExecutor) pool = NULL;
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add_function ("last", NULL, send_and_end);
  pool = make_pool (1);
  for (int i = 0; i < 100; i++)
    {
      check_result (call (pool, loop, "last", NULL), "1");
      wait_for_n_workers (pool, 0);
    }
}
END_TEST

static GVariant *
close_socket (GVariant *parameters, gpointer user_data, GError **error)
{
  for (int fd = 3; fd < 64; fd++)
    close (fd);
  hang ();
}

START_TEST (test_socket_closed)
{
  g_autoptr (LoopProcessPoolExecutor) pool = NULL;
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();

  add_function ("close", NULL, close_socket);
  pool = make_pool (1);
  check_broken (call (pool, loop, "close", NULL), "Worker process * was killed by signal 9 (Killed) before*");
  check_result (call (pool, loop, "add", "(1, 2)"), "3");
}
END_TEST

/* A big call is still on its way. */
START_TEST (test_killed_while_receiving)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (1);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  gsize size = 32 * 1024 * 1024;
  gpointer data = g_malloc0 (size);
  GVariant *parameters = g_variant_new_from_data (G_VARIANT_TYPE_BYTESTRING, data, size, TRUE, g_free, data);
  LoopFuture *future;
  int worker;
  int zygote;

  get_pids (pool, loop, &worker, &zygote);
  kill (worker, SIGSTOP);
  future = loop_process_pool_executor_submit (pool, loop, "echo", parameters);
  run_for (loop, 0.05);
  ck_assert (!loop_future_done (future));
  kill (worker, SIGKILL);
  check_broken (future, "Worker process * was killed by signal 9 (Killed) before*");
  check_result (call (pool, loop, "add", "(1, 2)"), "3");
}
END_TEST

/* With it all workers end. There is no other: the process has threads. */
START_TEST (test_zygote_killed)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (2);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopFuture *futures[4];
  int worker;
  int zygote;

  /* Or else what ends with the zygote is a zombie of a process that does not care. */
  ck_assert_int_eq (prctl (PR_SET_CHILD_SUBREAPER, 1), 0);
  get_pids (pool, loop, &worker, &zygote);
  for (int i = 0; i < 4; i++)
    futures[i] = call (pool, loop, "gate", NULL);
  await_gate (2);
  kill (zygote, SIGKILL);
  for (int i = 0; i < 4; i++)
    check_broken (futures[i], "The zygote, which forks the workers of process pools, has ended");
  check_broken (call (pool, loop, "add", "(1, 2)"), "The zygote*has ended");
  ck_assert_uint_eq (loop_process_pool_executor_get_n_workers (pool), 0);
  loop_executor_shutdown (LOOP_EXECUTOR (pool), TRUE, FALSE);

  for (int i = 0; i < 2; i++)
    {
      int status;

      ck_assert_int_gt (waitpid (-1, &status, 0), 0);
      ck_assert (WIFSIGNALED (status));
    }
  check_no_children ();
}
END_TEST

START_TEST (test_zygote_killed_idle)
{
  g_autoptr (LoopProcessPoolExecutor) pool = make_pool (2);
  g_autoptr (LoopProcessPoolExecutor) other = make_pool (1);
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  int worker;
  int zygote;

  ck_assert_int_eq (prctl (PR_SET_CHILD_SUBREAPER, 1), 0);
  get_pids (pool, loop, &worker, &zygote);
  kill (zygote, SIGKILL);
  wait_for_n_workers (pool, 0);
  check_broken (call (pool, loop, "add", "(1, 2)"), "The zygote*has ended");
  check_broken (call (other, loop, "add", "(1, 2)"), "The zygote*has ended");
  ck_assert_int_eq (waitpid (worker, NULL, 0), worker);
}
END_TEST

LOOP_TEST_MAIN ("process-pool-crash",
                test_killed,
                test_signals_and_exits,
                test_idle,
                test_garbage,
                test_truncated,
                test_last_words,
                test_socket_closed,
                test_killed_while_receiving,
                test_zygote_killed,
                test_zygote_killed_idle)
