# SPDX-License-Identifier: LGPL-2.1-or-later
"""What clients are shown of tasks, futures, fibers, executors and signals, and of who waits for whom."""

import os
import signal
import time

import peer
import tap
from gi.repository import GLib

PAGE = 4096


class TestTasks(peer.TestCase):
    def setUp(self):
        super().setUp()
        self.target = self.start()
        self.client = self.connect(self.target)
        self.loop = self.target.loop

    def ids(self, command):
        """The ids that a command answers, when what it has begun waits."""
        ids = [int(id) for id in self.target.do(command).split()]
        self.target.do("wake")
        return ids

    def rows(self, kind, **options):
        return {row["id"]: row for row in self.client.rows(self.loop, kind, **options)}

    def row(self, kind, id):
        found = self.client.rows(self.loop, kind, {"id": GLib.Variant("t", id)})
        self.assertLessEqual(len(found), 1)
        return found[0] if found else None

    def workers(self):
        """Those of which all is known."""
        return {id: row for id, row in self.rows("workers").items() if "pid" in row}

    def edges(self):
        rows = self.client.rows(self.loop, "awaits")
        self.assertEqual([row["id"] for row in rows], sorted({row["id"] for row in rows}))
        return {(row["waiter"], row["future"]) for row in rows}

    def block(self, seconds):
        id = self.target.number(f"block {seconds}")
        self.wait_for(lambda: self.client.state(self.loop).get("handle") == id)

    def test_graph(self):
        parent, gather, first, second, future = self.ids("graph")
        tasks = self.rows("tasks")
        self.assertEqual(set(tasks), {parent, first, second})
        for id, name, awaits, awaited in ((parent, "parent", gather, "gather"), (first, "first", future, "future"),
                                          (second, "second", future, "future")):
            row = tasks[id]
            self.assertEqual((row["name"], row["state"], row["awaits"], row["awaited"], row["cancelling"]),
                             (name, "waiting", awaits, awaited, 0))
            self.assertNotEqual(row["coroutine"], "")
            self.assertNotIn("cancelled_by", row)
        futures = self.rows("futures")
        self.assertEqual({key: futures[future][key] for key in ("callbacks", "waiters", "waiter", "state")},
                         {"callbacks": 2, "waiters": 2, "waiter": first, "state": "pending"})
        self.assertEqual((futures[gather]["waiters"], futures[gather]["waiter"]), (1, parent))
        self.assertEqual(self.edges(), {(parent, gather), (gather, first), (gather, second), (first, future),
                                        (second, future)})

    def test_group(self):
        leader, = self.ids("group")
        self.target.do("wake")
        member, = [id for id, row in self.rows("tasks").items() if row["name"] == "member"]
        self.assertIn((leader, member), self.edges())
        self.assertEqual(self.row("tasks", leader)["awaited"], "task group")

    def test_cycle(self):
        first, second = self.ids("cycle 2")
        self.assertEqual(self.edges(), {(first, second), (second, first)})
        tasks = self.rows("tasks")
        self.assertEqual((tasks[first]["awaits"], tasks[second]["awaits"]), (second, first))
        self.assertEqual(tasks[first]["awaited"], tasks[second]["name"])
        self.assertRegex(tasks[first]["name"], r"^Task-\d+$")

    def test_exact_while_blocked(self):
        parent, gather, first, second, future = self.ids("graph")
        deep, = self.ids("deep")
        self.target.do("jobs 3")
        self.target.do("processes 3 3600")
        self.wait_for(lambda: [row["state"] for row in self.workers().values()] == ["busy"] * 3)
        self.target.do(f"signal {int(signal.SIGUSR1)} 0")
        before = {kind: self.rows(kind) for kind in ("tasks", "futures", "fibers", "awaits", "executors", "jobs",
                                                     "signals")}
        workers = self.workers()
        self.block(2)
        start = time.monotonic()
        for kind, rows in before.items():
            self.assertEqual(self.rows(kind), rows, kind)
        later = self.workers()
        self.assertEqual(set(later), set(workers))
        for id, row in workers.items():
            self.assertGreater(later[id].pop("seconds"), row.pop("seconds"))
            self.assertEqual(later[id], row)
        self.assertLess(time.monotonic() - start, 1)
        outcome, state = self.client.control(self.loop, "Cancel", "(t)", first)
        self.assertEqual((outcome, state["state"], state["name"]), ("queued", "blocked", "on_read"))
        # It is waiting until the loop comes to it.
        self.assertEqual(self.row("tasks", first)["state"], "waiting")
        self.wait_for(lambda: self.row("tasks", first)["state"] == "cancelled")

    def test_ready_and_running(self):
        busy, next = map(int, self.target.do("busy").split())
        self.wait_for(lambda: self.row("tasks", busy)["state"] == "running")
        self.wait_for(lambda: self.client.state(self.loop)["state"] == "blocked")
        self.assertEqual({id: row["state"] for id, row in self.rows("fibers").items()}, {busy: "running", next: "new"})
        self.assertNotIn("stack_used", self.row("fibers", next))
        row = self.row("tasks", next)
        self.assertEqual(row["state"], "ready")
        self.assertNotIn("awaits", row)
        self.wait_for(lambda: self.row("tasks", busy)["state"] == "finished")
        self.wait_for(lambda: self.row("tasks", next)["state"] == "waiting")

    def test_cancel(self):
        parent, gather, first, second, future = self.ids("graph")
        self.assertEqual(self.client.control(self.loop, "CancelWithMessage", "(ts)", first, "enough")[0], "done")
        self.target.do("wake")
        self.wait_for(lambda: self.row("tasks", first)["state"] == "cancelled")
        row = self.row("tasks", first)
        self.assertEqual(row["canceller"], "handle inspector")
        self.assertGreater(row["cancelled_by"], 0)
        # A child that is cancelled cancels the whole.
        self.wait_for(lambda: self.row("tasks", parent)["state"] == "cancelled")
        self.assertEqual(self.row("futures", future)["state"], "cancelled")
        for id in (first, parent, 999999):
            self.assertRefused("NotFound", self.client.control, self.loop, "Cancel", "(t)", id)
            self.assertRefused("NotFound", self.client.control, self.loop, "CancelWithMessage", "(ts)", id, "x")

    def test_cancelling(self):
        id, = self.ids("stubborn")
        self.client.control(self.loop, "Cancel", "(t)", id)
        self.wait_for(lambda: self.row("tasks", id).get("awaited") == "sleep")
        row = self.row("tasks", id)
        self.assertEqual((row["state"], row["cancelling"], row["canceller"]), ("cancelling", 1, "handle inspector"))
        self.client.control(self.loop, "Cancel", "(t)", id)
        self.wait_for(lambda: self.row("tasks", id)["state"] == "finished")
        self.assertEqual(self.row("tasks", id)["cancelling"], 2)

    def test_cancelled_by_a_timer(self):
        id, = self.ids("wait_for")
        self.wait_for(lambda: self.row("futures", id)["state"] == "cancelled")
        self.assertEqual(self.row("futures", id)["canceller"], "timer wait_for")

    def test_cancelled_by_a_task(self):
        leader, = self.ids("group")
        self.target.do("wake")
        member, = [id for id, row in self.rows("tasks").items() if row["name"] == "member"]
        self.client.control(self.loop, "Cancel", "(t)", leader)
        self.wait_for(lambda: self.row("tasks", leader)["state"] == "cancelled")
        row = self.row("tasks", member)
        self.assertEqual((row["state"], row["cancelled_by"]), ("cancelled", leader))
        self.assertRegex(row["canceller"], "^task .")

    def test_fibers(self):
        deep, = self.ids("deep")
        shallow, = self.ids("rename shallow")
        fibers = self.rows("fibers")
        self.assertEqual(set(fibers), {deep, shallow})
        self.assertEqual((fibers[deep]["name"], fibers[deep]["state"]), ("deep", "parked"))
        self.assertGreaterEqual(fibers[deep]["stack_used"], 40000)
        self.assertLess(fibers[deep]["stack_used"], 40000 + 6 * PAGE)
        self.assertLess(fibers[shallow]["stack_used"], 40000)
        self.assertGreater(fibers[shallow]["stack_used"], 0)
        self.assertEqual(fibers[deep]["stack_size"] % PAGE, 0)
        self.assertGreaterEqual(fibers[deep]["stack_size"], 128 * 1024 - PAGE)
        self.assertEqual(self.row("tasks", deep)["stack_used"], fibers[deep]["stack_used"])
        self.client.control(self.loop, "Cancel", "(t)", deep)
        self.wait_for(lambda: deep not in self.rows("fibers"))
        self.assertNotIn("stack_used", self.row("tasks", deep))

    def test_hundred_thousand_fibers(self):
        first, last = map(int, self.target.do("fibers 100000").split())
        self.wait_for(lambda: self.client.state(self.loop)["state"] == "polling")
        ids, cursor, longest = [], "", 0
        while True:
            start = time.monotonic()
            rows, cursor, _, _ = self.client.list_raw(self.loop, "fibers", cursor=cursor)
            longest = max(longest, time.monotonic() - start)
            self.assertLessEqual(len(rows), 256)
            self.assertEqual({row["state"] for row in rows}, {"parked"})
            ids += [row["id"] for row in rows]
            if not cursor:
                break
        self.assertEqual(ids, sorted(set(ids)))
        self.assertEqual(len(ids), 100000)
        self.assertEqual((ids[0], ids[-1]), (first, last))
        self.assertLess(longest, 2)
        self.assertEqual(self.client.metrics(self.loop)["tasks"], 100000)
        self.assertEqual(len(self.edges()), 100000)

    def test_names(self):
        for name, shown in (("größe", "größe"), ("x" * 63, "x" * 63), ("x" * 64, "x" * 60 + "…"),
                            ("x" * 59 + "ßßß", "x" * 59 + "…"), ("ß" * 100, "ß" * 30 + "…"),
                            ("with_spaces", "with spaces"), ("\x1b[2J", "\\x1b[2J")):
            id, = self.ids(f"rename {name}")
            self.assertEqual(self.row("tasks", id)["name"], shown)

    def test_executors(self):
        first, last = map(int, self.target.do("jobs 5").split())
        self.wait_for(lambda: self.rows("jobs")[first]["state"] == "running")
        executor, = self.rows("executors").values()
        self.assertEqual({key: value for key, value in executor.items() if key != "id"},
                         {"kind": "threads", "name": "one", "max_workers": 1, "workers": 1, "idle": 0, "queued": 4,
                          "submitted": 5, "done": 0})
        jobs = self.rows("jobs")
        self.assertEqual([row["state"] for row in jobs.values()], ["running"] + ["queued"] * 4)
        for row in jobs.values():
            self.assertEqual((row["executor"], row["awaited"]), (executor["id"], True))
        self.assertEqual(self.client.metrics(self.loop)["jobs"], 5)

        # One that waits goes away; the one that runs goes on, and nobody waits for it.
        self.assertEqual(self.client.control(self.loop, "Cancel", "(t)", last)[0], "done")
        self.assertEqual(self.client.control(self.loop, "Cancel", "(t)", first)[0], "done")
        jobs = self.rows("jobs")
        self.assertNotIn(last, jobs)
        self.assertEqual((jobs[first]["state"], jobs[first]["awaited"]), ("running", False))
        self.assertEqual(self.rows("executors")[executor["id"]]["queued"], 3)

        # An executor without work is only listed if it is the default one.
        self.target.do("jobs 0")
        self.wait_for(lambda: not self.rows("jobs"))
        self.assertEqual(self.rows("executors"), {})
        self.target.do("jobs 0 default")
        executor, = self.rows("executors").values()
        self.assertEqual((executor["submitted"], executor["done"], executor["queued"], executor["workers"]),
                         (5, 4, 0, 1))

    def test_lookups(self):
        first, last = map(int, self.target.do("lookups 10").split())
        self.wait_for(lambda: [row["state"] for row in self.rows("lookups").values()] == ["running"] * 8 + ["queued"] * 2)
        for row in self.rows("lookups").values():
            self.assertEqual((row["kind"], row["host"], row["service"], row["awaited"]),
                             ("getaddrinfo", "slow.test", "80", True))
        age = self.row("lookups", first)["age"]
        time.sleep(0.1)
        self.assertGreaterEqual(self.row("lookups", first)["age"], age + 0.1)
        executor, = self.rows("executors").values()
        self.assertEqual((executor["name"], executor["max_workers"], executor["queued"]), ("resolver", 8, 2))

        # One that waits for a thread goes away; one that has it goes on, and nobody waits for it.
        self.assertEqual(self.client.control(self.loop, "Cancel", "(t)", last)[0], "done")
        self.assertEqual(self.client.control(self.loop, "Cancel", "(t)", first)[0], "done")
        rows = self.rows("lookups")
        self.assertNotIn(last, rows)
        self.assertEqual((rows[first]["state"], rows[first]["awaited"]), ("running", False))

        self.target.do("lookups 0")
        self.wait_for(lambda: not self.rows("lookups"))
        self.assertEqual(self.rows("jobs"), {})

    def test_threads(self):
        self.target.do("jobs 0 default")
        self.assertEqual(self.rows("workers"), {})
        first, second = map(int, self.target.do("jobs 2").split())
        self.wait_for(lambda: [row["state"] for row in self.workers().values()] == ["busy"])
        executor, = self.rows("executors")
        worker, = self.workers().values()
        self.assertEqual((worker["executor"], worker["job"]), (executor, first))
        with open(f"/proc/{self.target.pid}/task/{worker['pid']}/comm", encoding="ascii") as file:
            self.assertEqual(file.read(), "one_0\n")
        time.sleep(0.1)
        self.assertGreaterEqual(self.row("workers", worker["id"])["seconds"], worker["seconds"] + 0.1)

        self.target.do("jobs 0")
        self.wait_for(lambda: not self.rows("jobs"))
        idle, = self.workers().values()
        self.assertEqual(idle, {"id": worker["id"], "executor": executor, "pid": worker["pid"], "state": "idle"})

    def test_processes(self):
        first, last = map(int, self.target.do("processes 4 3600").split())
        self.wait_for(lambda: [row["state"] for row in self.workers().values()] == ["busy"] * 2)
        executor, = self.rows("executors").values()
        self.assertEqual({key: value for key, value in executor.items() if key != "id"},
                         {"kind": "processes", "name": "loop-worker", "max_workers": 2, "workers": 2, "idle": 0,
                          "queued": 2, "submitted": 4, "done": 0})
        jobs = self.rows("jobs")
        self.assertEqual([row["state"] for row in jobs.values()], ["running"] * 2 + ["queued"] * 2)
        for row in jobs.values():
            self.assertEqual((row["function"], row["executor"]), ("nap", executor["id"]))
        workers = self.workers()
        self.assertEqual({row["job"] for row in workers.values()}, set(list(jobs)[:2]))
        for row in workers.values():
            self.assertEqual(row["executor"], executor["id"])
            with open(f"/proc/{row['pid']}/comm", encoding="ascii") as file:
                self.assertEqual(file.read(), "loop-worker\n")

        # What a worker did that was killed has failed; a new one takes its place.
        killed, = [row for row in workers.values() if row["job"] == first]
        os.kill(killed["pid"], signal.SIGKILL)
        self.wait_for(lambda: killed["id"] not in self.workers() and len(self.workers()) == 2)
        self.assertEqual(self.row("futures", first)["state"], "finished")
        new, = [row for id, row in self.workers().items() if id not in workers]
        self.assertGreater(new["id"], max(workers))
        self.assertNotEqual(new["pid"], killed["pid"])
        self.wait_for(lambda: self.row("workers", new["id"]).get("job") == list(jobs)[2])
        executor, = self.rows("executors").values()
        self.assertEqual((executor["submitted"], executor["done"], executor["queued"]), (4, 1, 1))

        # One that waits can be withdrawn, and is neither done nor queued then.
        self.assertEqual(self.client.control(self.loop, "Cancel", "(t)", last)[0], "done")
        executor, = self.rows("executors").values()
        self.assertEqual((executor["submitted"], executor["done"], executor["queued"]), (4, 1, 0))

    def test_two_kinds_of_executors(self):
        self.target.do("jobs 2")
        self.target.do("processes 5 3600")
        self.target.do("jobs 2")
        self.wait_for(lambda: [row["state"] for row in self.workers().values()] == ["busy"] * 3)
        executors = self.rows("executors")
        self.assertEqual({row["kind"]: row["queued"] for row in executors.values()}, {"threads": 3, "processes": 3})
        self.assertEqual(sorted(executors[row["executor"]]["kind"] for row in self.rows("workers").values()),
                         ["processes", "processes", "threads"])
        # Each is there once, though it has jobs before and after those of the other.
        for kind, n in (("executors", 2), ("workers", 3)):
            ids = [row["id"] for row in self.client.rows(self.loop, kind)]
            self.assertEqual((len(ids), ids), (n, sorted(set(ids))))
            self.assertEqual([row["id"] for row in self.client.rows(self.loop, kind, limit=1)], ids)

    def test_jobs_that_are_done_while_blocked(self):
        first, last = map(int, self.target.do("jobs 2").split())
        self.wait_for(lambda: self.rows("jobs")[first]["state"] == "running")
        self.target.send("jobs 0")
        self.target.send("block 1")
        self.wait_for(lambda: self.client.state(self.loop).get("name") == "on_read")
        self.wait_for(lambda: [row["state"] for row in self.rows("jobs").values()] in (["done", "done"], []))
        self.assertIn("handle", self.client.state(self.loop))

    def test_signals(self):
        self.target.do(f"signal {int(signal.SIGUSR1)} 3")
        self.target.do(f"signal {int(signal.SIGRTMIN) + 1} 5")
        self.wait_for(lambda: [row["pending"] for row in self.rows("signals").values()] == [0, 0])
        rows = sorted(self.rows("signals").values(), key=lambda row: row["number"])
        self.assertEqual([(row["signal"], row["number"]) for row in rows],
                         [("SIGUSR1", signal.SIGUSR1), ("SIGRTMIN+1", signal.SIGRTMIN + 1)])
        self.assertIn(rows[0]["caught"], (1, 2, 3))
        self.assertEqual(rows[1]["caught"], 5)
        self.assertNotEqual(rows[0]["callback"], "")

    def test_sorts_and_filters(self):
        self.ids("graph")
        self.ids("cycle 3")
        self.target.do("jobs 3")
        rows = self.client.rows(self.loop, "futures", sort="-waiters")
        self.assertEqual([row["waiters"] for row in rows], sorted((row["waiters"] for row in rows), reverse=True))
        self.assertEqual(rows[0]["waiters"], 2)
        self.assertEqual(len(self.client.rows(self.loop, "tasks", {"state": GLib.Variant("s", "wait*")})), 6)
        self.assertEqual(len(self.client.rows(self.loop, "tasks", {"name": GLib.Variant("s", "parent")})), 1)
        self.assertEqual(len(self.client.rows(self.loop, "jobs", {"state": GLib.Variant("s", "queued")})), 2)
        for kind in ("tasks", "futures", "awaits", "fibers", "jobs", "executors"):
            up = self.client.rows(self.loop, kind, limit=1)
            self.assertEqual(self.client.rows(self.loop, kind, sort="-id", limit=2), up[::-1])

    def test_filter_by_state(self):
        self.target.do("fibers 20000")
        parent, gather, first, second, future = self.ids("graph")
        self.client.control(self.loop, "Cancel", "(t)", first)
        self.wait_for(lambda: self.row("tasks", parent)["state"] == "cancelled")
        filter = {"state": GLib.Variant("s", "cancelled")}
        for limit in (1, 2, 256):
            rows = self.client.rows(self.loop, "tasks", filter, limit=limit)
            self.assertEqual([row["id"] for row in rows], [first, second, parent] if first < parent else
                             [parent, first, second])
        rows = self.client.rows(self.loop, "tasks", {"state": GLib.Variant("s", "wait*")}, limit=256)
        self.assertEqual(len(rows), 20000)
        self.assertEqual(rows, self.client.rows(self.loop, "tasks", {"state": GLib.Variant("s", "waiting")}))
        # What is found in one pass takes no longer than a page of all.
        start = time.monotonic()
        self.client.list_raw(self.loop, "tasks", {"state": GLib.Variant("s", "w")})
        glob = {"state": GLib.Variant("s", "w?")}
        middle = time.monotonic()
        self.client.list_raw(self.loop, "tasks", glob)
        self.assertLess(middle - start, (time.monotonic() - middle) / 4)

    def test_generation(self):
        def generation():
            return self.client.list_raw(self.loop, "tasks")[2]

        self.wait_for(lambda: self.client.state(self.loop)["state"] == "polling")
        idle = generation()
        self.assertEqual(generation(), idle)
        # While it is blocked and when it waits again is not the same.
        self.block(0.5)
        blocked = generation()
        self.assertGreater(blocked, idle)
        self.assertEqual(generation(), blocked)
        self.wait_for(lambda: self.client.state(self.loop)["state"] == "polling")
        self.assertGreater(generation(), blocked)

    def test_ages(self):
        before = self.target.number("future")
        self.client.control(self.loop, "SetDebug", "(b)", True)
        parent, gather, first, second, future = self.ids("graph")
        self.target.do("jobs 1")
        job, = self.rows("jobs")
        timer = self.target.number("timers 1")
        kinds = {"tasks": parent, "futures": future, "jobs": job, "timers": timer}
        ages = {kind: self.row(kind, id)["age"] for kind, id in kinds.items()}
        time.sleep(0.1)
        for kind, id in kinds.items():
            self.assertIn("created", self.row(kind, id))
            self.assertGreaterEqual(ages[kind], 0)
            self.assertGreaterEqual(self.row(kind, id)["age"], ages[kind] + 0.1)
            self.assertLess(self.row(kind, id)["age"], peer.PATIENCE)
        self.assertNotIn("age", self.row("futures", before))
        self.client.control(self.loop, "SetDebug", "(b)", False)
        for kind, id in kinds.items():
            self.assertNotIn("age", self.row(kind, id))

    def test_full_speed(self):
        self.ids("graph")
        self.target.do("churn_tasks 1")
        end = time.monotonic() + 2
        while time.monotonic() < end:
            for kind in ("tasks", "futures", "fibers", "awaits"):
                ids = [row["id"] for row in self.client.rows(self.loop, kind)]
                self.assertEqual(ids, sorted(set(ids)))
        for row in self.client.rows(self.loop, "tasks"):
            self.assertIn(row["state"], ("running", "waiting", "ready", "cancelling", "finished", "cancelled"))
        self.target.do("churn_tasks 0")


tap.main()
