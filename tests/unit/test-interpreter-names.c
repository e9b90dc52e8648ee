/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "loop-steps.h"

#include "loop-fd-watcher-private.h"
#include "loop-interpreter-hooks.h"
#include "loop-protocol-vtable-private.h"

#include <sys/socket.h>
#include <unistd.h>

/* The names that an interpreter has for its functions: they are taken as they are, not copied. */

static const char name[] = "spam.<locals>.<lambda> spam.py:7";

static void
nothing (gpointer user_data)
{
}

START_TEST (test_handle)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  LoopHandle *handle = loop_event_loop_call_soon (loop, nothing, NULL, NULL);
  LoopDescription description = { 0 };

  loop_handle_set_static_name (handle, name);
  ck_assert_ptr_eq (loop_handle_get_name (handle), name);
  loop_ready_item_describe (&handle->item, &description);
  ck_assert_ptr_eq (description.name, name);

  loop_handle_set_static_name (handle, NULL);
  ck_assert_ptr_null (loop_handle_get_name (handle));
  loop_event_loop_close (loop);
}
END_TEST

static const char *
get_watch_name (LoopEventLoop *loop, int fd, gboolean is_writer)
{
  LoopWatch *watch = loop_poller_lookup (&loop->poller, fd);
  LoopDescription description = { 0 };

  watch->klass->describe (watch, is_writer, &description);
  ck_assert_ptr_eq (description.function, nothing);

  return description.name;
}

START_TEST (test_watches)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  int fds[2];

  ck_assert_int_eq (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  loop_event_loop_name_reader (loop, fds[0], name);
  ck_assert (loop_event_loop_add_reader (loop, fds[0], nothing, NULL, NULL));
  ck_assert (loop_event_loop_add_writer (loop, fds[0], nothing, NULL, NULL));
  ck_assert_ptr_null (get_watch_name (loop, fds[0], FALSE));

  loop_event_loop_name_reader (loop, fds[0], name);
  ck_assert_ptr_eq (get_watch_name (loop, fds[0], FALSE), name);
  ck_assert_ptr_null (get_watch_name (loop, fds[0], TRUE));
  loop_event_loop_name_writer (loop, fds[0], name + 5);
  ck_assert_ptr_eq (get_watch_name (loop, fds[0], TRUE), name + 5);

  /* Another callback has another name. */
  ck_assert (loop_event_loop_add_reader (loop, fds[0], nothing, NULL, NULL));
  ck_assert_ptr_null (get_watch_name (loop, fds[0], FALSE));

  loop_event_loop_close (loop);
  loop_event_loop_name_reader (loop, fds[0], name);
  close (fds[0]);
  close (fds[1]);
}
END_TEST

START_TEST (test_protocol)
{
  static const LoopProtocolVTable vtable = { NULL };
  g_autoptr (LoopProtocol) protocol = loop_protocol_new (&vtable, NULL, NULL);
  g_autoptr (GObject) other = g_object_new (G_TYPE_OBJECT, NULL);

  ck_assert_ptr_null (loop_vtable_protocol_get_name (G_OBJECT (protocol)));
  loop_protocol_set_static_name (protocol, name);
  ck_assert_ptr_eq (loop_vtable_protocol_get_name (G_OBJECT (protocol)), name);
  ck_assert_ptr_null (loop_vtable_protocol_get_name (other));
}
END_TEST

START_TEST (test_observers)
{
  const int *observers = loop_interpreter_peek_observers ();

  ck_assert_int_eq (*observers, 0);
  loop_event_loop_n_observers++;
  ck_assert_int_eq (*observers, 1);
  loop_event_loop_n_observers--;
}
END_TEST

START_TEST (test_traceback)
{
  g_autoptr (LoopEventLoop) loop = loop_event_loop_new ();
  guint64 id = loop_interpreter_reserve_id ();
  g_autofree char *traceback = NULL;
  g_autofree char *origin = NULL;

  ck_assert_uint_gt (loop_interpreter_reserve_id (), id);
  loop_interpreter_record_traceback (loop, id, "  spam.py:1 main\n  spam.py:7 spam\n");
  traceback = loop_traceback_to_string (id);
  origin = loop_traceback_get_origin (id);
  ck_assert_str_eq (traceback, "  spam.py:1 main\n  spam.py:7 spam\n");
  ck_assert_str_eq (origin, "spam.py:7 spam");
  ck_assert_int_gt (loop_traceback_get_time (id), 0);

  loop_interpreter_forget_traceback (id);
  ck_assert_ptr_null (loop_traceback_get_origin (id));
  loop_event_loop_close (loop);
}
END_TEST

LOOP_TEST_MAIN ("interpreter-names", test_handle, test_watches, test_protocol, test_observers, test_traceback)
