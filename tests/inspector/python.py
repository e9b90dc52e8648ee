# SPDX-License-Identifier: LGPL-2.1-or-later
"""What loopctl shows of a program in Python."""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "loopctl"), os.path.join(HERE, "..", "python")]

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


if __name__ == "__main__":
    tap.main()
