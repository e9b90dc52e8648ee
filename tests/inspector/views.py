# SPDX-License-Identifier: LGPL-2.1-or-later
"""What clients are shown: views, their pages, order and filters, and the states of loops."""

import os
import shutil
import socket
import subprocess
import threading
import time

import peer
import tap
from gi.repository import GLib

COLUMNS = {
    "handles": {"id": "t", "kind": "s", "state": "s", "name": "s"},
    "timers": {"id": "t", "name": "s", "when": "d", "in": "d"},
    "watches": {"id": "t", "fd": "i", "events": "s", "kind": "s", "name": "s"},
    "transports": {"id": "t", "kind": "s", "state": "s", "fd": "i", "peer": "s", "local": "s", "protocol": "s",
                   "received": "t", "sent": "t", "buffered": "t", "low_water": "t", "high_water": "t", "reading": "b",
                   "owner": "t", "age": "d"},
    "servers": {"id": "t", "state": "s", "address": "s", "clients": "t", "accepted": "t", "waiting": "t", "backlog": "t",
                "age": "d"},
    "futures": {"id": "t", "name": "s", "state": "s", "callbacks": "t", "waiters": "t"},
}
STATE = {"id": "t", "state": "s", "debug": "b", "slow_callback_duration": "d"}
CURRENT = {"handle": "t", "name": "s", "kind": "s", "seconds": "d"}
SORTABLE = {"handles": ["id"], "timers": ["id", "when", "in"], "watches": ["id", "fd"],
            "transports": ["id", "fd", "received", "sent", "buffered", "low_water", "high_water", "age"],
            "servers": ["id", "clients", "accepted", "waiting", "backlog", "age"],
            "futures": ["id", "callbacks", "waiters"]}


def types(dictionary):
    """Of a GVariant a{sv}, what its values are."""
    return {dictionary.get_child_value(i).get_child_value(0).get_string():
            dictionary.get_child_value(i).get_child_value(1).get_variant().get_type_string()
            for i in range(dictionary.n_children())}


class TestViews(peer.TestCase):
    def setUp(self):
        super().setUp()
        self.target = self.start()
        self.client = self.connect(self.target)
        self.loop = self.target.loop

    def reply(self, method, signature="()", *arguments):
        """As it is on the wire."""
        return self.client.connection.call_sync(
            None, f"/org/libloop/Loop1/{self.loop}", "org.libloop.Loop1", method, GLib.Variant(signature, arguments),
            None, peer.Gio.DBusCallFlags.NONE, 20000, None)

    def connect_to(self, port):
        connection = socket.create_connection(("127.0.0.1", port), peer.PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def test_columns(self):
        port = self.target.number("serve")
        connection = self.connect_to(port)
        connection.sendall(b"hello")
        self.assertEqual(connection.recv(10), b"hello")
        future = self.target.number("future")
        timer = self.target.number("timers 1")
        never = self.target.number("never")
        fd = self.target.number("watch")
        blocker = self.target.number("block 1")
        self.wait_for(lambda: "handle" in self.client.state(self.loop))

        found = {}
        for kind, columns in COLUMNS.items():
            reply = self.reply("List", "(sa{sv}ssu)", kind, {}, "", "", 0)
            self.assertEqual(reply.get_type_string(), "(aa{sv}sta{sv})")
            rows = reply.get_child_value(0)
            self.assertGreater(rows.n_children(), 0, kind)
            found[kind] = {}
            for i in range(rows.n_children()):
                row = rows.get_child_value(i)
                expected = dict(columns)
                if row.unpack()["id"] == never:
                    del expected["when"], expected["in"]
                self.assertEqual(types(row), expected)
                found[kind][row.unpack()["id"]] = row.unpack()
            self.assertEqual(types(reply.get_child_value(3)), {**STATE, **CURRENT})
        self.assertEqual(found["handles"][blocker], {"id": blocker, "kind": "handle", "state": "running",
                                                     "name": "on_read"})
        self.assertIn(future, found["futures"])
        self.assertEqual(found["futures"][future]["state"], "pending")
        self.assertEqual(found["timers"][timer]["name"], "even")
        self.assertLess(found["timers"][timer]["in"], 3601)
        self.assertGreater(found["timers"][timer]["in"], 3500)
        self.assertIn((fd, "r"), [(row["fd"], row["events"]) for row in found["watches"].values()])
        transport, = found["transports"].values()
        self.assertEqual((transport["received"], transport["sent"], transport["buffered"], transport["reading"]),
                         (5, 5, 0, True))
        self.assertEqual(transport["peer"], "127.0.0.1:%d" % connection.getsockname()[1])
        server, = found["servers"].values()
        self.assertEqual((server["state"], server["address"], server["clients"], server["accepted"]),
                         ("serving", f"127.0.0.1:{port}", 1, 1))

    def test_states_of_handles(self):
        self.target.send("block 0.5")
        self.target.process.stdout.readline()
        self.wait_for(lambda: "handle" in self.client.state(self.loop))
        posted = self.target.number("post 3")
        rows = self.client.rows(self.loop, "handles")
        self.assertEqual([row["state"] for row in rows if row["id"] == posted], ["incoming"])
        self.assertEqual(len([row for row in rows if row["state"] == "incoming"]), 3)
        self.assertEqual(len({row["id"] for row in rows}), len(rows))
        self.assertEqual([row["name"] for row in rows if row["state"] == "running"], ["on_read"])

    def test_metrics_types(self):
        reply = self.reply("GetMetrics")
        self.assertEqual(types(reply.get_child_value(0)), {
            "iterations": "t", "callbacks": "t", "futures": "t", "tasks": "t", "jobs": "t", "transports": "t",
            "servers": "t", "subprocesses": "t", "accepted": "t", "received": "t", "sent": "t", "busy": "d", "poll": "d",
            **{f"{name}_{quantile}": "d" for name in ("lag", "duration") for quantile in ("p50", "p90", "p99", "max")}})
        self.assertEqual(types(reply.get_child_value(1)), STATE)

    def test_paging(self):
        self.target.do("timers 1000")
        everything = self.client.rows(self.loop, "timers")
        self.assertEqual([row["id"] for row in everything], sorted(row["id"] for row in everything))
        self.assertEqual(len(everything), 1000)
        for limit in (1, 7, 200, 250, 255, 256, 257, 1000, 0xffffffff):
            pages, cursor = [], ""
            while True:
                rows, cursor, _, _ = self.client.list_raw(self.loop, "timers", cursor=cursor, limit=limit)
                pages.append(rows)
                if not cursor:
                    break
            size = min(limit, 256)
            self.assertEqual([len(page) for page in pages[:-1]], [size] * (len(pages) - 1))
            self.assertEqual(len(pages), -(-1000 // size), "next is empty on the last page, and only there")
            self.assertEqual([row["id"] for page in pages for row in page], [row["id"] for row in everything])
        rows, cursor, _, _ = self.client.list_raw(self.loop, "transports")
        self.assertEqual((rows, cursor), ([], ""))

    def page_under_churn(self, limit, sort, n_pages=None):
        rows, cursor = [], ""
        while True:
            page, cursor, _, _ = self.client.list_raw(self.loop, "timers", {}, sort, cursor, limit)
            rows += page
            if not cursor:
                return rows
            if n_pages is not None:
                n_pages -= 1
                if n_pages == 0:
                    return rows

    def test_paging_under_churn(self):
        first, last = map(int, self.target.do("timers 100000").split())
        self.target.do("churn 1")
        for limit, sort in ((256, ""), (0, "-when")):
            with self.subTest(limit=limit, sort=sort):
                rows = self.page_under_churn(limit, sort)
                ids = [row["id"] for row in rows]
                self.assertEqual(len(ids), len(set(ids)), "an object is on one page only")
                self.assertEqual(set(range(first, last + 1)) - set(ids), set(), "none is missing")
                self.check_order(rows, sort)
        # With pages as small as these, only a part of them.
        for limit, n_pages in ((1, 300), (7, 200)):
            with self.subTest(limit=limit):
                rows = self.page_under_churn(limit, "id", n_pages)
                ids = [row["id"] for row in rows]
                self.assertEqual(ids, sorted(set(ids)))
                stable = [id for id in ids if first <= id <= last]
                self.assertEqual(stable, list(range(first, first + len(stable))))
                self.assertGreater(len(stable), limit * n_pages - 100)
        fired = self.target.number("churn 0")
        self.assertGreater(fired, 100)

    def test_small_pages_under_churn(self):
        first, last = map(int, self.target.do("timers 1500").split())
        self.target.do("churn 1")
        for limit in (1, 7):
            for sort in ("", "-when", "-id"):
                with self.subTest(limit=limit, sort=sort):
                    rows = self.page_under_churn(limit, sort)
                    ids = [row["id"] for row in rows]
                    self.assertEqual(len(ids), len(set(ids)))
                    self.assertEqual(set(range(first, last + 1)) - set(ids), set())

    def test_pages_come_to_an_end(self):
        # As many new rows come as are read, with the greatest ids and at the latest times.
        for sort in ("", "id", "-id", "when", "-when"):
            with self.subTest(sort):
                delay = 4000
                first, last = map(int, self.target.do(f"timers 50 {delay}").split())
                rows, cursor, _, _ = self.client.list_raw(self.loop, "timers", {}, sort, "", 10)
                n_before = len(self.client.rows(self.loop, "timers"))
                while cursor:
                    delay += 100
                    self.target.do(f"timers 10 {delay}")
                    page, cursor, _, _ = self.client.list_raw(self.loop, "timers", {}, sort, cursor, 10)
                    rows += page
                    self.assertLessEqual(len(rows), n_before, "new rows are not listed")
                ids = [row["id"] for row in rows]
                self.assertEqual(len(ids), len(set(ids)))
                self.assertEqual(set(range(first, last + 1)) - set(ids), set())
                self.check_order(rows, sort)

    def test_filtered_pages_come_to_an_end(self):
        self.target.do("timers 40")
        names = {"name": GLib.Variant("s", "even")}
        rows, cursor, _, _ = self.client.list_raw(self.loop, "timers", names, "", "", 3)
        while cursor:
            self.target.do("timers 10")
            page, cursor, _, _ = self.client.list_raw(self.loop, "timers", names, "", cursor, 3)
            rows += page
            self.assertLessEqual(len(rows), 20)
        self.assertEqual(len(rows), 20)

    def check_order(self, rows, sort):
        column = sort.removeprefix("-") or "id"
        values = [row.get(column, float("inf")) for row in rows]
        # What is left of a time depends on when the page was read.
        if column == "in":
            values = [row.get("when", float("inf")) for row in rows]
        elif column == "age":
            values = [-row["id"] for row in rows]
        self.assertEqual(values, sorted(values, reverse=sort.startswith("-")))

    def test_sorts(self):
        for n in range(4):
            port = self.target.number("serve")
            for i in range(n):
                connection = self.connect_to(port)
                connection.sendall(b"x" * (1 + (i * 7 + n * 3) % 10))
                connection.recv(20)
            self.target.do("watch")
        for delay in (5000, 4000, 6000):
            self.target.do(f"timers 20 {delay}")
        self.target.do("never")
        for i in range(3):
            self.target.do("future")
        # The callback that answered last may still be running.
        self.wait_for(lambda: not self.client.rows(self.loop, "handles"))
        for kind, columns in SORTABLE.items():
            for column in columns:
                for limit in (0, 1, 2):
                    up = self.client.rows(self.loop, kind, sort=column, limit=limit)
                    down = self.client.rows(self.loop, kind, sort="-" + column, limit=limit)
                    self.check_order(up, column)
                    self.check_order(down, "-" + column)
                    self.assertEqual({row["id"] for row in up}, {row["id"] for row in down})
                    self.assertEqual(len(up), len({row["id"] for row in up}))
            for column in {*COLUMNS[kind], "nonsense", "--id", "-", " id"} - set(columns):
                self.assertRefused("InvalidArgument", self.client.list_raw, self.loop, kind, {}, column)

    def test_filters(self):
        first, last = map(int, self.target.do("timers 700").split())
        fd = self.target.number("watch")

        def ids(kind, filter, **options):
            values = {key: GLib.Variant(signature, value) for key, (signature, value) in filter.items()}
            return [row["id"] for row in self.client.rows(self.loop, kind, values, **options)]

        self.assertEqual(len(ids("timers", {"name": ("s", "even")})), 350)
        for limit in (1, 7, 100, 256):
            self.assertEqual(len(ids("timers", {"name": ("s", "o*")}, limit=limit)), 350)
        self.assertEqual(len(ids("timers", {"name": ("s", "*")})), 700)
        self.assertEqual(ids("timers", {"name": ("s", "?")}), [])
        self.assertEqual(ids("timers", {"name": ("s", "")}), [])
        for signature in ("t", "u", "i", "x"):
            self.assertEqual(ids("timers", {"id": (signature, last)}), [last])
        self.assertEqual(ids("timers", {"id": ("t", last), "name": ("s", "even")}), [])
        self.assertEqual(ids("timers", {"id": ("t", last), "name": ("s", "odd")}), [last])
        self.assertEqual(len(ids("watches", {"fd": ("i", fd)})), 1)
        self.assertEqual(len(ids("watches", {"fd": ("t", fd), "events": ("s", "r")})), 1)
        self.assertEqual(len(ids("watches", {"fd": ("i", fd), "events": ("s", "w")})), 0)
        # The one match on the last page, and none after a page that is full of them.
        self.assertEqual(ids("timers", {"id": ("t", last)}, limit=1, sort="when"), [last])
        rows, cursor, _, _ = self.client.list_raw(self.loop, "timers", {"id": GLib.Variant("t", first)}, "", "", 1)
        self.assertEqual(len(rows), 1)
        while cursor:
            rows, cursor, _, _ = self.client.list_raw(self.loop, "timers", {"id": GLib.Variant("t", first)}, "",
                                                      cursor, 1)
            self.assertEqual(rows, [])
        # Other types match nothing.
        self.assertEqual(ids("timers", {"id": ("as", ["x"])}), [])
        self.assertEqual(ids("timers", {"id": ("b", True)}), [])

    def test_filter_of_many(self):
        self.target.do("timers 100000")
        start = time.monotonic()
        rows = self.client.rows(self.loop, "timers", {"name": GLib.Variant("s", "nobody")})
        self.assertEqual(rows, [])
        self.assertLess(time.monotonic() - start, 10)

    def test_bad_arguments(self):
        self.target.do("timers 2")
        bad = [("handle", {}, "", ""), ("", {}, "", ""), ("Timers", {}, "", ""), ("timers", {}, "name", ""),
               ("timers", {}, "-nonsense", ""), ("timers", {"nonsense": GLib.Variant("s", "x")}, "", ""),
               ("timers", {"fd": GLib.Variant("i", 1)}, "", ""), ("timers", {"": GLib.Variant("i", 1)}, "", "")]
        bad += [("timers", {}, "", cursor) for cursor in (
            "x", "1", "1:", ":1:1", "1:2", "1:2:", "1:2:0", "1:2:3:4", "1:2:x", "1:2:3x", "1:2x:3", "1:2:3 ", "1;2;3", " ",
            "1:x:3", "0x1:2:3", "%s%n", "é", "1 :2:3", " 1:2:3", "1: 2:3", "1:-2:3", "1:+2:3", "1:2:-3",
            "99999999999999999999:1:1", "1:99999999999999999999:1", "1:1:99999999999999999999")]
        for kind, filter, sort, cursor in bad:
            with self.subTest((kind, filter, sort, cursor)):
                self.assertRefused("InvalidArgument", self.client.list_raw, self.loop, kind, filter, sort, cursor)
        # Positions that no row has are as good as any.
        for cursor in ("0:0:1", "-9223372036854775808:0:5", "9223372036854775807:18446744073709551615:1"):
            self.client.list_raw(self.loop, "timers", {}, "", cursor)

    def test_unknown_loop(self):
        for loop in ("999999", "0", "x", "18446744073709551615", "99999999999999999999", "01x"):
            self.assertRefused("NotFound", self.client.state, loop)
            self.assertRefused("NotFound", self.client.metrics, loop)
            self.assertRefused("NotFound", self.client.list_raw, loop, "timers")
            self.assertRefused("NotFound", self.client.control, loop, "Stop")
        # Nothing else is there.
        for path, interface, method in (("/", "org.libloop.Process1", "ListLoops"),
                                        (peer.PROCESS, "org.libloop.Process1", "Nothing"),
                                        (peer.PROCESS, "org.libloop.Loop1", "GetState"),
                                        (f"/org/libloop/Loop1/{self.loop}", "org.libloop.Host1", "CallSoon"),
                                        (f"/org/libloop/Loop1/{self.loop}", "org.libloop.Loop1", "Nothing"),
                                        ("/org/libloop/Loop1", "org.libloop.Loop1", "GetState")):
            with self.subTest((path, interface, method)), self.assertRaises(peer.Refused) as context:
                self.client.call(path, interface, method)
            self.assertTrue(context.exception.name.startswith("org.freedesktop.DBus.Error."), context.exception)
        with self.assertRaises(peer.Refused):
            self.client.loop(self.loop, "List", "(s)", "timers")
        self.assertEqual(len(self.client.loops()), 1)

    def test_names(self):
        names = {b"\x1b[2Jred\x07": "\\x1b[2Jred\\x07", b"tab\tline\nreturn\r": "tab\\x09line\\x0areturn\\x0d",
                 b"\xff\xfe": "\N{REPLACEMENT CHARACTER}" * 2, b"\xc2\x9b31m": "\\x9b31m", b"del\x7f": "del\\x7f",
                 "größe 漢字".encode(): "größe 漢字", b"half\xc3": "half\N{REPLACEMENT CHARACTER}"}
        for name, shown in names.items():
            with self.subTest(name):
                id = self.target.number(f"name {name.hex()}")
                row, = self.client.rows(self.loop, "timers", {"id": GLib.Variant("t", id)})
                self.assertEqual(row["name"], shown)
        id = self.target.number("name " + ("x" * 1500).encode().hex())
        row, = self.client.rows(self.loop, "timers", {"id": GLib.Variant("t", id)})
        self.assertEqual(row["name"], "x" * 1500)

    def test_generation(self):
        self.target.do("timers 10")
        self.wait_for(lambda: self.client.state(self.loop)["state"] == "polling")
        _, _, first, _ = self.client.list_raw(self.loop, "timers")
        for _ in range(20):
            self.client.rows(self.loop, "handles")
            self.client.metrics(self.loop)
        self.assertEqual(self.client.list_raw(self.loop, "timers")[2], first)
        self.target.do("soon")
        self.assertGreater(self.client.list_raw(self.loop, "timers")[2], first)

    def test_full_speed(self):
        self.target.do("timers 300 1800")
        self.target.do("load 1")
        end = time.monotonic() + 2
        n_pages = 0
        # However slow the machine is.
        while time.monotonic() < end or n_pages < 50:
            for kind in ("handles", "timers"):
                rows, _, _, state = self.client.list_raw(self.loop, kind)
                n_pages += 1
                ids = [row["id"] for row in rows]
                self.assertEqual(ids, sorted(set(ids)))
                for row in rows:
                    self.assertEqual(set(row), set(COLUMNS[kind]))
                    if kind == "handles":
                        self.assertIn(row["state"], ("running", "ready", "incoming"))
                # A thread that is not given a processor looks blocked.
                self.assertIn(state["state"], ("running", "polling", "blocked"))
        self.assertGreater(self.target.number("load 0"), 1000)
        self.assertEqual(self.target.end(), (0, ""))

    def test_posted_at_full_speed(self):
        stop = threading.Event()
        failures = []

        def look():
            client = self.target.connect()
            try:
                while not stop.is_set():
                    ids = [row["id"] for row in client.rows(self.loop, "handles")]
                    if len(ids) != len(set(ids)):
                        failures.append(ids)
            finally:
                client.close()

        threads = [threading.Thread(target=look) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(300):
            self.target.do("post 500")
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.wait_for(lambda: self.target.number("count") >= 150000)


class TestTools(peer.TestCase):
    """The D-Bus tools that a system has anyway."""

    def run_tool(self, *arguments):
        if shutil.which(arguments[0]) is None:
            self.skipTest(f"{arguments[0]} is not installed")
        result = subprocess.run(arguments, text=True, capture_output=True, timeout=peer.PATIENCE,
                                env={**os.environ, "LD_LIBRARY_PATH": ""})
        self.assertEqual(result.returncode, 0, result)
        return result.stdout

    def setUp(self):
        super().setUp()
        self.target = self.start()
        self.address = f"unix:path={self.target.path}"

    def test_busctl(self):
        out = self.run_tool("busctl", f"--address={self.address}", "call", "org.libloop", peer.PROCESS,
                            "org.libloop.Process1", "ListLoops")
        self.assertIn(f'"/org/libloop/Loop1/{self.target.loop}"', out)
        path = f"/org/libloop/Loop1/{self.target.loop}"
        out = self.run_tool("busctl", f"--address={self.address}", "call", "org.libloop", path, "org.libloop.Loop1",
                            "List", "sa{sv}ssu", "timers", "0", "", "", "0")
        self.assertIn("aa{sv}sta{sv}", out)
        out = self.run_tool("busctl", f"--address={self.address}", "get-property", "org.libloop", peer.PROCESS,
                            "org.libloop.Process1", "Pid")
        self.assertEqual(out, f"u {self.target.pid}\n")

    def test_busctl_introspect(self):
        out = self.run_tool("busctl", f"--address={self.address}", "introspect", "org.libloop", peer.PROCESS)
        self.assertRegex(out, r"\.ListLoops +method +- +aa\{sv\}")
        self.assertRegex(out, r"\.Access +property +s +\"control\"")
        out = self.run_tool("busctl", f"--address={self.address}", "introspect", "org.libloop",
                            f"/org/libloop/Loop1/{self.target.loop}")
        self.assertRegex(out, r"\.GetState +method")
        self.assertRegex(out, r"\.Cancel +method +t +sa\{sv\}")

    def test_busctl_tree(self):
        out = self.run_tool("busctl", f"--address={self.address}", "tree", "--list", "org.libloop")
        self.assertIn(f"/org/libloop/Loop1/{self.target.loop}\n", out)
        self.assertIn(peer.PROCESS + "\n", out)

    def test_gdbus(self):
        out = self.run_tool("gdbus", "call", "--address", self.address, "--dest", "org.libloop", "--object-path",
                            peer.PROCESS, "--method", "org.libloop.Process1.ListLoops")
        self.assertIn(f"/org/libloop/Loop1/{self.target.loop}", out)
        out = self.run_tool("gdbus", "introspect", "--address", self.address, "--dest", "org.libloop",
                            "--object-path", "/", "--recurse")
        self.assertIn("interface org.libloop.Loop1", out)


tap.main()
