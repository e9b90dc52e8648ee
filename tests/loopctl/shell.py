# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shell on a terminal."""

import os
import signal
import stat
import time

import program
import tap

PROMPT = r"\w+\[\d+\]> "
CTRL_C, CTRL_D, TAB, UP = "\x03", "\x04", "\t", "\x1b[A"


class TestShell(program.TestCase):
    def shell(self, *args, **options):
        shell = self.terminal(*args, **options)
        shell.expect(PROMPT)
        return shell

    def interrupt(self, shell):
        """Throws the line away."""
        shell.drain(0.2)
        shell.send(CTRL_C)
        shell.expect(PROMPT)

    def test_greeting_and_quit(self):
        pid, _ = self.start_target()
        shell = self.terminal(pid)
        shell.expect(rf"target\[{pid}\], libloop ")
        shell.expect(r"^loop 1: waiting for events\n")
        shell.expect(rf"^target\[{pid}\]> ")
        shell.send("quit\r")
        self.assertEqual(shell.wait(), 0)

    def test_no_target(self):
        self.assertEqual(self.terminal(999999999).wait(), 2)

    def test_commands(self):
        shell = self.shell("host")
        shell.send("call_later 3600 echo 'a  b'; timers\r")
        shell.expect(r"^timer #\d+\n")
        shell.expect(r"^ *id +when +in  name\n.* echo a  b\n")
        shell.send("bogus\r")
        shell.expect("There is no command “bogus”")
        shell.send("\r")
        shell.drain(0.3)
        shell.send(CTRL_D)
        # A shell is not judged by what was tried in it.
        self.assertEqual(shell.wait(), 0)
        self.assertEqual(os.listdir(f"{self.runtime}/libloop"), [])

    def test_completion_of_commands(self):
        shell = self.shell("host")
        shell.send("tim" + TAB)
        shell.expect("timers $")
        shell.send("\r")
        shell.expect("^none\n")
        shell.expect(PROMPT)
        shell.send("create" + TAB)
        shell.expect("create_$")
        shell.send(TAB)
        shell.expect("create_connection +create_datagram_endpoint +create_server")
        self.interrupt(shell)
        shell.send("timers --so" + TAB)
        shell.expect("timers --sort=$")
        shell.send("w" + TAB)
        shell.expect("when $")
        self.interrupt(shell)
        shell.send("watch i=1 met" + TAB)
        shell.expect("metrics $")

    def test_completion_of_ids(self):
        pid, _ = self.start_target("timers=2")
        timers = self.loopctl(pid, "timers").rows
        server = self.loopctl(pid, "servers").rows[0]
        shell = self.shell(pid)
        shell.send("close_server " + TAB)
        shell.expect(rf"close_server {server['id']} $")
        self.interrupt(shell)
        shell.send("cancel " + TAB)
        shell.drain(0.3)
        shell.send(TAB)
        for timer in timers:
            shell.expect(rf"{timer['id']} hourly")

    def test_completion_of_connections_and_processes(self):
        host, port = self.start_host()
        first = self.loopctl(host.pid, "create_connection", "127.0.0.1", port).out.strip()
        sleep, _ = self.loopctl(host.pid, "subprocess_exec", "sleep", "3600").out.split()
        shell = self.shell(host.pid)
        shell.send("kill " + TAB)
        shell.expect(f"kill {sleep} $")
        shell.send("\r")
        shell.expect("^done\n")
        shell.expect(PROMPT)
        program.wait_for(lambda: not self.loopctl(host.pid, "subprocesses").rows)
        shell.send("write " + TAB + TAB)
        shell.expect(rf"{first} 127\.0\.0\.1:{port}")
        self.interrupt(shell)
        for typed, completed in (("create_connection localhost 80 p", "print"), ("create_server localhost 80 ec", "echo"),
                                 ("create_unix_server /x pr", "print"), ("create_datagram_endpoint lo", "local_addr="),
                                 ("send_signal 1 SIGST", "SIGST"), ("send_signal 1 SIGKI", "SIGKILL")):
            shell.send(typed + TAB)
            shell.expect(f"{completed} ?$")
            self.interrupt(shell)

    def test_what_a_process_writes(self):
        shell = self.shell("host")
        shell.send("subprocess_exec cat\r")
        id = shell.expect(r"^subprocess #(\d+), process \d+\n")[1]
        shell.expect(PROMPT)
        shell.send(f'write {id} "one\\ntwo\\n"\r')
        shell.expect(f"#{id}: one\n")
        shell.expect(f"#{id}: two\n")
        shell.expect(PROMPT)
        # What is thrown away is a line, and not the process.
        shell.send("lo")
        self.interrupt(shell)
        shell.send(f"write {id} x; write_eof {id}\r")
        shell.expect(f"#{id}: x\n")
        shell.expect(f"#{id} exited with code 0\n")

    def test_process_that_never_ends(self):
        shell = self.shell("host")
        shell.send("subprocess_exec yes\r")
        id = shell.expect(r"#(\d+): y\n")[1]
        end = time.monotonic() + 2
        while time.monotonic() < end:
            shell.drain(0.1)
        with open(f"/proc/{shell.pid}/statm", encoding="ascii") as file:
            size = int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
        # There is no more of it than fits on a few screens.
        self.assertLess(size, 200 << 20 if program.IS_SLOW else 50 << 20)
        shell.send(f"kill {id}\r")
        shell.expect(f"#{id} was ended by SIGKILL\n")

    def test_completion_of_what_can_be_cancelled(self):
        host, port = self.start_host()
        done = self.loopctl(host.pid, "create_task", "sleep", 0).out.strip()
        failing = self.loopctl(host.pid, "create_task", "sleep", 3601).out.strip()
        gather = self.loopctl(host.pid, "create_task", "wait", failing,
                              self.loopctl(host.pid, "create_task", "sleep", 3602).out.strip()).out.strip()
        self.loopctl(host.pid, "cancel", failing, code=0)
        # The gather is kept by the child that has not ended, and is cancelled.
        states = {row["state"]: row["id"] for row in self.loopctl(host.pid, "futures").rows}
        self.assertEqual(set(states), {"pending", "cancelled"})
        self.loopctl(host.pid, "call_later", 3600, "echo", code=0)

        shell = self.shell(host.pid)
        shell.send("cancel " + TAB + TAB)
        # The one that was waited for, the future and the timer of its sleep, and the other timer.
        shell.expect(r"\d+ sleep 3602 +\d+ sleep +\d+ sleep +\d+ echo *\n")
        self.assertNotIn(states["cancelled"], shell.drain(0.3))
        for id in (done, failing, gather, states["cancelled"]):
            self.assertIn("There is no pending", self.loopctl(host.pid, "cancel", id, code=3).err)
        self.interrupt(shell)
        shell.send("create_task wait " + TAB)
        shell.expect(r"create_task wait \d+ $")

    def test_completion_of_signals(self):
        shell = self.shell("host")
        shell.send("add_signal_handler SIGUSR" + TAB + TAB)
        shell.expect("SIGUSR1  SIGUSR2")
        self.interrupt(shell)
        for typed, completed in (("SIGTE", "SIGTERM"), ("TE", "TERM"), ("SIGRT", "SIGRTMIN")):
            shell.send("add_signal_handler " + typed + TAB)
            shell.expect(f"add_signal_handler {completed} $")
            self.interrupt(shell)
        # These cannot be caught.
        shell.send("add_signal_handler SIGST" + TAB)
        shell.expect("SIGSTKFLT $")
        self.interrupt(shell)
        shell.send("add_signal_handler SIGWINCH e" + TAB)
        shell.expect("echo $")
        shell.send("resized\r")
        shell.expect("^signal 28, SIGWINCH\n")
        shell.expect(PROMPT)
        shell.send("remove_signal_handler " + TAB)
        shell.expect("remove_signal_handler SIGWINCH $")
        shell.send("\r")
        shell.expect("^signal 28, SIGWINCH\n")

    def test_ctrl_c(self):
        shell = self.shell("host")
        shell.send("stop")
        shell.expect("stop$")
        self.interrupt(shell)
        shell.send("\r")
        shell.expect(PROMPT)
        shell.send("loop\r")
        shell.expect("^loop 1: waiting for events\n")
        shell.expect(PROMPT)

        for command in ("sleep 100", "watch i=0.2 loop"):
            shell.send(command + "\r")
            shell.drain(0.3)
            self.interrupt(shell)
        shell.send("call_soon echo alive\r")
        shell.expect("^alive\n")

    def test_ctrl_z(self):
        shell = self.shell("host")
        os.kill(shell.pid, signal.SIGSTOP)
        os.waitpid(shell.pid, os.WUNTRACED)
        os.kill(shell.pid, signal.SIGCONT)
        shell.expect(PROMPT)
        shell.send("tim" + TAB)
        shell.expect("timers $")

    def test_history(self):
        shell = self.shell("host")
        for line in ("call_soon echo first", " call_soon echo secret", "call_soon echo ünïcode"):
            shell.send(line + "\r")
            shell.expect(PROMPT)
            shell.drain(0.2)
        shell.send(CTRL_D)
        self.assertEqual(shell.wait(), 0)

        path = os.path.join(self.env["XDG_STATE_HOME"], "libloop", "history")
        self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "call_soon echo first\ncall_soon echo ünïcode\n")

        shell = self.shell("host")
        shell.send(UP)
        shell.expect("call_soon echo ünïcode$")
        shell.send(UP + "\r")
        shell.expect("^first\n")

    def test_paste(self):
        shell = self.shell("host")
        shell.send("\x1b[200~tim\techo\rloop\n\x1b[201~")
        shell.expect("tim echo; loop$")
        # Nothing ran, and nothing was completed.
        self.assertEqual(shell.drain(0.3), "")
        self.interrupt(shell)
        shell.send("\x1b[200~call_soon echo pasted\n\x1b[201~\r")
        shell.expect("^pasted\n")

    def test_events_leave_the_prompt_alone(self):
        shell = self.shell("host")
        shell.send("call_later 0.5 echo event\r")
        shell.expect(PROMPT)
        shell.send("lo")
        shell.expect("lo$")
        shell.expect(rf"event\n{PROMPT}lo$")
        shell.send("op\r")
        shell.expect("^loop 1: ")
        shell.send("debug on; call_soon sleep 0.2\r")
        shell.expect(r"libloop: Executing handle #\d+ sleep 0.2, created at .+ took")

    def test_reconnection(self):
        pid, _ = self.start_target()
        shell = self.shell("target")
        self.target.kill()
        self.target.wait()
        shell.expect(rf"target\[{pid}\] has gone")
        shell.expect(PROMPT)
        shell.send("loop\r")
        shell.expect("There is no process “target”")
        shell.expect(PROMPT)
        again, _ = self.start_target()
        shell.send("loop\r")
        shell.expect(rf"Connected to target\[{again}\]")
        shell.expect("^loop 1: ")
        shell.expect(rf"target\[{again}\]> ")

    def test_loops(self):
        pid, _ = self.start_target("loops=2")
        second = self.loop_ids(pid)[1]
        shell = self.shell(pid)
        shell.send(f"loop {second}\r")
        shell.expect(f"^loop {second}: stopped\n")
        shell.expect(rf"target\[{pid}\]/{second}> ")
        shell.send("servers\r")
        shell.expect(f"^loop {second}: stopped\nnone\n")
        shell.send("loop 999999\r")
        shell.expect("There is no loop 999999")
        shell.expect(rf"target\[{pid}\]/{second}> ")

    def test_terminal_goes_away(self):
        shell = self.shell("host")
        os.kill(shell.pid, signal.SIGHUP)
        self.assertEqual(shell.wait(), 0)

    def test_blocked_target_does_not_block_the_shell(self):
        pid, _ = self.start_target()
        shell = self.shell(pid, "--timeout=0.3")
        self.stop_target()
        start = time.monotonic()
        shell.send("loop\r")
        shell.expect("did not answer within 0.3 s")
        shell.expect(PROMPT)
        shell.send("close_server " + TAB)
        shell.drain(0.8)
        self.target.send_signal(signal.SIGCONT)
        self.interrupt(shell)
        shell.send("loop\r")
        shell.expect("^loop 1: ")
        self.assertLess(time.monotonic() - start, 10)


tap.main()
