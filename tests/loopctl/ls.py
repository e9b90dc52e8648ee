# SPDX-License-Identifier: LGPL-2.1-or-later
"""Finding processes: ls, and what may be given as a target."""

import os
import socket

import program
import tap


class TestLs(program.TestCase):
    def directory(self):
        path = os.path.join(self.runtime, "libloop")
        os.makedirs(path, 0o700, exist_ok=True)
        return path

    def leave_socket(self, name):
        """Makes a socket on which nobody listens."""
        path = os.path.join(self.directory(), name)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
        return path

    def socket_of(self, pid):
        return self.loopctl("--json", "ls").json["rows"][0]["socket"]

    def test_nothing(self):
        result = self.loopctl("ls", code=0)
        self.assertEqual(result.out.split("\t")[0], "pid")
        self.assertEqual(result.rows, [])
        self.assertIn("LOOP_INSPECT=1", result.err)
        self.assertEqual(self.loopctl("ls", "--json", code=0).json, {"rows": []})

    def test_process(self):
        pid, _ = self.start_target()
        row, = self.loopctl("ls", code=0).rows
        self.assertEqual((row["pid"], row["program"], row["loop"], row["state"], row["access"]),
                         (str(pid), "target", "1", "polling", "control"))

    def test_json(self):
        pid, _ = self.start_target("loops=2")
        row, = self.loopctl("--json", "ls", code=0).json["rows"]
        self.assertEqual(set(row), {"pid", "program", "version", "access", "socket", "answers", "loops"})
        self.assertEqual((row["pid"], row["program"], row["answers"]), (pid, "target", True))
        self.assertEqual([loop["state"] for loop in row["loops"]], ["polling", "stopped"])
        self.assertEqual(len(self.loopctl("ls").rows), 2)

    def test_stale_sockets_are_removed(self):
        pid, _ = self.start_target()
        stale = [self.leave_socket(name) for name in ("999999999-0123abcd.sock", "name.sock", f"{os.getpid()}-1.sock")]
        other = os.path.join(self.directory(), "notes.txt")
        with open(other, "w", encoding="utf-8"):
            pass
        self.assertEqual([row["pid"] for row in self.loopctl("ls", code=0).rows], [str(pid)])
        self.assertEqual([path for path in stale if os.path.exists(path)], [])
        self.assertTrue(os.path.exists(other))
        self.assertTrue(os.path.exists(self.socket_of(pid)))

    def test_killed_process_is_removed(self):
        self.start_target()
        self.target.kill()
        self.target.wait()
        self.assertEqual(len(os.listdir(self.directory())), 1)
        self.assertEqual(self.loopctl("ls", code=0).rows, [])
        self.assertEqual(os.listdir(self.directory()), [])

    def test_process_that_does_not_answer(self):
        pid, _ = self.start_target()
        self.stop_target()
        row, = self.loopctl("--timeout=0.3", "ls", code=0).rows
        self.assertEqual((row["pid"], row["program"], row["state"]), (str(pid), "target", "no answer"))
        result = self.loopctl("--timeout=0.3", pid, "handles", code=2)
        self.assertIn("did not answer within 0.3 s", result.err)

    def test_targets(self):
        pid, _ = self.start_target()
        for target in (pid, "target", self.socket_of(pid)):
            self.assertEqual(self.loopctl("--json", target, "loop", code=0).json["loop"]["id"], 1)

    def test_ambiguous_program(self):
        first, _ = self.start_target()
        second, _ = self.start_target()
        result = self.loopctl("target", "loop", code=1)
        self.assertIn(str(first), result.err)
        self.assertIn(str(second), result.err)

    def test_without_a_runtime_directory(self):
        pid, _ = self.start_target()
        path = self.socket_of(pid)
        env = {key: value for key, value in self.env.items() if key != "XDG_RUNTIME_DIR"}
        for args in (["ls"], [pid, "loop"], ["target", "loop"]):
            self.assertIn("XDG_RUNTIME_DIR", self.loopctl(*args, env=env, code=2).err)
        self.loopctl(path, "loop", env=env, code=0)

    def test_directory_that_is_not_private(self):
        os.chmod(self.directory(), 0o755)
        self.assertIn("0755", self.loopctl("ls", code=2).err)

    def test_directory_that_is_a_link(self):
        os.rename(self.directory(), os.path.join(self.runtime, "other"))
        os.symlink("other", os.path.join(self.runtime, "libloop"))
        self.loopctl("ls", code=2)

    def test_read_only(self):
        target = self.start([program.TARGET], LOOP_INSPECT="read")
        target.stdout.readline()
        self.assertEqual(self.loopctl("ls", code=0).rows[0]["access"], "read")
        result = self.loopctl("--json", target.pid, "debug", "on", code=3)
        self.assertEqual(result.json["error"]["name"], "AccessDenied")


tap.main()
