# SPDX-License-Identifier: LGPL-2.1-or-later
"""What loopctl shows of a program in Python."""

import os
import re
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "loopctl"), os.path.join(HERE, "..", "python")]

import peer  # noqa: E402
import program  # noqa: E402
import tap  # noqa: E402

TARGET = os.path.join(HERE, "target-python.py")


class TestPython(program.TestCase):
    def start_scene(self, scene, *options, **extra):
        self.process = self.start([sys.executable, *options, TARGET, scene], LOOP_INSPECT="1", **extra)
        return self.process.stdout.readline().split()

    def ask(self, *command, **options):
        """What is answered, as JSON."""
        return self.loopctl("--json", self.process.pid, *command, **options).json

    def rows(self, *command):
        return self.ask(*command)["rows"]

    def line(self, text):
        """The number of the line that defines it."""
        with open(TARGET, encoding="utf-8") as file:
            return next(i for i, line in enumerate(file, 1) if re.search(text, line))

    def place(self, text):
        return f"target-python.py:{self.line(text)}"

    def test_names(self):
        self.start_scene("names")
        tick = f"Clock.tick {self.place('def tick')}"
        program.wait_for(lambda: self.ask("loop")["loop"]["state"] == "blocked")
        self.assertEqual(self.ask("loop")["loop"]["name"], f"block {self.place('def block')}")
        worker = f"task worker {self.place('def worker')}"
        self.assertEqual([row["name"] for row in self.rows("handles")], [
            f"block {self.place('def block')}", worker, "Task.get_name", worker,
            f"on_readable {self.place('def on_readable')}", tick])
        self.assertEqual([row["name"] for row in self.rows("timers", "--sort=when")], [
            tick, tick, "Clock", "print", f"names.<locals>.<lambda> {self.place('lambda: None')}"])
        self.assertIn(f"on_readable {self.place('def on_readable')}", [row["name"] for row in self.rows("watches")])
        self.assertEqual({row["protocol"] for row in self.rows("transports")}, {"Echo", "Clock2"})

    def tasks(self):
        return {row["name"]: row for row in self.rows("tasks")}

    def check_graph(self):
        tasks = self.tasks()
        outer = tasks["outer"]
        self.assertEqual((outer["coroutine"], outer["state"], outer["awaited"], outer["cancelling"]),
                         ("outer", "waiting", "Lock.acquire", 0))
        self.assertEqual(outer["where"], self.place("async with lock"))
        chain = outer["chain"].split(" → ")
        self.assertEqual(chain[:3], [f"outer {self.place('await middle')}", f"middle {self.place('await inner')}",
                                     f"inner {self.place('async with lock')}"])
        self.assertRegex(chain[-1], r"^Lock\.acquire locks\.py:\d+$")
        self.assertRegex(tasks["consume"]["chain"], rf"^consume .* → numbers {self.place('# for long')} → sleep ")
        futures = {row["id"]: row for row in self.rows("futures")}
        self.assertEqual(futures[outer["awaits"]]["name"], "Lock.acquire")
        self.assertEqual(futures[outer["awaits"]]["waiter"], outer["id"])

        tree = self.ask("tree")
        self.assertTrue(tree["exact"] or tree["loop"]["state"] != "blocked")
        names = {row["id"]: row["name"] for row in tree["rows"]}
        edges = {(names[row["parent"]], row["name"]) for row in tree["rows"] if "parent" in row}
        for edge in (("Task-1", "outer"), ("outer", "Lock.acquire"), ("gather", "first"), ("gather", "second"),
                     ("wait_for", "gather"), ("gather", "third"), ("gather", "shield"), ("shield", "future"),
                     ("wait", "first"), ("wait", "future"),
                     ("group", "TaskGroup.__aexit__"), ("TaskGroup.__aexit__", "member"), ("first", "Event.wait")):
            self.assertIn(edge, edges)

    def get_stack(self):
        return [(row["function"], row["line"]) for row in self.rows("stack")]

    def test_graph(self):
        self.start_scene("graph")
        self.assertNotIn("created", self.tasks()["outer"])
        self.check_graph()
        before = self.tasks()
        self.assertEqual(self.tasks(), before)
        found, = self.loopctl(self.process.pid, "tasks", "--filter=state=waiting", "--filter=name=outer").rows
        self.assertEqual(found["id"], str(before["outer"]["id"]))
        self.assertEqual([row["id"] for row in self.rows("tasks", "--limit=2")], sorted(
            row["id"] for row in before.values())[:2])
        # It waits for events, and so in no function of the program's but the one that runs the loop.
        self.assertEqual(self.get_stack()[-1][0], "<module>")

    def check_blocked(self, function, line):
        program.wait_for(lambda: self.ask("loop")["loop"]["state"] == "blocked")
        begun = time.monotonic()
        self.check_graph()
        self.assertLess(time.monotonic() - begun, 10 if program.IS_SLOW else 3)
        stack = self.get_stack()
        self.assertEqual(stack[0], (function, self.line(line)))
        self.assertEqual(stack[-1], ("<module>", self.line("libloop.run")))

    def test_asleep(self):
        self.start_scene("sleeping")
        self.check_blocked("block", r"time\.sleep\(3600\)")

    def test_spinning(self):
        self.start_scene("spinning")
        program.wait_for(lambda: self.ask("loop")["loop"]["state"] == "blocked")
        self.check_graph()
        self.assertEqual(self.get_stack()[0][0], "spin")

    def test_lock_is_kept(self):
        self.start_scene("keeping")
        program.wait_for(lambda: self.ask("loop")["loop"]["state"] == "blocked")
        begun = time.monotonic()
        answer = self.ask("tasks")
        self.assertRegex(answer["loop"]["interpreter"], "^Python has not let go of its lock for 1 s: ")
        self.assertEqual(answer["rows"], [])
        self.assertEqual(answer["loop"]["name"], f"keep_lock {self.place('def keep_lock')}")
        self.assertLess(time.monotonic() - begun, 5)
        # Nobody waits a second time; what needs no lock is shown.
        begun = time.monotonic()
        result = self.loopctl(self.process.pid, "stack", code=3)
        self.assertIn("Python has not let go of its lock", result.err)
        self.assertIn("Python has not let go of its lock", self.loopctl(self.process.pid, "tree", code=0).err)
        self.assertEqual(self.rows("handles")[0]["state"], "running")
        self.assertLess(time.monotonic() - begun, 1)

    def test_cancel(self):
        self.start_scene("cancelled")
        id = self.tasks()["victim"]["id"]
        self.loopctl(self.process.pid, "cancel", id, "that", "will", "do", code=0)
        self.assertEqual(self.process.stdout.readline(), "cancelled that will do\n")
        self.assertNotIn("victim", self.tasks())
        self.assertIn("There is no pending", self.loopctl(self.process.pid, "cancel", id, code=3).err)

    def test_created(self):
        self.start_scene("debugged", PYTHONASYNCIODEBUG="1")
        program.wait_for(lambda: self.ask("loop")["loop"]["state"] == "blocked")
        self.assertEqual(self.tasks()["sleeper"]["created"], f"{self.place('# the task')} debugged")
        timers = [row["created"] for row in self.rows("timers", "--sort=when")]
        self.assertEqual(timers[0], f"{self.place('# the timer')} debugged")
        self.assertRegex(timers[1], r"^tasks\.py:\d+ sleep$")
        handles = self.rows("handles")
        self.assertEqual([row["created"] for row in handles[1:]],
                         [f"{self.place('# the handle')} debugged", f"{self.place('# the post')} post"])

    def test_debug(self):
        """It is the program's own debug mode that is shown and set."""
        log = self.enterContext(tempfile.TemporaryFile("w+", prefix="loop-log-"))
        self.start_scene("switched_to_debug", stderr=log)
        self.assertIs(self.ask("loop")["loop"]["debug"], False)
        self.loopctl(self.process.pid, "slow_callback_duration", "0.05", code=0)
        self.loopctl(self.process.pid, "debug", "on", code=0)
        self.assertEqual(self.process.stdout.readline(), "True\n")
        self.assertEqual(self.rows("timers", "--sort=when")[0]["created"],
                         f"{self.place('# the timer in debug')} switched_to_debug")
        self.assertEqual(self.process.stdout.readline(), "off\n")
        loop = self.ask("loop")["loop"]
        self.assertEqual((loop["debug"], loop["slow_callback_duration"]), (False, 7))
        log.seek(0)
        self.assertRegex(log.read(), r"(?s)has been running for .*, in switched_to_debug\n.*Executing <Task .* took 0\.3")

    def poll(self, path):
        """Asks all the time until nobody answers."""
        try:
            client = peer.Client(path)
            loop = client.loops()[0]["id"]
            while True:
                client.list_raw(loop, "tasks")
        except (peer.Refused, peer.GLib.Error, IndexError):
            pass

    def test_end(self):
        """The interpreter may end at any time."""
        for _ in range(5):
            self.start_scene("short")
            folder = os.path.join(self.runtime, "libloop")
            self.poll(os.path.join(folder, os.listdir(folder)[0]))
            self.assertEqual(self.process.wait(program.PATIENCE), 0)

    def test_switch(self):
        self.process = self.start([sys.executable, TARGET, "switched"])
        n = 0
        while line := self.process.stdout.readline():
            self.poll(line.strip())
            n += 1
        self.assertEqual(n, 10)
        self.assertEqual(self.process.wait(program.PATIENCE), 0)

    def test_fork(self):
        """The child has no thread that answers, and waits for none."""
        self.start_scene("forking")
        self.assertIn("interpreter", self.ask("tasks")["loop"])
        self.assertEqual(self.process.stdout.readline(), "7\n")
        self.assertIn("Task-1", self.tasks())


if __name__ == "__main__":
    tap.main()
