# SPDX-License-Identifier: LGPL-2.1-or-later
"""When the inspector is on, where its socket is, and where it refuses to be."""

import os
import socket
import stat

import peer
import tap

PERMISSION_DENIED = 14
NOT_FOUND = 1
FILENAME_TOO_LONG = 9


class TestSwitch(peer.TestCase):
    def test_off_by_default(self):
        for wish in (None, "", "0"):
            with self.subTest(wish):
                target = self.start(LOOP_INSPECT=wish)
                self.assertEqual(target.paths, [])
                self.assertFalse(os.path.exists(os.path.join(self.runtime, "libloop")))
                self.assertEqual(target.end(), (0, ""))

    def test_environment(self):
        for wish, access in (("1", "control"), ("read", "read")):
            target = self.start(LOOP_INSPECT=wish)
            client = self.connect(target)
            properties = client.call(peer.PROCESS, "org.freedesktop.DBus.Properties", "GetAll", "(s)",
                                     "org.libloop.Process1")
            self.assertEqual((properties["Pid"], properties["Program"], properties["Access"]),
                             (target.pid, "target", access))
            self.assertEqual(properties["Version"], os.environ.get("LOOP_VERSION", properties["Version"]))

    def test_modes(self):
        target = self.start()
        status = os.lstat(target.path)
        self.assertTrue(stat.S_ISSOCK(status.st_mode))
        self.assertEqual(stat.S_IMODE(status.st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.lstat(os.path.dirname(target.path)).st_mode), 0o700)
        self.assertRegex(os.path.basename(target.path), rf"^{target.pid}-[0-9a-f]+\.sock$")

    def test_modes_under_any_umask(self):
        for mask in (0o777, 0, 0o177):
            old = os.umask(mask)
            try:
                target = self.start(LOOP_INSPECT="1")
            finally:
                os.umask(old)
            if target.paths:
                self.assertEqual(stat.S_IMODE(os.lstat(target.path).st_mode) & 0o077, 0)
            target.end()

    def test_start_and_stop(self):
        target = self.start(LOOP_INSPECT=None)
        for access in ("read", "control", "read"):
            path = target.do(f"start {access}")
            self.assertEqual(target.path, path)
            client = self.connect(target)
            self.assertEqual(len(client.loops()), 1)
            # It is left as it is when it is on.
            self.assertEqual(target.do("start control"), path)
            self.assertEqual(target.do("stop"), "gone")
            self.assertEqual(target.paths, [])
            self.wait_for(client.connection.is_closed)
            self.assertEqual(target.do("stop"), "gone")
        self.assertEqual(target.end(), (0, ""))

    def test_start_and_stop_many_times(self):
        target = self.start(LOOP_INSPECT=None)
        for i in range(20):
            target.do("start control")
            # GDBus keeps its thread once there was a client.
            self.connect(target).loops()
            target.do("stop")
        fds, rss = target.n_fds, target.rss
        for i in range(200):
            target.do("start control")
            if i % 10 == 0:
                client = target.connect()
                client.loops()
                target.do("stop")
                client.close()
            else:
                target.do("stop")
        # GDBus closes its connections in a thread of its own.
        self.wait_for(lambda: target.n_fds <= fds)
        self.assertLess(target.rss - rss, 2 << 20)

    def test_stop_while_actions_wait(self):
        target = self.start(LOOP_INSPECT=None)
        target.do("start control")
        other = target.do("new")
        client = self.connect(target)
        call = peer.message(f"/org/libloop/Loop1/{other}", "org.libloop.Control1", "SetDebug", "(b)", True)
        raw = self.raw(target)
        peer.authenticate(raw)
        raw.sendall(call)
        self.assertEqual(client.state(other)["state"], "stopped")
        target.do("stop")
        target.do("@1 close-idle")
        self.assertEqual(target.end(), (0, ""))

    def test_two_loops(self):
        target = self.start()
        client = self.connect(target)
        second = target.number("new")
        self.assertNotEqual(second, target.loop)
        loops = client.loops()
        self.assertEqual({loop["id"] for loop in loops}, {target.loop, second})
        for loop in loops:
            self.assertEqual(loop["path"], f"/org/libloop/Loop1/{loop['id']}")
            self.assertEqual({key: value for key, value in client.state(loop["id"]).items() if key == "id"},
                             {"id": loop["id"]})
        self.assertEqual(len(target.paths), 1)
        target.do("@1 close-idle")
        self.assertEqual(client.state(second)["state"], "closed")
        target.do("unref")
        self.assertRefused("NotFound", client.state, second)

    def test_file_removed_at_exit(self):
        target = self.start()
        path = target.path
        self.assertEqual(target.end(), (0, ""))
        self.assertFalse(os.path.lexists(path))

    def test_file_of_another_is_not_removed(self):
        target = self.start()
        path = target.path
        os.unlink(path)
        with open(path, "w", encoding="ascii"):
            pass
        self.assertEqual(target.end(), (0, ""))
        self.assertTrue(os.path.lexists(path))

    def test_forked_child(self):
        target = self.start()
        self.assertEqual(target.do("fork"), "0")
        self.assertTrue(os.path.exists(target.path))
        self.assertEqual(len(self.connect(target).loops()), 1)

    def test_stale_files(self):
        live = self.start()
        killed = self.start()
        stale = killed.path
        killed.process.kill()
        killed.process.wait()
        folder = os.path.dirname(stale)
        self.assertTrue(os.path.lexists(stale))

        others = {"notes.txt": "file", "file.sock": "file", "link.sock": "link", "folder.sock": "folder"}
        for name, kind in others.items():
            path = os.path.join(folder, name)
            if kind == "file":
                with open(path, "w", encoding="ascii"):
                    pass
            elif kind == "link":
                os.symlink("nowhere", path)
            else:
                os.mkdir(path)
        other_stale = os.path.join(folder, "other")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(other_stale)
        # One that is busy is not stale.
        with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as waiting:
            busy.bind(os.path.join(folder, "busy.sock"))
            busy.listen(0)
            waiting.setblocking(False)
            waiting.connect(os.path.join(folder, "busy.sock"))
            new = self.start()
            self.assertEqual(set(os.listdir(folder)),
                             {*others, "other", "busy.sock", os.path.basename(live.path), os.path.basename(new.path)})
        self.assertEqual(len(self.connect(live).loops()), 1)

    def test_many_start_at_once(self):
        for _ in range(5):
            targets = [peer.subprocess.Popen([peer.TARGET], env=self.environment(LOOP_INSPECT="1"),
                                             stdin=peer.subprocess.PIPE, stdout=peer.subprocess.PIPE,
                                             stderr=peer.subprocess.PIPE) for _ in range(20)]
            pids = [int(target.stdout.readline().split()[0]) for target in targets]
            found = {int(name.split("-")[0]) for name in os.listdir(os.path.join(self.runtime, "libloop"))}
            errors = [target.communicate(timeout=peer.PATIENCE)[1] for target in targets]
            self.assertEqual(errors, [b""] * len(targets))
            self.assertEqual(found, set(pids))

    def check_refused(self, code, pattern, **extra):
        target = self.start(LOOP_INSPECT=None, **extra)
        status, answer = target.ask("start control")
        self.assertEqual(status, "error", answer)
        self.assertRegex(answer, pattern)
        self.assertEqual(int(answer.split()[0]), code, answer)
        # The program goes on, and so does one whose environment asks for it.
        self.assertGreater(int(target.do("soon")), 0)
        self.assertEqual(target.end(), (0, ""))
        target = self.start(**extra)
        self.assertGreater(int(target.do("soon")), 0)
        result, errors = target.end()
        self.assertEqual(result, 0)
        self.assertRegex(errors, "(?s)LOOP_INSPECT is set, but the inspector could not be started: .*" + pattern)

    def test_no_runtime_dir(self):
        for value in (None, "", "relative/path", "."):
            with self.subTest(value):
                self.check_refused(NOT_FOUND, "XDG_RUNTIME_DIR", XDG_RUNTIME_DIR=value)

    def test_missing_runtime_dir(self):
        self.check_refused(NOT_FOUND, "No such file", XDG_RUNTIME_DIR=os.path.join(self.folder, "missing"))

    def test_symlink(self):
        elsewhere = os.path.join(self.folder, "elsewhere")
        os.mkdir(elsewhere, 0o700)
        os.symlink(elsewhere, os.path.join(self.runtime, "libloop"))
        target = self.start(LOOP_INSPECT=None)
        status, answer = target.ask("start control")
        self.assertEqual(status, "error", answer)
        self.assertIn("libloop", answer)
        self.assertEqual(os.listdir(elsewhere), [])
        self.assertEqual(target.end(), (0, ""))

    def test_directory_is_a_file(self):
        with open(os.path.join(self.runtime, "libloop"), "w", encoding="ascii"):
            pass
        target = self.start(LOOP_INSPECT=None)
        self.assertEqual(target.ask("start control")[0], "error")
        self.assertEqual(target.end(), (0, ""))

    def test_open_directory(self):
        for mode in (0o777, 0o701, 0o770, 0o1777):
            with self.subTest(oct(mode)):
                folder = os.path.join(self.runtime, "libloop")
                os.makedirs(folder, exist_ok=True)
                os.chmod(folder, mode)
                self.check_refused(PERMISSION_DENIED, "mode 0700")
                self.assertEqual(os.listdir(folder), [])

    def test_directory_of_another(self):
        if os.geteuid() != 0:
            self.skipTest("only root can give a directory away")
        folder = os.path.join(self.runtime, "libloop")
        os.mkdir(folder, 0o700)
        os.chown(folder, 65534, 65534)
        self.check_refused(PERMISSION_DENIED, "belongs to user 65534")

    def test_path_too_long(self):
        # Up to the longest that there is room for.
        base = len(os.path.join(self.folder, "x", "libloop", "1234567-01234567.sock"))
        for length, works in ((107 - base - 4, True), (116 - base, False), (250, False)):
            runtime = os.path.join(self.folder, "x" * (length + 1))
            os.mkdir(runtime, 0o700)
            if works:
                target = self.start(XDG_RUNTIME_DIR=runtime)
                self.assertEqual(len(self.connect(target).loops()), 1)
            else:
                self.check_refused(FILENAME_TOO_LONG, "longer than 107 bytes", XDG_RUNTIME_DIR=runtime)
                self.assertEqual(os.listdir(os.path.join(runtime, "libloop")), [])

    def test_undumpable(self):
        target = self.start(LOOP_INSPECT=None)
        target.do("undumpable")
        status, answer = target.ask("start control")
        self.assertEqual(status, "error")
        self.assertRegex(answer, f"^{PERMISSION_DENIED} .*not dumpable")
        self.assertGreater(int(target.do("soon")), 0)
        self.assertEqual(target.end(), (0, ""))


tap.main()
