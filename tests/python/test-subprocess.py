# SPDX-License-Identifier: LGPL-2.1-or-later
"""Pipes and processes, as asyncio's users know them."""

import os
import signal
import subprocess
import unittest

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import GLib, Loop  # noqa: E402


class Reader(Loop.Protocol):
    def __init__(self, loop):
        self.data = b""
        self.lost = loop.create_future()

    def data_received(self, data):
        self.data += data

    def connection_lost(self, exc):
        self.lost.set_result(exc)


class Process(Loop.SubprocessProtocol):
    def __init__(self, loop):
        self.events = []
        self.output = {1: b"", 2: b""}
        self.lost = loop.create_future()

    def connection_made(self, transport):
        self.events.append("made")

    def pipe_data_received(self, fd, data):
        self.output[fd] += data

    def pipe_connection_lost(self, fd, exc):
        self.events.append(fd)

    def process_exited(self):
        self.events.append("exited")

    def connection_lost(self, exc):
        self.events.append("lost")
        self.lost.set_result(exc)


class TestSubprocess(unittest.TestCase):
    def setUp(self):
        self.loop = Loop.EventLoop()
        self.addCleanup(self.loop.close)

    def run_process(self, *args, input=b"", **options):
        async def run():
            transport, protocol = await self.loop.subprocess_exec(lambda: Process(self.loop), *args, **options)
            stdin = transport.get_pipe_transport(0)
            if stdin is not None:
                stdin.write(input)
                stdin.write_eof()
            await protocol.lost
            return transport, protocol

        return self.loop.run_until_complete(run())

    def test_pipes(self):
        async def run():
            read, write = os.pipe()
            reader, protocol = await self.loop.connect_read_pipe(lambda: Reader(self.loop), os.fdopen(read, "rb"))
            writer, _ = await self.loop.connect_write_pipe(lambda: Reader(self.loop), write)
            self.assertEqual(writer.get_extra_info("pipe"), write)
            writer.write(b"hello")
            writer.close()
            self.assertIsNone(await protocol.lost)
            self.assertEqual(protocol.data, b"hello")
            self.assertTrue(reader.is_closing())

        self.loop.run_until_complete(run())

    def test_refused_file(self):
        with open(__file__, "rb") as file:
            with self.assertRaisesRegex(GLib.Error, "regular file"):
                self.loop.run_until_complete(self.loop.connect_read_pipe(lambda: Reader(self.loop), file))
            self.assertTrue(file.read())

    def test_exec(self):
        transport, protocol = self.run_process("cat", input=b"text")
        self.assertEqual(protocol.output, {1: b"text", 2: b""})
        self.assertEqual(protocol.events[0], "made")
        self.assertEqual(protocol.events[-2:], ["exited", "lost"])
        self.assertEqual(sorted(protocol.events[1:-2]), [0, 1, 2])
        self.assertEqual(transport.get_returncode(), 0)
        with self.assertRaises(ProcessLookupError):
            transport.send_signal(signal.SIGTERM)
        self.assertIsNone(transport.get_protocol())

    def test_options(self):
        _, protocol = self.run_process(
            "sh", "-c", "pwd; echo $NAME >&2", stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, cwd="/",
            env={"NAME": "value"}, start_new_session=True,
        )
        self.assertEqual(protocol.output[1], b"/\nvalue\n")
        with self.assertRaises(TypeError):
            self.loop.subprocess_exec(lambda: Process(self.loop), "true", no_such_option=1)

    def test_fixed_options(self):
        """What asyncio takes as well, with one value each."""
        self.run_process("true", universal_newlines=False, shell=False, bufsize=0, text=None, encoding=None, errors=None,
                         preexec_fn=None, creationflags=0, pipesize=-1)
        for options in ({"universal_newlines": True}, {"shell": True}, {"bufsize": 100}, {"text": True},
                        {"encoding": "utf-8"}, {"errors": "strict"}, {"preexec_fn": print}, {"pipesize": 4096}):
            with self.assertRaisesRegex(ValueError, f"{next(iter(options))} must be"):
                self.loop.subprocess_exec(lambda: Process(self.loop), "true", **options)
        with self.assertRaisesRegex(ValueError, "shell must be True"):
            self.loop.subprocess_shell(lambda: Process(self.loop), "true", shell=False)

    def test_shell_and_signals(self):
        async def run():
            transport, protocol = await self.loop.subprocess_shell(lambda: Process(self.loop), "exec sleep 1000")
            self.assertIsNone(transport.get_returncode())
            os.kill(transport.get_pid(), 0)
            self.assertIs(transport.get_protocol(), protocol)
            self.assertIs(transport.get_loop(), self.loop)
            self.assertFalse(transport.is_closing())
            transport.terminate()
            await protocol.lost
            self.assertEqual(transport.get_returncode(), -signal.SIGTERM)
            for end in ("kill", "close"):
                transport, protocol = await self.loop.subprocess_shell(lambda: Process(self.loop), "exec sleep 1000")
                getattr(transport, end)()
                await protocol.lost
                self.assertEqual(transport.get_returncode(), -signal.SIGKILL)

        self.loop.run_until_complete(run())

    def test_communicate(self):
        result = self.loop.run_until_complete(
            self.loop.subprocess_communicate("sh", "-c", "cat; echo err >&2; exit 3", input=b"in")
        )
        self.assertEqual((result.returncode, result.stdout, result.stderr), (3, b"in", b"err\n"))
        with self.assertRaisesRegex(GLib.Error, "no-such-program"):
            self.loop.run_until_complete(self.loop.subprocess_communicate("no-such-program"))

    def test_bad_factory(self):
        with self.assertRaises(TypeError):
            self.loop.run_until_complete(self.loop.subprocess_exec(lambda: Reader(self.loop), "true"))

    def test_raising_protocol(self):
        class Raising(Process):
            def pipe_data_received(self, fd, data):
                raise ValueError("no data please")

        reported = []

        async def run():
            _, protocol = await self.loop.subprocess_shell(lambda: Raising(self.loop), "echo out")
            await protocol.lost

        self.loop.set_exception_handler(lambda loop, context: reported.append(context["exception"]))
        self.loop.run_until_complete(run())
        self.assertEqual([str(exception) for exception in reported], ["no data please"])


tap.main()
