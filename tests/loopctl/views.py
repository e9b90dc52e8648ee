# SPDX-License-Identifier: LGPL-2.1-or-later
"""What commands print: TSV in a pipe, a table on a terminal, JSON wherever it is asked for."""

import subprocess

import program
import tap

STATE = {"id", "state", "debug", "slow_callback_duration"}
COLUMNS = {
    "handles": ["id", "kind", "state", "seconds", "name", "created", "age"],
    "timers": ["id", "when", "in", "name", "created", "age"],
    "watches": ["id", "fd", "events", "kind", "name", "created", "age"],
    "transports": ["id", "kind", "state", "paused", "peer", "received", "sent", "buffered", "owner", "protocol", "local",
                   "age", "fd", "reading", "low_water", "high_water", "created"],
    "servers": ["id", "state", "address", "clients", "accepted", "waiting", "backlog", "age", "created"],
    "futures": ["id", "state", "name", "callbacks", "waiters", "waiter", "cancelled_by", "canceller",
                "created", "age"],
    "tasks": ["id", "state", "seconds", "name", "coroutine", "awaits", "awaited", "where", "chain",
              "cancelling", "cancelled_by", "canceller", "stack_used", "created", "age"],
    "fibers": ["id", "state", "name", "function", "stack_used", "stack_size"],
    "executors": ["id", "kind", "name", "max_workers", "workers", "idle", "queued", "submitted", "done"],
    "workers": ["id", "executor", "pid", "state", "job", "seconds"],
    "jobs": ["id", "state", "executor", "awaited", "function", "created", "age"],
    "lookups": ["id", "kind", "state", "awaited", "host", "service", "age", "created"],
    "subprocesses": ["id", "pid", "state", "returncode", "program", "stdin", "stdout", "stderr", "age", "created"],
    "signals": ["id", "signal", "number", "pending", "caught", "callback"],
}
# What a row has only when there is something to say.
OPTIONAL = {"seconds", "waiter", "cancelled_by", "canceller", "awaits", "awaited", "stack_used", "created", "age", "job", "pid",
            "paused", "returncode", "stdin", "stdout", "stderr"}


class TestViews(program.TestCase):
    def test_json_of_views(self):
        pid, port = self.start_target("timers=1")
        with program.connect(port) as client:
            self.assertEqual(program.echo(client, b"hello"), b"hello")
            for view, columns in COLUMNS.items():
                reply = self.loopctl(pid, "--json", view, code=0).json
                self.assertEqual(list(reply), ["loop", "rows", "next"])
                self.assertEqual(set(reply["loop"]), STATE)
                self.assertEqual(reply["next"], "")
                for row in reply["rows"]:
                    self.assertLessEqual(set(row), set(columns))
                    self.assertLessEqual(set(columns) - set(row), OPTIONAL)
            row, = self.loopctl(pid, "--json", "transports").json["rows"]
            self.assertEqual((row["received"], row["sent"], row["reading"]), (5, 5, True))
            row, = self.loopctl(pid, "--json", "servers").json["rows"]
            self.assertEqual((row["state"], row["address"], row["clients"]), ("serving", f"127.0.0.1:{port}", 1))

    def test_tsv_of_views(self):
        pid, _ = self.start_target("timers=2")
        for view, columns in COLUMNS.items():
            self.assertEqual(self.loopctl(pid, view, code=0).out.splitlines()[0].split("\t"), columns)
        result = self.loopctl(pid, "timers")
        self.assertEqual(len(result.rows), 2)
        self.assertEqual(result.rows[0]["name"], "hourly")
        self.assertEqual(result.err, "")

    def test_json_pretty(self):
        pid, _ = self.start_target()
        short = self.loopctl(pid, "loop", "--json", code=0)
        pretty = self.loopctl(pid, "loop", "--json=pretty", code=0)
        self.assertEqual(len(short.out.splitlines()), 1)
        self.assertGreater(len(pretty.out.splitlines()), 5)
        self.assertEqual(short.json["loop"], pretty.json["loop"])

    def test_json_of_the_rest(self):
        pid, _ = self.start_target("timers=1")
        timer = self.loopctl(pid, "timers").rows[0]["id"]
        server = self.loopctl(pid, "servers").rows[0]["id"]
        self.assertIn("is not that of an interpreter", self.loopctl(pid, "stack", code=3).err)
        for command, keys in (("loop", ["loop"]), ("metrics", ["loop", "metrics"]), ("loops", ["rows"]),
                              ("debug", ["loop"]), ("slow_callback_duration", ["loop"]),
                              ("debug on", ["loop", "outcome"]), ("slow_callback_duration 0.5", ["loop", "outcome"]),
                              (f"cancel {timer}", ["loop", "outcome"]), (f"close_server {server}", ["loop", "outcome"]),
                              ("stop", ["loop", "outcome"])):
            with self.subTest(command):
                reply = self.loopctl("--json", pid, *command.split(), code=0).json
                self.assertEqual(list(reply), keys)
                self.assertEqual(reply.get("outcome", "done"), "done")

    def test_settings(self):
        pid, _ = self.start_target()
        self.assertEqual(self.loopctl(pid, "debug").out, "off\n")
        self.assertEqual(self.loopctl(pid, "debug", "on", code=0).out, "done\n")
        self.assertEqual(self.loopctl(pid, "debug").out, "on\n")
        self.assertEqual(self.loopctl(pid, "slow_callback_duration").out, "0.1\n")
        self.loopctl(pid, "slow_callback_duration", 2.5, code=0)
        self.assertEqual(self.loopctl(pid, "slow_callback_duration").out, "2.5\n")
        # 17 digits of it are just one.
        reply = self.loopctl(pid, "slow_callback_duration", 3e-9, "--json", code=0).json
        self.assertAlmostEqual(reply["loop"]["slow_callback_duration"], 3e-9, delta=1e-20)
        self.assertEqual(self.loopctl(pid, "slow_callback_duration", -1, "--json", code=3).json["error"]["name"],
                         "InvalidArgument")

    def test_paging(self):
        pid, _ = self.start_target("timers=600")
        first = self.loopctl(pid, "timers", code=0)
        self.assertEqual(len(first.rows), 256)
        self.assertIn("--all", first.err)
        everything = [row["id"] for row in self.loopctl(pid, "timers", "--all", code=0).rows]
        self.assertEqual(len(set(everything)), 600)
        self.assertEqual(len(self.loopctl(pid, "timers", "--limit=300").rows), 300)

        page = self.loopctl(pid, "timers", "--limit=250", "--json").json
        found = [row["id"] for row in page["rows"]]
        while page["next"]:
            page = self.loopctl(pid, "timers", "--limit=250", "--json", f"--cursor={page['next']}").json
            found += [row["id"] for row in page["rows"]]
        self.assertEqual(found, [int(id) for id in everything])

    def test_sort_and_filter(self):
        pid, _ = self.start_target("timers=300")
        # Those made last come first.
        by_time = self.loopctl(pid, "timers", "--sort=when", "--all", "--json", code=0).json["rows"]
        self.assertEqual(by_time, sorted(by_time, key=lambda row: row["when"]))
        self.assertGreater(by_time[0]["id"], by_time[-1]["id"])
        row, = self.loopctl(pid, "timers", "--sort=-when", "--limit=1", "--json").json["rows"]
        self.assertEqual(row["id"], by_time[-1]["id"])

        self.assertEqual(len(self.loopctl(pid, "timers", "--filter=name=hour*", "--all").rows), 300)
        self.assertEqual(self.loopctl(pid, "timers", "--filter=name=daily").rows, [])
        row, = self.loopctl(pid, "timers", f"--filter=id={row['id']}").rows
        self.assertEqual(self.loopctl(pid, "timers", "--sort=bogus", "--json", code=3).json["error"]["name"],
                         "InvalidArgument")
        self.loopctl(pid, "timers", "--filter=bogus=1", code=3)

    def test_stale_id(self):
        pid, _ = self.start_target("timers=1")
        timer = self.loopctl(pid, "timers").rows[0]["id"]
        self.assertEqual(self.loopctl(pid, "cancel", f"#{timer}", code=0).out, "done\n")
        for command in ("cancel", "close_server", "start_serving", "close", "abort", "pause_reading", "resume_reading",
                        "close_clients", "abort_clients", "kill", "terminate"):
            result = self.loopctl(pid, command, timer, "--json", code=3)
            self.assertEqual(result.json["error"]["name"], "NotFound")
            self.assertIn(timer, result.err)

    def test_several_loops(self):
        pid, _ = self.start_target("loops=2")
        first, second = self.loop_ids(pid)
        result = self.loopctl(pid, "servers", code=0)
        self.assertIn("2 loops", result.err)
        self.assertEqual(len(result.rows), 1)
        result = self.loopctl(pid, f"--loop={second}", "servers", code=0)
        self.assertEqual((result.rows, result.err), ([], f"loop {second}: stopped\n"))
        self.assertEqual(self.loopctl(pid, "servers", f"--loop={first}", code=0).err, "")
        self.assertIn("There is no loop 999999", self.loopctl(pid, "servers", "--loop=999999", code=3).err)
        # Nobody runs it, so nobody does it.
        result = self.loopctl(pid, f"--loop={second}", "--json", "debug", "on", code=3)
        self.assertEqual(result.json_lines[0]["outcome"], "timeout")
        self.assertEqual(result.json_lines[0]["loop"]["state"], "stopped")

    def test_transports(self):
        pid, port = self.start_target()
        for command in ("close", "abort"):
            with program.connect(port) as client:
                program.echo(client, b"x")
                transport = self.loopctl(pid, "transports").rows[0]["id"]
                self.loopctl(pid, command, transport, code=0)
                try:
                    self.assertEqual(client.recv(10), b"")
                except ConnectionResetError:
                    self.assertEqual(command, "abort")

    def test_pause(self):
        pid, port = self.start_target()
        with program.connect(port) as client:
            program.echo(client, b"x")
            transport = self.loopctl(pid, "transports").rows[0]["id"]
            self.assertEqual(self.loopctl(pid, "pause_reading", transport, code=0).out, "done\n")
            row, = self.loopctl(pid, "--json", "transports").json["rows"]
            self.assertEqual((row["paused"], row["reading"]), ("r", False))
            client.sendall(b"y")
            self.assertEqual(self.loopctl(pid, "resume_reading", transport, code=0).out, "done\n")
            self.assertEqual(client.recv(1), b"y")
            server = self.loopctl(pid, "servers").rows[0]["id"]
            self.loopctl(pid, "close_clients", server, code=0)
            self.assertEqual(client.recv(1), b"")

    def test_width(self):
        pid, port = self.start_target()
        with program.connect(port) as client:
            program.echo(client, b"x")
            name = "127.0.0.1:%d" % client.getsockname()[1]
            # Addresses are whole, and what has no room is named.
            terminal = self.terminal(pid, "transports", columns=80)
            terminal.expect(r"^ *id  kind    state  peer +received  sent  buffered  owner  protocol *\n")
            terminal.expect(rf"^ *\d+  socket  open   {name} +1     1         0 +\d+  \S+\n")
            terminal.expect(r"^for lack of room without the columns local, age, fd, reading, low_water,\nhigh_water\n")
            terminal = self.terminal(pid, "transports", columns=160)
            terminal.expect(rf"^ *\d+  socket  open   {name} .* 127\.0\.0\.1:{port} +\d+\.\d+ .* true .*65536\n")

    def test_scripts(self):
        pid, _ = self.start_target("timers=1")
        result = self.loopctl("--json", pid, "-c", "loop; timers", "-c", "# nothing", "-c", "servers", code=0)
        self.assertEqual([list(reply) for reply in result.json_lines],
                         [["loop"], ["loop", "rows", "next"], ["loop", "rows", "next"]])
        # What fails does not keep the rest from running.
        result = self.loopctl("--json", pid, input="loop\nbogus\ncancel 999999; loop\nquit\nloop\n", code=3)
        self.assertEqual([list(reply)[0] for reply in result.json_lines], ["loop", "error", "error", "loop"])
        path = f"{self.folder}/script"
        with open(path, "w", encoding="utf-8") as file:
            file.write("# two commands\nloop\n\n  servers  ")
        self.assertEqual(len(self.loopctl("--json", pid, "-f", path, code=0).json_lines), 2)
        self.assertEqual(len(self.loopctl("--json", pid, "-f", "-", input="loop", code=0).json_lines), 1)
        self.loopctl(pid, "-f", path + "x", code=1)
        self.loopctl(pid, "-c", "watch c=2 i=0.1 loop", "-c", "sleep 0.1", code=0)

    def test_script_that_loses_its_target(self):
        pid, _ = self.start_target()
        result = self.loopctl(pid, "-c", "call_soon echo x", code=3)
        self.assertIn("loopctl host", result.err)
        process = self.terminal(pid, "-c", "sleep 1", "-c", "loop", "-c", "servers")
        process.drain(0.3)
        self.target.kill()
        self.assertEqual(process.wait(), 2)

    def test_terminal(self):
        pid, port = self.start_target("timers=3")
        terminal = self.terminal(pid, "timers")
        terminal.expect(r"^ *id +when +in  name\n")
        terminal.expect(r"^ *\d+ +\d+\.\d{3} +3602\.\d{3}  hourly\n")
        self.assertEqual(terminal.wait(), 0)

        terminal = self.terminal(pid, "transports")
        terminal.expect(r"^none\n")
        terminal = self.terminal(pid, "servers", columns=30)
        terminal.expect(r"^ *id  state")
        self.assertEqual(terminal.wait(), 0)
        for line in terminal.text.splitlines():
            self.assertLessEqual(len(line), 30)

    def test_pager(self):
        pid, _ = self.start_target("timers=100")
        self.env["LOOPCTL_PAGER"] = "sed s/hourly/paged/"
        terminal = self.terminal(pid, "timers", rows=30)
        terminal.expect(r"paged\n")
        self.assertEqual(terminal.wait(), 0)
        # What fits needs none, and neither does a pipe.
        terminal = self.terminal(pid, "timers", "--limit=5", rows=30)
        terminal.expect(r"hourly\n")
        self.assertIn("hourly", self.loopctl(pid, "timers").out)
        # One that is not there is no reason to show nothing.
        self.env["LOOPCTL_PAGER"] = "/no/such/pager"
        self.terminal(pid, "timers", rows=30).expect(r"hourly\n")

    def test_output_that_nobody_reads(self):
        pid, _ = self.start_target("timers=2000")
        pipe = subprocess.Popen(f"'{program.LOOPCTL}' {pid} timers --all | head -1", shell=True, text=True, env=self.env,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(pipe.communicate(timeout=program.PATIENCE), ("id\twhen\tin\tname\tcreated\tage\n", ""))

    def test_color(self):
        pid, _ = self.start_target()
        self.assertNotIn("\x1b", self.loopctl(pid, "servers").out)
        self.assertNotIn("\x1b", self.loopctl("--color=always", pid, "servers").out)
        self.assertIn("\x1b[", self.loopctl("--color=always", pid, "help").out)
        self.assertIn("\x1b[", self.loopctl("--color=always", pid, "bogus").err)
        self.assertNotIn("\x1b", self.loopctl(pid, "bogus").err)


tap.main()
