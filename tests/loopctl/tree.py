# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tasks: what a host drives, who waits for whom as a tree, and cycles in it."""

import time

import program
import tap


class TestTree(program.TestCase):
    def create(self, host, *action):
        id = int(self.loopctl(host.pid, "create_task", *action, code=0).out)
        # It has begun to wait.
        self.wait_for(lambda: self.task(host.pid, id)["state"] == "waiting")
        return id

    def task(self, pid, id):
        return self.loopctl(pid, "tasks", f"--filter=id={id}", "--json", code=0).json["rows"][0]

    def wait_for(self, condition):
        end = time.monotonic() + program.PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    def test_tree_of_a_host(self):
        host, _ = self.start_host()
        first = self.create(host, "sleep", 3600)
        second = self.create(host, "sleep", 3601)
        both = self.create(host, "wait", first, f"#{second}")
        other = self.create(host, "wait", first)

        reply = self.loopctl(host.pid, "tree", "--json", code=0).json
        self.assertEqual(list(reply), ["loop", "exact", "rows", "cycles"])
        self.assertEqual((reply["exact"], reply["cycles"]), (True, []))
        rows = reply["rows"]
        self.assertEqual([(row["depth"], row["name"]) for row in rows],
                         [(0, f"wait {first} #{second}"), (1, "gather"), (2, "sleep 3600"), (3, "sleep"),
                          (2, "sleep 3601"), (3, "sleep"), (0, f"wait {first}"), (1, "sleep 3600")])
        gather = rows[1]["id"]
        self.assertEqual([row.get("parent") for row in rows],
                         [None, both, gather, first, gather, second, None, other])
        self.assertEqual([row.get("mark") for row in rows], [None] * 7 + ["again"])
        self.assertEqual([row["kind"] for row in rows],
                         ["task", "future", "task", "future", "task", "future", "task", "task"])
        self.assertEqual(rows[0]["coroutine"], "ctl_work_run")

        result = self.loopctl(host.pid, "tree", code=0)
        self.assertEqual([row["id"] for row in result.rows], [str(row["id"]) for row in rows])
        self.assertEqual(result.err, "")
        result = self.loopctl(host.pid, "tree", other, code=0)
        self.assertEqual([row["id"] for row in result.rows], [str(other), str(first), str(rows[3]["id"])])
        self.loopctl(host.pid, "tree", 999999, code=3)
        self.loopctl(host.pid, "tree", "x", code=1)

        terminal = self.terminal(host.pid, "tree")
        self.assertEqual(terminal.wait(), 0)
        self.assertEqual(terminal.text.splitlines(), [
            f"#{both} wait {first} #{second}, waiting",
            f"└── #{gather} gather",
            f"    ├── #{first} sleep 3600, waiting",
            f"    │   └── #{rows[3]['id']} sleep",
            f"    └── #{second} sleep 3601, waiting",
            f"        └── #{rows[5]['id']} sleep",
            f"#{other} wait {first}, waiting",
            f"└── #{first} sleep 3600, waiting (see above)",
        ])

        # Who is done waits for nobody: what is left of the gather is not shown.
        self.loopctl(host.pid, "cancel", second, "no", "more", code=0)
        self.wait_for(lambda: len(self.loopctl(host.pid, "tree").rows) == 3)

    def test_cancel_with_message(self):
        host, _ = self.start_host()
        task = self.create(host, "sleep", 3600)
        self.assertEqual(self.loopctl(host.pid, "cancel", task, "no", "more", "--json", code=0).json["outcome"], "done")
        self.wait_for(lambda: self.loopctl(host.pid, "tree", "--json").json["rows"] == [])
        reply = self.loopctl(host.pid, "cancel", task, "no more", "--json", code=3).json
        self.assertEqual(reply["error"]["name"], "NotFound")

    def test_cycle(self):
        pid, _ = self.start_target("cycle=3", "chain=2")
        reply = self.loopctl(pid, "tree", "--json", code=0).json
        cycle, = reply["cycles"]
        ids = [row["id"] for row in reply["rows"] if row["name"].startswith("cycle")]
        self.assertEqual(len(cycle), 4)
        self.assertEqual(cycle[0], cycle[-1])
        self.assertEqual(ids, cycle)
        self.assertEqual([row.get("mark") for row in reply["rows"] if row["id"] in ids], [None] * 3 + ["cycle"])
        self.assertEqual([row["name"] for row in reply["rows"] if row["depth"] == 0], ["chain-1", "cycle-0"])

        terminal = self.terminal(pid, "tree")
        terminal.expect(rf"#{cycle[0]} cycle-0, waiting \(cycle\)\n")
        terminal.expect(rf"^cycle: #{cycle[0]} → #{cycle[1]} → #{cycle[2]} → #{cycle[0]}\n")
        result = self.loopctl(pid, "tree", code=0)
        self.assertIn(f"cycle: #{cycle[0]} → ", result.err)
        self.assertEqual([row["mark"] for row in result.rows].count("cycle"), 1)

    def test_exact_while_blocked(self):
        pid, _ = self.start_target("cycle=2", "block=5")
        time.sleep(0.3)
        start = time.monotonic()
        reply = self.loopctl(pid, "tree", "--json", code=0).json
        self.assertLess(time.monotonic() - start, 3)
        self.assertEqual((reply["loop"]["state"], reply["exact"], len(reply["cycles"])), ("blocked", True, 1))
        self.assertIn("blocked for", self.loopctl(pid, "tree").err)

    def test_deep_chain(self):
        pid, _ = self.start_target("chain=3000")
        rows = self.loopctl(pid, "tree", "--json", code=0).json["rows"]
        self.assertEqual([row["depth"] for row in rows], list(range(3001)))
        self.env["LOOPCTL_PAGER"] = "cat"
        terminal = self.terminal(pid, "tree")
        terminal.expect(r"^\[2988\] .*└── #\d+ future\n")
        self.assertEqual(terminal.wait(), 0)

    def test_nothing(self):
        pid, _ = self.start_target()
        self.assertEqual(self.loopctl(pid, "tree", "--json", code=0).json["rows"], [])
        self.terminal(pid, "tree").expect(r"^none\n")

    def test_wrong_work(self):
        for command in ("create_task dance 1", "create_task sleep -1", "create_task sleep x", "create_task sleep nan",
                        "create_task wait x", "create_task wait 999", "create_task sleep", "run_in_executor dance"):
            with self.subTest(command):
                result = self.loopctl("host", input=command, code=3)
                self.assertEqual(result.out.splitlines()[2:], [])
                self.assertIn("loopctl: ", result.err)

    def test_a_host_that_ends_with_work(self):
        start = time.monotonic()
        result = self.loopctl("host", input="create_task sleep 60\nrun_in_executor sleep 60\njobs --json\n", code=0)
        self.assertLess(time.monotonic() - start, 30)
        self.assertEqual(result.err, "")
        row, = program.parse_json(result.out.splitlines()[-1])["rows"]
        self.assertIn(row["state"], ("queued", "running"))
        self.assertEqual(row["function"], "ctl_action_run_in_thread")

    def test_executor_of_a_host(self):
        host, _ = self.start_host()
        self.loopctl(host.pid, "run_in_executor", "sleep", 3600, code=0)
        row, = self.loopctl(host.pid, "executors", "--json", code=0).json["rows"]
        self.assertEqual((row["name"], row["workers"], row["idle"], row["queued"]), ("loop", 1, 0, 0))
        self.loopctl(host.pid, "run_in_executor", "echo", "from a thread", code=0)
        self.assertEqual(host.stdout.readline(), "from a thread\n")
        # It may be gone before it has answered.
        self.assertIn(self.loopctl(host.pid, "run_in_executor", "stop").code, (0, 2))
        self.assertEqual(host.wait(program.PATIENCE), 0)


tap.main()
