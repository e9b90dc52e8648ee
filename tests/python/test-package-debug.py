# SPDX-License-Identifier: LGPL-2.1-or-later
"""The package's tests in a debug build of Python, which checks its own rules and counts all references.

The extension is compiled for it here, with assertions of Python's headers.
"""

import glob
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

import tap

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
INTERPRETER = shutil.which(f"python{VERSION}-dbg")
FOLDER = os.path.dirname(os.path.abspath(__file__))
SRCDIR, BUILDDIR = os.environ.get("LOOP_SRCDIR", os.getcwd()), os.environ.get("LOOP_BUILDDIR", os.getcwd())


def flags(*arguments):
    command = shlex.split(os.environ.get("PKG_CONFIG") or "pkg-config")
    return subprocess.run([*command, *arguments, f"python-{VERSION}d", "pygobject-3.0", "gio-unix-2.0"], check=True,
                          capture_output=True, text=True).stdout.split()


@unittest.skipUnless(INTERPRETER, f"python{VERSION}-dbg is missing")
class TestDebugBuild(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="loop-debug-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        try:
            options = flags("--cflags")
        except subprocess.CalledProcessError as error:
            raise unittest.SkipTest(f"Python's headers of the debug build are missing: {error.stderr}")
        compiled = subprocess.run(
            [*shlex.split(os.environ.get("CC") or "cc"), "-std=gnu11", "-g", "-O1", "-shared", "-fPIC", *options,
             f"-I{SRCDIR}", f"-I{BUILDDIR}", *glob.glob(f"{SRCDIR}/bindings/python/ext/*.c"), "-o",
             f"{cls.folder}/_libloop.so", f"-L{BUILDDIR}/libloop/.libs", "-lloop-1",
             *subprocess.run(["pkg-config", "--libs", "gio-unix-2.0"], check=True, capture_output=True,
                             text=True).stdout.split()], capture_output=True, text=True, check=False)
        if compiled.returncode != 0:
            raise AssertionError(compiled.stderr)

    def run_tests(self, name):
        path = os.pathsep.join([self.folder, f"{SRCDIR}/bindings/python", FOLDER])
        done = subprocess.run([INTERPRETER, f"{FOLDER}/{name}"], capture_output=True, text=True, errors="replace",
                              timeout=600, check=False, env=dict(os.environ, PYTHONPATH=path))
        failures = [line for line in done.stdout.splitlines() if not line.startswith(("ok ", "1.."))]
        self.assertEqual((done.returncode, failures), (0, []), done.stderr[-4000:])

    def test_is_debug_build(self):
        """Of which the counts of the references tell."""
        subprocess.run([INTERPRETER, "-c", "import sys, _libloop; sys.gettotalrefcount()\n"
                        f"assert _libloop.__file__.startswith({self.folder!r})"], check=True,
                       env=dict(os.environ, PYTHONPATH=self.folder))

    def test_package(self):
        self.run_tests("test-package.py")

    def test_contexts(self):
        self.run_tests("test-package-contexts.py")

    def test_memory(self):
        self.run_tests("test-package-memory.py")

    def test_failures(self):
        self.run_tests("test-package-failures.py")


if __name__ == "__main__":
    tap.main()
