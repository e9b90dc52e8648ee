# SPDX-License-Identifier: LGPL-2.1-or-later
"""What clients can have a loop do, what state they see it in, and what it costs when they do not listen."""

import socket
import statistics
import threading
import time

import peer
import tap


class TestCase(peer.TestCase):
    def setUp(self):
        super().setUp()
        self.target = self.start()
        self.client = self.connect(self.target)
        self.loop = self.target.loop

    def control(self, method, signature="()", *arguments, loop=None):
        return self.client.control(loop or self.loop, method, signature, *arguments)

    def connect_to(self, port):
        connection = socket.create_connection(("127.0.0.1", port), peer.PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def wait_for_state(self, state, loop=None):
        self.wait_for(lambda: self.client.state(loop or self.loop)["state"] == state)

    def ids(self, kind, loop=None):
        return [row["id"] for row in self.client.rows(loop or self.loop, kind)]


class TestActions(TestCase):
    def test_done(self):
        outcome, state = self.control("SetDebug", "(b)", True)
        self.assertEqual((outcome, state["id"], state["debug"]), ("done", self.loop, True))
        outcome, state = self.control("SetSlowCallbackDuration", "(d)", 0.25)
        self.assertEqual((outcome, state["slow_callback_duration"]), ("done", 0.25))
        self.assertEqual(self.target.do("debug"), "1 0.25")
        self.assertEqual(self.control("SetDebug", "(b)", False)[0], "done")
        self.assertEqual(self.control("SetSlowCallbackDuration", "(d)", 0.0)[0], "done")
        self.assertEqual(self.target.do("debug"), "0 0")

    def test_durations(self):
        for seconds in (float("nan"), -1.0, -1e-300, float("-inf")):
            self.assertRefused("InvalidArgument", self.control, "SetSlowCallbackDuration", "(d)", seconds)
        self.assertEqual(self.target.do("debug"), "0 0.1")
        for seconds in (float("inf"), 1e300, 5e-324, -0.0):
            self.assertEqual(self.control("SetSlowCallbackDuration", "(d)", seconds)[0], "done")
        self.assertEqual(self.target.process.poll(), None)

    def test_cancel_timer(self):
        first, last = map(int, self.target.do("timers 3").split())
        self.assertEqual(self.control("Cancel", "(t)", first + 1)[0], "done")
        self.assertEqual(self.ids("timers"), [first, last])
        self.assertRefused("NotFound", self.control, "Cancel", "(t)", first + 1)

    def test_cancel_future(self):
        future = self.target.number("future")
        self.assertIn(future, self.ids("futures"))
        self.assertEqual(self.control("Cancel", "(t)", future)[0], "done")
        self.assertNotIn(future, [row["id"] for row in self.client.rows(self.loop, "futures")
                                  if row["state"] == "pending"])
        self.assertRefused("NotFound", self.control, "Cancel", "(t)", future)

    def test_stale_ids(self):
        timer = self.target.number("timers 1")
        for method in ("Cancel", "CloseServer", "StartServer", "CloseTransport", "AbortTransport"):
            for id in (0, 1 << 62, (1 << 64) - 1):
                self.assertRefused("NotFound", self.control, method, "(t)", id)
        for method in ("CloseServer", "StartServer", "CloseTransport", "AbortTransport"):
            self.assertRefused("NotFound", self.control, method, "(t)", timer)
        self.assertEqual(self.ids("timers"), [timer])

    def block(self, seconds):
        blocker = self.target.number(f"block {seconds}")
        self.wait_for(lambda: self.client.state(self.loop).get("handle") == blocker)
        return blocker

    def test_queued(self):
        timer = self.target.number("timers 1")
        self.block(1)
        start = time.monotonic()
        outcome, state = self.control("Cancel", "(t)", timer)
        self.assertEqual((outcome, state["state"], state["name"]), ("queued", "blocked", "on_read"))
        self.assertLess(time.monotonic() - start, 0.6)
        outcome, state = self.control("SetDebug", "(b)", True)
        self.assertEqual((outcome, state["debug"]), ("queued", False))
        self.assertIn(timer, self.ids("timers"))
        self.wait_for(lambda: timer not in self.ids("timers"))
        self.wait_for(lambda: self.client.state(self.loop)["debug"])
        self.assertEqual(self.control("SetDebug", "(b)", False)[0], "done")

    def test_performed_once(self):
        # Had it been done twice, the second Stop would end the second run.
        self.block(0.7)
        self.assertEqual(self.control("Stop")[0], "queued")
        self.wait_for_state("stopped")
        self.target.do("run")
        self.wait_for_state("polling")
        time.sleep(0.3)
        self.assertEqual(self.client.state(self.loop)["state"], "polling")

    def test_cancel_while_blocked(self):
        self.block(0.6)
        posted = self.target.number("post 10")
        rows = [row["id"] for row in self.client.rows(self.loop, "handles") if row["state"] == "incoming"]
        self.assertIn(posted, rows)
        before = self.target.number("count")
        # Of two that have been posted, one with a handle and one without; that they come first is known.
        for id in (posted, rows[3]):
            outcome, _ = self.control("Cancel", "(t)", id)
            self.assertEqual(outcome, "queued")
        self.wait_for(lambda: self.client.state(self.loop)["state"] == "polling")
        # They were posted earlier than the orders to cancel them, and run earlier.
        self.assertEqual(self.target.number("count") - before, 10)

    def test_cancel_handle_of_stopped_loop(self):
        other = self.target.number("new")
        posted = self.target.number("@1 post 10")
        rows = self.client.rows(other, "handles")
        self.assertEqual(len(rows), 10)
        self.assertEqual({row["state"] for row in rows}, {"incoming"})
        self.assertIn(posted, [row["id"] for row in rows])

    def test_timeout(self):
        self.assertEqual(self.control("Stop")[0], "done")
        self.wait_for_state("stopped")
        start = time.monotonic()
        outcome, state = self.control("SetDebug", "(b)", True)
        waited = time.monotonic() - start
        self.assertEqual((outcome, state["state"], state["debug"]), ("timeout", "stopped", False))
        self.assertGreater(waited, 0.8)
        self.assertLess(waited, 2)
        # It stays queued.
        self.target.do("run")
        self.wait_for(lambda: self.client.state(self.loop)["debug"])

    def test_no_wait_for_others(self):
        # One client's action that waits does not keep another's from being answered.
        self.control("Stop")
        self.wait_for_state("stopped")
        thread = threading.Thread(target=self.control, args=("SetDebug", "(b)", True))
        thread.start()
        other = self.connect(self.target)
        for _ in range(20):
            start = time.monotonic()
            other.state(self.loop)
            self.assertLess(time.monotonic() - start, 0.2)
        thread.join()

    def test_many_actions(self):
        first, last = map(int, self.target.do("timers 500").split())
        for id in range(first, last + 1):
            self.assertEqual(self.control("Cancel", "(t)", id)[0], "done")
        self.assertEqual(self.ids("timers"), [])

    def test_read_only(self):
        target = self.start(LOOP_INSPECT="read")
        client = self.connect(target)
        for method, signature, argument in (("Cancel", "(t)", 1), ("CloseServer", "(t)", 1), ("StartServer", "(t)", 1),
                                            ("CloseTransport", "(t)", 1), ("AbortTransport", "(t)", 1),
                                            ("SetDebug", "(b)", True), ("SetSlowCallbackDuration", "(d)", 1.0)):
            self.assertRefused("AccessDenied", client.control, target.loop, method, signature, argument)
        self.assertRefused("AccessDenied", client.control, target.loop, "Stop")
        self.assertRefused("AccessDenied", client.control, 999999, "Stop")
        self.assertEqual(target.do("debug"), "0 0.1")
        # What asked for that may not have returned yet.
        self.wait_for(lambda: client.state(target.loop)["state"] == "polling")

    def test_closed_loop(self):
        other = self.target.number("new")
        self.target.do("@1 close-idle")
        with self.assertRaises(peer.Refused) as context:
            self.control("SetDebug", "(b)", True, loop=other)
        self.assertIn(context.exception.name, ("Closed", "NotFound"))
        self.assertEqual(self.client.state(other)["state"], "closed")
        for kind in ("handles", "timers", "watches", "transports", "servers", "futures"):
            self.client.rows(other, kind)
        self.assertEqual(self.client.metrics(other)["iterations"], 0)

    def test_closed_while_it_waits(self):
        other = self.target.number("new")
        results = []

        def act():
            try:
                results.append(self.control("SetDebug", "(b)", True, loop=other))
            except peer.Refused as error:
                results.append(error.name)

        thread = threading.Thread(target=act)
        thread.start()
        self.wait_for(lambda: self.connect(self.target).rows(other, "handles"))
        self.target.do("@1 close-idle")
        thread.join()
        self.assertEqual(results, ["Closed"])

    def test_client_leaves_while_it_waits(self):
        self.control("Stop")
        self.wait_for_state("stopped")
        for _ in range(10):
            raw = self.raw(self.target)
            peer.authenticate(raw)
            raw.sendall(peer.message(f"/org/libloop/Loop1/{self.loop}", "org.libloop.Control1", "SetDebug", "(b)", True))
            raw.close()
        time.sleep(1.2)
        self.target.do("run")
        self.wait_for(lambda: self.client.state(self.loop)["debug"])
        self.assertEqual(self.target.end(), (0, ""))

    def test_stop_inspector_while_it_is_used(self):
        stop = threading.Event()
        target = self.start(LOOP_INSPECT=None)

        def use():
            while not stop.is_set():
                try:
                    client = target.connect()
                    client.rows(target.loop, "timers")
                    client.control(target.loop, "SetDebug", "(b)", True)
                except (peer.GLib.Error, peer.Refused, ValueError):
                    pass

        target.do("timers 100")
        threads = [threading.Thread(target=use) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(50):
            target.do("start control")
            time.sleep(0.02)
            target.do("stop")
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(target.end()[0], 0)

    def test_server(self):
        port, server = map(int, self.target.do("serve 0").split())
        row, = self.client.rows(self.loop, "servers")
        self.assertEqual((row["id"], row["state"]), (server, "idle"))
        self.assertEqual(self.control("StartServer", "(t)", server)[0], "done")
        self.assertEqual(self.control("StartServer", "(t)", server)[0], "done")
        connection = self.connect_to(port)
        connection.sendall(b"x")
        self.assertEqual(connection.recv(1), b"x")
        self.assertEqual(self.control("CloseServer", "(t)", server)[0], "done")
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
        # Connections outlive it.
        connection.sendall(b"y")
        self.assertEqual(connection.recv(1), b"y")
        self.assertRefused("NotFound", self.control, "CloseServer", "(t)", server)
        self.assertRefused("NotFound", self.control, "StartServer", "(t)", server)

    def test_transport(self):
        port = self.target.number("serve")
        for method in ("CloseTransport", "AbortTransport"):
            connection = self.connect_to(port)
            connection.sendall(b"x")
            self.assertEqual(connection.recv(1), b"x")
            row, = self.client.rows(self.loop, "transports")
            self.assertEqual(self.control(method, "(t)", row["id"])[0], "done")
            self.assertEqual(peer.read_all(connection), b"")
            self.wait_for(lambda: not self.ids("transports"))
            self.assertRefused("NotFound", self.control, method, "(t)", row["id"])

    def test_stop(self):
        outcome, _ = self.control("Stop")
        self.assertEqual(outcome, "done")
        self.wait_for_state("stopped")


class TestState(TestCase):
    def test_states(self):
        self.wait_for_state("polling")
        self.target.do("load 1")
        self.wait_for(lambda: self.client.state(self.loop)["state"] == "running")
        self.target.do("load 0")
        self.wait_for_state("polling")
        self.assertNotIn("handle", self.client.state(self.loop))
        self.control("Stop")
        self.wait_for_state("stopped")
        other = self.target.number("new")
        self.assertEqual(self.client.state(other)["state"], "stopped")
        self.target.do("@1 close-idle")
        self.assertEqual(self.client.state(other)["state"], "closed")

    def check_blocked(self, loop, prefix):
        blocker = self.target.number(f"{prefix}block 2")
        start = time.monotonic()
        self.wait_for_state("blocked", loop)
        self.assertGreater(time.monotonic() - start, 0.08)
        times = []
        previous = 0
        for _ in range(20):
            for call in (lambda: self.client.list_raw(loop, "handles")[3], lambda: self.client.state(loop),
                         lambda: self.client.loop(loop, "GetMetrics")[1]):
                before = time.monotonic()
                state = call()
                times.append(time.monotonic() - before)
                self.assertEqual((state["state"], state["handle"], state["name"], state["kind"]),
                                 ("blocked", blocker, "on_read", "handle"))
                self.assertGreaterEqual(state["seconds"], previous)
                self.assertLess(abs(state["seconds"] - (before - start)), 0.2)
                previous = state["seconds"]
        self.assertLess(max(times), 0.2)
        rows = self.client.rows(loop, "handles")
        self.assertEqual([row["id"] for row in rows if row["state"] == "running"], [blocker])
        self.wait_for_state("polling", loop)

    def test_blocked(self):
        self.check_blocked(self.loop, "")

    def test_foreign_context(self):
        loop = self.target.number("foreign")
        self.wait_for_state("polling", loop)
        self.assertEqual(self.control("SetDebug", "(b)", True, loop=loop)[0], "done")
        self.assertEqual(self.control("SetDebug", "(b)", False, loop=loop)[0], "done")
        self.check_blocked(loop, "@1 ")
        timer = self.target.number("@1 timers 1")
        self.assertEqual(self.ids("timers", loop), [timer])
        self.assertEqual(self.ids("timers"), [])
        self.assertEqual(self.control("Cancel", "(t)", timer, loop=loop)[0], "done")

    def test_quantiles(self):
        # 60 of 1 ms, 35 of 10 ms and 5 of 100 ms, and little else.
        self.target.do("spin 1 60")
        self.target.do("spin 10 35")
        self.target.do("spin 100 5")
        deadline = time.monotonic() + peer.PATIENCE
        while self.client.metrics(self.loop)["callbacks"] < 100 or self.client.state(self.loop)["state"] != "polling":
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        # How long they took by their own account: preemption takes wall time as well.
        spins = sorted(map(float, self.target.do("spins").split()))
        self.assertEqual(len(spins), 100)
        metrics = self.client.metrics(self.loop)
        # Buckets are a fifth wide at most, and the commands themselves are callbacks, too: some tens of short ones.
        for name, low, high in (("p50", 20, 60), ("p90", 80, 95), ("p99", 94, 99)):
            self.assertGreater(metrics[f"duration_{name}"], spins[low] * 0.75, name)
            self.assertLess(metrics[f"duration_{name}"], spins[high] * 1.3 + 0.001, name)
        self.assertGreaterEqual(metrics["duration_max"], spins[-1])
        # A timer that is due while a callback blocks the loop is late.
        self.target.do("timers 1 0.1")
        self.target.do("block 0.4")
        self.wait_for(lambda: self.client.metrics(self.loop)["lag_max"] >= 0.2)

    def test_busy_and_poll(self):
        def measure():
            # By the loop's own clock, when the callback that answers begins.
            return map(float, self.target.do("metrics").split()[2:])

        self.target.do("soon")
        time.sleep(0.1)
        busy, poll, start = measure()
        for _ in range(15):
            self.target.do("spin 50 1")
            time.sleep(0.1)
        busy_end, poll_end, end = measure()
        wall = end - start
        self.assertGreater(wall, 1)
        self.assertGreater(busy_end - busy, 0.7)
        # Two times of one callback are missing or too many: its own until it asks.
        self.assertLess(abs((busy_end - busy) + (poll_end - poll) - wall), wall * 0.01 + 0.002)

    def test_metrics_agree(self):
        self.target.do("timers 5 0")
        time.sleep(0.1)
        # The commands are callbacks themselves.
        iterations, callbacks = map(int, self.target.do("metrics").split()[:2])
        time.sleep(0.05)
        metrics = self.client.metrics(self.loop)
        self.assertGreaterEqual(metrics["callbacks"], callbacks)
        self.assertLessEqual(metrics["callbacks"], callbacks + 1)
        self.assertGreaterEqual(metrics["iterations"], iterations)


class TestBackPressure(TestCase):
    def test_deaf_client(self):
        self.target.do("timers 1000")
        port = self.target.number("serve")
        echo = self.connect_to(port)
        deaf = self.raw(self.target)
        peer.authenticate(deaf)
        self.client.rows(self.loop, "timers")
        before = self.target.rss
        path = f"/org/libloop/Loop1/{self.loop}"
        deaf.settimeout(5)
        try:
            for i in range(10000):
                deaf.sendall(peer.message(path, "org.libloop.Loop1", "List", "(sa{sv}ssu)", "timers", {}, "", "", 0,
                                          serial=i + 1))
        except (BrokenPipeError, ConnectionResetError, socket.timeout):
            pass
        # The loop goes on, and others are served.
        delays = []
        for _ in range(50):
            start = time.monotonic()
            echo.sendall(b"x")
            self.assertEqual(echo.recv(1), b"x")
            delays.append(time.monotonic() - start)
        self.assertLess(statistics.median(delays), 0.05)
        self.assertEqual(len(self.client.rows(self.loop, "timers")), 1000)
        time.sleep(1)
        growth = self.target.rss - before
        print(f"10,000 unread answers take {growth / 1e6:.1f} MB")
        # Unlimited, they would take 150 MB.
        self.assertLess(growth, 16 << 20)

    def test_pipelining_client(self):
        # Who reads what it asked for, if late, gets all of it.
        self.target.do("timers 300")
        raw = self.raw(self.target)
        peer.authenticate(raw)
        path = f"/org/libloop/Loop1/{self.loop}"
        raw.sendall(b"".join(peer.message(path, "org.libloop.Loop1", "List", "(sa{sv}ssu)", "timers", {}, "", "", 100,
                                          serial=i + 1) for i in range(30)))
        time.sleep(0.3)
        for i in range(30):
            reply = peer.read_message(raw)
            self.assertEqual(reply.get_reply_serial(), i + 1)
            self.assertEqual(reply.get_body().get_child_value(0).n_children(), 100)

    def test_client_that_asks_and_does_not_read(self):
        # The answer to the first call cannot be written, and the others are still there to be read.
        calls = peer.message(f"/org/libloop/Loop1/{self.loop}", "org.libloop.Loop1", "GetState") * 100
        for _ in range(200):
            raw = self.raw(self.target)
            peer.authenticate(raw)
            raw.shutdown(socket.SHUT_RD)
            try:
                for _ in range(20):
                    raw.sendall(calls)
            except (BrokenPipeError, ConnectionResetError):
                pass
            raw.close()
        self.assertEqual(len(self.client.loops()), 1)
        self.assertEqual(self.target.end(), (0, ""))

    def test_calls_without_reply_are_counted(self):
        other = self.target.number("new")
        # Nobody runs it: each of these waits.
        action = peer.message(f"/org/libloop/Loop1/{other}", "org.libloop.Control1", "SetDebug", "(b)", True,
                              expects_reply=False)
        raw = self.raw(self.target)
        peer.authenticate(raw)
        raw.sendall(action * 256)
        time.sleep(0.2)
        raw.setblocking(False)
        with self.assertRaises(BlockingIOError):
            raw.recv(1)
        raw.settimeout(peer.PATIENCE)
        # One more is enough, but the first may be done by now.
        raw.sendall(action * 257)
        self.assertEqual(peer.read_all(raw), b"")

    def test_calls_without_reply(self):
        # Any number of them, as long as they do not wait; there is no answer, not even that there is no such thing.
        self.target.do("timers 256")
        path = f"/org/libloop/Loop1/{self.loop}"
        listing = peer.message(path, "org.libloop.Loop1", "List", "(sa{sv}ssu)", "timers", {}, "", "", 0,
                               expects_reply=False)
        unknown = [peer.message(*call, expects_reply=False) for call in (
            ("/nowhere", "org.libloop.Loop1", "GetState"), (path, "org.libloop.Loop1", "Nothing"),
            (path, "org.freedesktop.DBus.Properties", "Nothing"))]
        raw = self.raw(self.target)
        peer.authenticate(raw)
        for i in range(1, 21):
            raw.sendall(b"".join(unknown) * 10 + listing * 20)
            raw.sendall(peer.message(path, "org.libloop.Loop1", "GetState", serial=i))
            reply = peer.read_message(raw)
            self.assertEqual(reply.get_message_type(), peer.Gio.DBusMessageType.METHOD_RETURN)
            self.assertEqual(reply.get_reply_serial(), i)

    def test_unknown_calls_without_reply_give_no_credit(self):
        other = self.target.number("new")
        raw = self.raw(self.target)
        peer.authenticate(raw)
        raw.sendall(peer.message("/nowhere", "org.libloop.Loop1", "GetState", expects_reply=False) * 200)
        raw.sendall(peer.message(f"/org/libloop/Loop1/{other}", "org.libloop.Control1", "SetDebug", "(b)", True) * 300)
        peer.read_all(raw)


tap.main()
