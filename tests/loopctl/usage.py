# SPDX-License-Identifier: LGPL-2.1-or-later
"""Options, help and exit codes: what needs no target."""

import os
import shutil
import subprocess
import unittest

import program
import tap


class TestUsage(program.TestCase):
    def commands(self):
        lines = self.loopctl("help", code=0).out.splitlines()
        return [line.split()[0] for line in lines if line.startswith("  ") and line[2].isalpha()]

    def test_version(self):
        self.assertEqual(self.loopctl("--version", code=0).out, f"loopctl {os.environ['LOOP_VERSION']}\n")

    def test_no_target(self):
        result = self.loopctl(code=1)
        self.assertEqual(result.out, "")
        self.assertIn("loopctl ls", result.err)

    def test_help_lists_every_command(self):
        text = self.loopctl("--help", code=0).out
        commands = self.commands()
        self.assertGreater(len(commands), 25)
        for command in commands:
            self.assertIn(f"\n  {command}", text)
        for line in self.loopctl("help", code=0).out.splitlines():
            self.assertLessEqual(len(line), 80)

    def test_help_for_every_command(self):
        for command in self.commands():
            with self.subTest(command):
                text = self.loopctl("help", command, code=0).out
                self.assertTrue(text.startswith(command), text)
                self.assertLessEqual(max(map(len, text.splitlines())), 80)
                if command != "host":
                    self.assertEqual(self.loopctl(1, command, "--help", code=0).out, text)

    def test_host_help(self):
        text = self.loopctl("host", "--help", code=0).out
        self.assertIn("loopctl host", text)
        self.assertIn("--no-shell", text)

    def test_wrong_use_is_1(self):
        for args in (["--bogus"], ["help", "bogus"], [1, "bogus"], [1, "cancel"], [1, "cancel", "x"], [1, "stop", "now"],
                     [1, "timers", "--bogus"], [1, "timers", "--limit=x"], [1, "debug", "maybe", "1"],
                     ["--json=long", 1, "timers"], ["--color=mauve", 1, "timers"], ["--timeout=0", 1, "timers"],
                     ["--completion", "tcsh"], ["host", "extra"], ["host", "--echo=x"],
                     [1, "-c", "timers", "timers"], ["ls", "extra"]):
            with self.subTest(args):
                result = self.loopctl(*args, code=1)
                self.assertTrue(result.err.startswith("loopctl: "), result)
                self.assertTrue(args[0] == "--json=long" or result.out == "", result)

    def test_what_is_not_utf_8(self):
        result = self.loopctl("--json", 1, "call_soon", "echo", os.fsdecode(b"\xff"), code=1)
        self.assertEqual(result.json["error"]["name"], "Usage")

    def test_no_connection_is_2(self):
        for args in ([999999999, "timers"], ["no-such-program", "timers"], ["/no/such.sock", "timers"],
                     ["/no/such.sock"], [1, "timers"], [os.getpid(), "-c", "timers"]):
            with self.subTest(args):
                result = self.loopctl(*args, code=2)
                self.assertTrue(result.err.startswith("loopctl: "), result)

    def test_process_without_inspector(self):
        self.assertIn("LOOP_INSPECT=1", self.loopctl(os.getpid(), "timers", code=2).err)

    def test_error_in_json(self):
        result = self.loopctl("--json", "no-such-program", "timers", code=2)
        self.assertEqual(result.json["error"]["name"], "Connection")
        self.assertIn("no-such-program", result.json["error"]["message"])
        self.assertEqual(self.loopctl("--json", 1, "bogus", code=1).json["error"]["name"], "Usage")
        # Neither a parser nor a terminal takes harm.
        result = self.loopctl("--json", 1, "bo\x1f\x9bgus", code=1)
        self.assertIn("bo\x1f\x9bgus", result.json["error"]["message"])
        self.assertNotRegex(result.out, "[\x00-\x09\x0b-\x1f\x7f-\x9f]")

    @unittest.skipUnless(shutil.which("groff"), "groff is missing")
    def test_manual(self):
        text = self.loopctl("--man", code=0).out
        done = subprocess.run(["groff", "-man", "-ww", "-z"], input=text, text=True, capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for command in self.commands():
            self.assertIn(f"\n\\fB{command}\\fR", text)

    def complete(self, line):
        """What bash proposes for the last word of a line."""
        script = self.loopctl("--completion", "bash", code=0).out
        words = line.split(" ")
        quoted = " ".join(f"'{word}'" for word in words)
        script += f"COMP_WORDS=({quoted}) COMP_CWORD={len(words) - 1}\n_loopctl\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
        env = {**self.env, "PATH": f"{os.path.dirname(program.LOOPCTL)}:{self.env['PATH']}"}
        done = subprocess.run(["bash", "-u", "-c", script], env=env, text=True, capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.split()

    def test_bash_completion(self):
        self.assertEqual(self.complete("loopctl h"), ["host", "help"])
        self.assertEqual(self.complete("loopctl --ver"), ["--version"])
        self.assertEqual(self.complete("loopctl 1 tim"), ["timers"])
        self.assertEqual(self.complete("loopctl --json 1 timers --so"), ["--sort="])
        self.assertEqual(self.complete("loopctl 1 metrics --so"), [])
        self.assertEqual(self.complete("loopctl host --no"), ["--no-shell"])
        self.assertEqual(self.complete("loopctl 1 debug o"), ["on", "off"])
        self.assertEqual(self.complete("loopctl help tim"), ["timers"])

    def test_bash_completion_of_what_lives(self):
        pid, _ = self.start_target("timers=2", "cycle=2")
        self.assertIn(str(pid), self.complete("loopctl "))
        self.assertIn("target", self.complete("loopctl t"))
        timers = [row["id"] for row in self.loopctl(pid, "timers").rows]
        tasks = [row["id"] for row in self.loopctl(pid, "tasks").rows]
        self.assertEqual(sorted(self.complete(f"loopctl {pid} cancel ")), sorted(timers + tasks))
        self.assertEqual(sorted(self.complete(f"loopctl {pid} tree ")), sorted(tasks))
        self.assertEqual(sorted(self.complete(f"loopctl {pid} create_task ")), ["sleep", "wait"])

    def test_german(self):
        locales = subprocess.run(["locale", "-a"], text=True, capture_output=True).stdout.split()
        if "de_DE.utf8" not in locales:
            self.skipTest("there is no German locale")
        # JSON says the same in every language.
        env = {**self.env, "LC_ALL": "de_DE.UTF-8"}
        result = self.loopctl("--json", 1, "bogus", code=1, env=env)
        self.assertEqual(result.json["error"]["name"], "Usage")


tap.main()
