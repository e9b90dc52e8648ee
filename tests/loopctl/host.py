# SPDX-License-Identifier: LGPL-2.1-or-later
"""loopctl host: a loop as a service."""

import glob
import os
import re
import signal
import socket
import subprocess
import time

import program
import tap


class TestHost(program.TestCase):
    def host(self, commands, *args, code=0, env=None):
        return self.loopctl("host", *args, input=commands, code=code, env=env)

    def test_banner(self):
        first, second = self.host("").out.splitlines()
        self.assertRegex(first, r"^echo server on 127\.0\.0\.1:[1-9]\d*$")
        self.assertRegex(second, rf"^process \d+, inspector on {self.runtime}/libloop/\d+-[0-9a-f]+\.sock$")

    def test_json(self):
        banner, timer, timers = self.host("call_later 5 echo hello; timers", "--json").json_lines
        self.assertEqual(list(banner["host"]), ["pid", "host", "port", "socket"])
        self.assertEqual(list(timer), ["loop", "id"])
        self.assertEqual([(row["id"], row["name"]) for row in timers["rows"]], [(timer["id"], "echo hello")])
        self.assertLess(4, timers["rows"][0]["in"])

    def test_socket_that_is_not_utf_8(self):
        env = {**self.env, "XDG_RUNTIME_DIR": self.runtime + os.fsdecode(b"\xff")}
        os.mkdir(env["XDG_RUNTIME_DIR"], 0o700)
        result = self.host("ls\n", "--json", env=env)
        banner, ls = result.json_lines
        for found in (banner["host"]["socket"], ls["rows"][0]["socket"]):
            self.assertRegex(found, rf"^{self.runtime}\ufffd/libloop/\d+-[0-9a-f]+\.sock$")
        self.assertEqual(result.err, "")

    def test_actions(self):
        result = self.host("call_soon echo one 'two  words'\ncall_later 0.05 echo later\nsleep 0.3\n"
                           "call_later -1 echo at once\ncall_later 3600 echo never\nsleep 0.2\n")
        lines = result.out.splitlines()[2:]
        self.assertEqual([line for line in lines if not line.isdigit()], ["one two  words", "later", "at once"])

    def test_call_at(self):
        reply = program.parse_json(self.host("call_later 100 stop\ntimers --json\n").out.splitlines()[-1])
        self.assertAlmostEqual(reply["rows"][0]["when"], time.monotonic() + 100, delta=program.PATIENCE)
        result = self.host("call_at 1 echo past\nsleep 0.2\ncall_at inf echo never\ntimers\n")
        self.assertIn("past\n", result.out)
        self.assertRegex(result.out, r"\n\d+\t\t\techo never\t\t\n$")

    def test_sleep_blocks(self):
        start = time.monotonic()
        result = self.host("call_soon sleep 30\nsleep 0.3\nhandles\ncall_soon echo queued\n"
                           "call_later 1 echo no\nstop\nhandles --json\n", code=3)
        # The end does not wait for it.
        self.assertLess(time.monotonic() - start, 20)
        self.assertRegex(result.out, r"\thandle\trunning\t[\d.]+\tsleep 30\t\t\n")
        self.assertRegex(result.err, r"loop 1: blocked for [\d.]+ m?s in handle #\d+ sleep 30\n")
        self.assertIn("nothing was done", result.err)
        self.assertIn("queued\n", result.out)

    def test_wrong_actions(self):
        for command in ("call_soon dance", "call_soon sleep", "call_soon sleep -1", "call_soon sleep x",
                        "call_soon stop now", "create_server 127.0.0.1 0 chess", "call_later x echo",
                        "create_server 127.0.0.1 70000 echo", "create_server 127.0.0.1", "create_connection 127.0.0.1 1 chess",
                        "create_unix_server", "create_unix_server @x chess", "create_unix_connection @x chess",
                        "create_datagram_endpoint", "create_datagram_endpoint local_addr=127.0.0.1:x",
                        "create_datagram_endpoint remote_addr=: echo", "create_datagram_endpoint chess", "sendto 1",
                        "sendto 1 '' x", "sendto 1 127.0.0.1:99999 x", "getaddrinfo", "getnameinfo", "getnameinfo localhost", "getnameinfo 127.0.0.1 http", "write x y", "write 1", r"write 1 '\q'", r"write 1 '\x1'", "write_eof", "subprocess_exec",
                        "subprocess_exec ''"):
            with self.subTest(command):
                result = self.host(command, "--json", code=3)
                self.assertIn(result.json_lines[-1]["error"]["name"], ("InvalidArgument", "Usage"))

    def test_servers_and_connections(self):
        result = self.host("create_server 127.0.0.1 0 discard\nservers\n", "--json")
        server = result.json_lines[1]
        self.assertEqual(list(server), ["loop", "id", "port"])
        self.assertIn(server["id"], [row["id"] for row in result.json_lines[2]["rows"]])

        host, port = self.start_host()
        reply = self.loopctl(host.pid, "create_connection", "127.0.0.1", port, "discard", "--json", code=0).json
        rows = self.loopctl(host.pid, "transports", "--json").json["rows"]
        self.assertEqual(len(rows), 2)
        self.assertIn(reply["id"], [row["id"] for row in rows])

        with program.connect(port) as client:
            self.assertEqual(program.echo(client, b"y" * 300000), b"y" * 300000)

        reply = self.loopctl(host.pid, "create_server", "127.0.0.1", port, "echo", "--json", code=3).json
        self.assertEqual(reply["error"]["name"], "Failed")
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            self.loopctl(host.pid, "create_connection", "127.0.0.1", unused.getsockname()[1], "echo", code=3)

        server = self.loopctl(host.pid, "servers").rows[0]["id"]
        self.loopctl(host.pid, "close_server", server, code=0)
        with self.assertRaises(ConnectionRefusedError):
            program.connect(port)

    def read_lines(self, host, n):
        return [host.stdout.readline().rstrip("\n") for _ in range(n)]

    def ask(self, host, *words, code=0):
        return self.loopctl("--json", host.pid, *words, code=code).json

    def test_what_is_received_is_printed(self):
        host, _ = self.start_host()
        port = self.ask(host, "create_server", "127.0.0.1", 0, "print")["port"]
        with program.connect(port) as client:
            id = re.fullmatch(r"#(\d+) connected", *self.read_lines(host, 1))[1]
            for sent, shown in ((b"one\r\n\r\ntwo", ["one", "", "two"]), (b"\n", [""]), ("größe\n".encode(), ["größe"]),
                                (b"\x1b[2J\0\t\xff", ["\\x1b[2J\u2400\\t\ufffd"])):
                client.sendall(sent)
                self.assertEqual(self.read_lines(host, len(shown)), [f"#{id}: {line}" for line in shown])
            client.sendall(b"x" * 50000)
            shown = 0
            while shown < 50000:
                line, = self.read_lines(host, 1)
                more = re.fullmatch(rf"#{id}: … \((\d+) bytes more\)", line)
                shown += int(more[1]) if more else len(line.removeprefix(f"#{id}: "))
                self.assertLess(len(line), 5000)
            self.assertEqual(shown, 50000)
        self.assertEqual(self.read_lines(host, 1), [f"#{id} closed"])

    def test_write(self):
        host, _ = self.start_host()
        port = self.ask(host, "create_server", "127.0.0.1", 0, "discard")["port"]
        with program.connect(port) as client:
            program.wait_for(lambda: self.loopctl(host.pid, "transports").rows)
            id = self.loopctl(host.pid, "transports").rows[0]["id"]
            for words, sent in ((["a  b", "c"], b"a  b c"), ([r"\x00\xfF\r\n\\\e\"\'"], b"\0\xff\r\n\\\x1b\"'"),
                                (["--json"], b"--json"), (["ü"], "ü".encode())):
                self.assertEqual(self.loopctl(host.pid, "write", f"#{id}", *words, code=0).out, "0\n")
                self.assertEqual(client.recv(100), sent)
            self.assertEqual(list(self.ask(host, "write", id, "x")), ["loop", "buffered"])
            self.assertEqual(client.recv(100), b"x")

            self.loopctl(host.pid, "write_eof", id, code=0)
            self.assertEqual(client.recv(100), b"")
            for command in (["write", id, "x"], ["write_eof", id]):
                self.assertEqual(self.ask(host, *command, code=3)["error"]["name"], "InvalidArgument")
        program.wait_for(lambda: not self.loopctl(host.pid, "transports").rows)
        for other in (id, 1, 1 << 62):
            for command in (["write", other, "x"], ["write_eof", other]):
                self.assertEqual(self.ask(host, *command, code=3)["error"]["name"], "NotFound")
        self.assertEqual(host.poll(), None)

    def test_write_to_who_does_not_read(self):
        host, _ = self.start_host()
        with socket.create_server(("127.0.0.1", 0)) as server:
            id = self.ask(host, "create_connection", "127.0.0.1", server.getsockname()[1])["id"]
            line = f"write {id} {'x' * 100000}\n"
            replies = self.loopctl("--json", host.pid, input=line * 120, code=0).json_lines
            buffered = replies[-1]["buffered"]
            self.assertGreater(buffered, 65536)
            row, = self.ask(host, "transports")["rows"]
            self.assertEqual((row["paused"], row["buffered"], row["sent"]), ("w", buffered, 120 * 100000 - buffered))
            # What comes from there is printed all the same.
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"hello\n")
                self.assertEqual(self.read_lines(host, 1), [f"#{id}: hello"])
                received = 0
                while received < 120 * 100000:
                    received += len(connection.recv(1 << 20))
            self.assertEqual(self.read_lines(host, 1), [f"#{id} closed"])

    def test_unix_sockets(self):
        host, _ = self.start_host()
        path = os.path.join(self.folder, "socket")
        for place, address in ((path, path), ("@loopctl-" + str(os.getpid()), "\0loopctl-" + str(os.getpid()))):
            server = self.ask(host, "create_unix_server", place)["id"]
            row, = [row for row in self.ask(host, "servers")["rows"] if row["id"] == server]
            self.assertEqual((row["address"], row["state"]), (place, "serving"))
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(program.PATIENCE)
                client.connect(address)
                self.assertEqual(program.echo(client, b"x" * 1000), b"x" * 1000)
                row, = [row for row in self.ask(host, "transports")["rows"] if row.get("owner") == server]
                self.assertEqual((row["local"], "peer" in row), (place, False))
            id = self.ask(host, "create_unix_connection", place)["id"]
            self.loopctl(host.pid, "write", id, "to itself", code=0)
            self.assertEqual(self.read_lines(host, 1), [f"#{id}: to itself"])
            row, = [row for row in self.ask(host, "transports")["rows"] if row["id"] == id]
            self.assertEqual(row["peer"], place)
            self.loopctl(host.pid, "close", id, code=0)
            self.assertEqual(self.read_lines(host, 1), [f"#{id} closed"])
            self.loopctl(host.pid, "close", server, code=0)
            self.assertEqual(self.ask(host, "create_unix_connection", place, code=3)["error"]["name"] in
                             ("NotFound", "Failed"), True)

    def test_path_is_that_of_the_client(self):
        host, _ = self.start_host()
        process = subprocess.run([program.LOOPCTL, str(host.pid), "create_unix_server", "./here"], cwd=self.folder,
                                 env=self.env, stdout=subprocess.PIPE)
        self.assertEqual(process.returncode, 0)
        self.assertTrue(os.path.exists(os.path.join(self.folder, "here")))

    def test_datagrams(self):
        host, _ = self.start_host()
        address = r"127\.0\.0\.1:(\d+)"
        echo = self.ask(host, "create_datagram_endpoint", "local_addr=127.0.0.1:0", "echo")["id"]
        row, = self.ask(host, "transports")["rows"]
        self.assertEqual((row["id"], row["kind"]), (echo, "datagram"))
        port = int(re.fullmatch(address, row["local"])[1])

        id = self.ask(host, "create_datagram_endpoint", f"remote_addr=127.0.0.1:{port}")["id"]
        self.loopctl(host.pid, "write", id, r"hello\n", code=0)
        self.assertEqual(self.read_lines(host, 1), [f"#{id} 127.0.0.1:{port}: hello"])

        id = self.ask(host, "create_datagram_endpoint", "local_addr=127.0.0.1:0", "print")["id"]
        row, = [row for row in self.ask(host, "transports")["rows"] if row["id"] == id]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
            peer.bind(("127.0.0.1", 0))
            peer.settimeout(program.PATIENCE)
            name = "127.0.0.1:%d" % peer.getsockname()[1]
            for words, sent in ((["one", r"two\0"], b"one two\0"), ([], b"")):
                self.loopctl(host.pid, "sendto", id, name, *words, code=0)
                self.assertEqual(peer.recv(100), sent)
            for sent in (b"back", b""):
                peer.sendto(sent, ("127.0.0.1", int(re.fullmatch(address, row["local"])[1])))
                self.assertEqual(self.read_lines(host, 1), [f"#{id} {name}: {sent.decode()}"])
        for words in (["write", id, "x"], ["write_eof", id], ["sendto", id, "localhost:1", "x"]):
            self.assertEqual(self.ask(host, *words, code=3)["error"]["name"], "InvalidArgument")
        self.assertEqual(self.ask(host, "sendto", 1, "127.0.0.1:1", "x", code=3)["error"]["name"], "NotFound")
        self.loopctl(host.pid, "close", id, code=0)
        self.assertEqual(host.poll(), None)

    def test_getaddrinfo(self):
        host, _ = self.start_host()
        reply = self.ask(host, "getaddrinfo", "127.0.0.1", "80")
        self.assertEqual(list(reply), ["loop", "rows"])
        self.assertEqual(reply["rows"], [{"family": "AF_INET", "address": "127.0.0.1:80"}])
        self.assertEqual(self.ask(host, "getaddrinfo", "::1", "https")["rows"],
                         [{"family": "AF_INET6", "address": "[::1]:443"}])
        self.assertEqual(self.loopctl(host.pid, "getaddrinfo", "127.0.0.1", code=0).out,
                         "family\taddress\nAF_INET\t127.0.0.1\n")
        self.assertEqual(self.ask(host, "getaddrinfo", "no-such-host.invalid", code=3)["error"]["name"] in
                         ("NotFound", "Failed"), True)

    def test_getnameinfo(self):
        host, _ = self.start_host()
        reply = self.ask(host, "getnameinfo", "127.0.0.1", "443")
        self.assertEqual((list(reply), reply["rows"][0]["service"]), (["loop", "rows"], "https"))
        name, service = socket.getnameinfo(("127.0.0.1", 1), 0)
        self.assertEqual(self.ask(host, "getnameinfo", "127.0.0.1", "1")["rows"], [{"host": name, "service": service}])
        self.assertEqual(self.loopctl(host.pid, "getnameinfo", "127.0.0.1", "1", code=0).out,
                         f"host\tservice\n{name}\t{service}\n")
        self.assertEqual(self.ask(host, "getnameinfo", "::1")["rows"][0]["service"], "0")

    def test_subprocesses(self):
        host, _ = self.start_host()
        reply = self.ask(host, "subprocess_exec", "cat", "-", "--")
        self.assertEqual(list(reply), ["loop", "id", "pid"])
        id = reply["id"]
        row, = self.ask(host, "subprocesses")["rows"]
        self.assertEqual((row["id"], row["pid"], row["program"], row["state"]), (id, reply["pid"], "cat", "running"))
        # By its own id, and by that of its pipe.
        self.loopctl(host.pid, "write", id, r"one\n", code=0)
        self.assertEqual(self.read_lines(host, 1), [f"#{id}: one"])
        self.loopctl(host.pid, "write", row["stdin"], r"two\n", code=0)
        self.assertEqual(self.read_lines(host, 1), [f"#{id}: two"])
        self.assertEqual(self.ask(host, "write", row["stdout"], "x", code=3)["error"]["name"], "NotFound")
        self.loopctl(host.pid, "write_eof", id, code=0)
        self.assertEqual(self.read_lines(host, 1), [f"#{id} exited with code 0"])
        self.assertEqual(self.ask(host, "write", id, "x", code=3)["error"]["name"], "NotFound")

        id, pid = self.loopctl(host.pid, "subprocess_shell", "echo out;", "echo err >&2; exit 3", code=0).out.split()
        self.assertEqual(sorted(self.read_lines(host, 2)), [f"#{id} stderr: err", f"#{id}: out"])
        self.assertEqual(self.read_lines(host, 1), [f"#{id} exited with code 3"])

        for command, name in ((["kill"], "SIGKILL"), (["terminate"], "SIGTERM"), (["close"], "SIGKILL"),
                              (["send_signal", "usr1"], "SIGUSR1"), (["send_signal", "SIGRTMIN+1"], "SIGRTMIN+1"),
                              (["send_signal", "1"], "SIGHUP")):
            id = self.ask(host, "subprocess_exec", "sleep", 60)["id"]
            self.assertEqual(self.loopctl(host.pid, command[0], id, *command[1:], code=0).out, "done\n")
            self.assertEqual(self.read_lines(host, 1), [f"#{id} was ended by {name}"])
            self.assertEqual(self.ask(host, command[0], id, *command[1:], code=3)["error"]["name"], "NotFound")

        error = self.ask(host, "subprocess_exec", "/no/such/program", code=3)["error"]
        self.assertEqual(error["name"], "NotFound")
        self.assertIn("/no/such/program", error["message"])
        self.loopctl(host.pid, "send_signal", 1, "SIGNOTHING", code=1)

    def test_subprocesses_end_with_the_host(self):
        host, _ = self.start_host()
        pids = [self.ask(host, "subprocess_exec", "sleep", 3600)["pid"] for _ in range(3)]
        host.send_signal(signal.SIGTERM)
        self.assertEqual(host.wait(program.PATIENCE), 0)
        program.wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids))

    def test_echo_option(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        self.assertIn(f"127.0.0.1:{port}\n", self.host("", f"--echo=127.0.0.1:{port}").out)
        self.assertIn(f"127.0.0.1:{port}\n", self.host("", f"--echo={port}").out)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            result = self.host("", f"--echo=127.0.0.1:{taken.getsockname()[1]}", code=1)
            self.assertIn("loopctl: ", result.err)

    def test_exit_codes(self):
        self.host("servers\n")
        self.host("bogus\nservers\n", code=3)
        self.host("servers\ncancel 999999\n", code=3)
        self.host("quit\nbogus\n")
        self.loopctl("host", "-c", "servers", "-c", "bogus", code=3)

    def test_stop(self):
        host, _ = self.start_host()
        self.assertEqual(self.loopctl(host.pid, "stop", code=0).out, "done\n")
        self.assertEqual(host.wait(program.PATIENCE), 0)

    def test_output_that_nobody_reads(self):
        host, _ = self.start_host()
        host.stdout.close()
        self.loopctl(host.pid, "call_soon", "echo", "to nobody", code=0)
        self.loopctl(host.pid, "loop", code=0)
        host.send_signal(signal.SIGTERM)
        self.assertEqual(host.wait(program.PATIENCE), 0)
        self.assertEqual(os.listdir(f"{self.runtime}/libloop"), [])

    def test_signals(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            host, _ = self.start_host()
            host.send_signal(number)
            self.assertEqual(host.wait(program.PATIENCE), 0)
            self.assertEqual(os.listdir(f"{self.runtime}/libloop"), [])

    def test_signal_handlers(self):
        host, _ = self.start_host()
        for name, number in (("SIGUSR1", signal.SIGUSR1), ("usr1", signal.SIGUSR1), (signal.SIGUSR1, signal.SIGUSR1),
                             ("RTMIN+1", signal.SIGRTMIN + 1), ("SIGRTMAX", signal.SIGRTMAX), ("HUP", signal.SIGHUP)):
            reply = self.loopctl("--json", host.pid, "add_signal_handler", name, "echo", f"caught {name}", code=0).json
            self.assertEqual(reply["number"], number)
            host.send_signal(number)
            self.assertEqual(host.stdout.readline(), f"caught {name}\n")
        rows = self.loopctl(host.pid, "signals", "--json", code=0).json["rows"]
        self.assertEqual(sorted((row["number"], row["caught"], row["callback"]) for row in rows),
                         [(number, caught, "ctl_action_run") for number, caught in
                          ((signal.SIGHUP, 1), (signal.SIGUSR1, 3), (signal.SIGRTMIN + 1, 1), (signal.SIGRTMAX, 1))])

        for name in ("KILL", "SIGSTOP", "0", "65", "33", "SIGRTMIN+99", "RTMIN-1", "USR3", "SIG", ""):
            error = self.loopctl("--json", host.pid, "add_signal_handler", name, "echo", code=3).json["error"]
            self.assertEqual(error["name"], "InvalidArgument", name)
        self.assertIn("SIGKILL cannot be caught",
                      self.loopctl(host.pid, "add_signal_handler", "9", "stop", code=3).err)
        self.assertIn("“USR3” is not a signal",
                      self.loopctl(host.pid, "add_signal_handler", "USR3", "stop", code=3).err)
        self.loopctl(host.pid, "add_signal_handler", "USR1", "dance", code=3)
        self.loopctl(host.pid, "add_signal_handler", "USR1", code=1)

        self.assertEqual(self.loopctl(host.pid, "remove_signal_handler", "SIGUSR1", code=0).out, f"{signal.SIGUSR1:d}\n")
        result = self.loopctl(host.pid, "remove_signal_handler", "10", "--json", code=3)
        self.assertEqual(result.json["error"]["name"], "NotFound")
        self.assertIn("SIGUSR1 has no handler", result.err)
        # What the host itself does on a signal, it does again.
        self.loopctl(host.pid, "remove_signal_handler", "HUP", code=0)
        host.send_signal(signal.SIGHUP)
        self.assertEqual(host.wait(program.PATIENCE), 0)

    def test_stop_on_a_signal(self):
        host, _ = self.start_host()
        self.loopctl(host.pid, "add_signal_handler", "USR2", "stop", code=0)
        host.send_signal(signal.SIGUSR2)
        self.assertEqual(host.wait(program.PATIENCE), 0)

    def test_processes(self):
        host, _ = self.start_host()
        self.loopctl(host.pid, "run_in_process", "echo", "from a  process", code=0)
        self.assertEqual(host.stdout.readline(), "from a  process\n")
        self.assertEqual(self.loopctl(host.pid, "executors").rows, [])
        job = self.loopctl("--json", host.pid, "run_in_process", "sleep", 3600, code=0).json["id"]
        row, = self.loopctl(host.pid, "jobs", "--json", code=0).json["rows"]
        self.assertEqual((row["id"], row["function"]), (job, "sleep"))
        executor, = self.loopctl(host.pid, "executors", "--json").json["rows"]
        self.assertEqual((executor["kind"], executor["submitted"], executor["done"]), ("processes", 2, 1))
        workers = self.loopctl(host.pid, "workers", "--json", code=0).json["rows"]
        worker, = [worker for worker in workers if worker.get("job") == job]
        os.kill(worker["pid"], signal.SIGKILL)
        self.assertIn(f"Worker process {worker['pid']} was killed by signal 9", host.stdout.readline())
        for words in (["stop"], ["sleep", "x"], ["dance"]):
            error = self.loopctl("--json", host.pid, "run_in_process", *words, code=3).json["error"]
            self.assertEqual(error["name"], "InvalidArgument")
        # It ends, and they with it.
        self.loopctl(host.pid, "run_in_process", "sleep", 3600, code=0)
        pids = [worker["pid"] for worker in self.loopctl(host.pid, "workers", "--json").json["rows"]]
        host.send_signal(signal.SIGTERM)
        self.assertEqual(host.wait(program.PATIENCE), 0)
        program.wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids))

    def test_signal_while_it_reads(self):
        process = subprocess.Popen([program.LOOPCTL, "host"], env=self.env, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True)
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(program.PATIENCE), 0)
        process.stdin.close()
        process.stdout.close()

    def test_read_only(self):
        commands = ("debug on", "call_soon echo no", "create_server 127.0.0.1 0", "create_connection 127.0.0.1 1",
                    "create_unix_server @x", "create_unix_connection @x", "create_datagram_endpoint echo",
                    "sendto 1 127.0.0.1:1 x", "getaddrinfo 127.0.0.1", "getnameinfo 127.0.0.1", "subprocess_exec true", "subprocess_shell true", "write 1 x", "write_eof 1", "kill 1", "pause_reading 1")
        result = self.host("loop\n" + "\n".join(commands), "--read-only", "--json", code=3)
        self.assertEqual([reply["error"]["name"] for reply in result.json_lines if "error" in reply],
                         ["AccessDenied"] * len(commands))
        self.assertNotIn("\nno\n", result.out)

    def test_without_a_runtime_directory(self):
        for value in (None, "", "/no/such/directory"):
            env = {key: text for key, text in self.env.items() if key != "XDG_RUNTIME_DIR"}
            if value is not None:
                env["XDG_RUNTIME_DIR"] = value
            result = self.host("ls --json\n", env=env)
            path = re.search(r"export XDG_RUNTIME_DIR=(/tmp/loopctl-\w+)\n", result.out)[1]
            row, = program.parse_json(result.out.splitlines()[-1])["rows"]
            self.assertTrue(row["socket"].startswith(f"{path}/libloop/"), row)
            self.assertEqual(glob.glob(path), [])

    def test_a_command_of_the_command_line_comes_too_late(self):
        self.assertIn("loopctl host", self.host("host\n", code=3).err)


tap.main()
