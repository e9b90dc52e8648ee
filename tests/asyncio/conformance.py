# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs CPython's own tests of asyncio on libloop's event loop, each in an interpreter of its own."""

import concurrent.futures
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

CASES = Path(__file__).with_name("cases.py")
TIMEOUT = 180  # seconds, on a busy machine


def run(name):
    """The line of TAP for one test, and what it printed if it failed."""
    command = [sys.executable, "-X", "faulthandler", CASES, name]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT, check=False,
                              stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        return f"not ok - {name}", f"no end after {TIMEOUT} s\n{(error.stderr or b'').decode(errors='replace')}"
    skipped = re.search(r"\.\.\. skipped ['\"](.*)['\"]$", done.stderr, re.MULTILINE)
    if done.returncode == 0 and skipped:
        return f"ok - {name} # SKIP {skipped[1]}", ""
    if done.returncode == 0:
        return f"ok - {name}", ""
    return f"not ok - {name}", f"exit status {done.returncode}\n{done.stderr}"


def main():
    if importlib.util.find_spec("test.test_asyncio") is None:
        print("1..0 # SKIP CPython's own tests (libpython3-testsuite) are missing")
        return 0
    if importlib.util.find_spec("_libloop") is None:
        print("1..0 # SKIP built without the package libloop")
        return 0

    listed = subprocess.run([sys.executable, CASES, "--list"], stdout=subprocess.PIPE, text=True, check=True)
    names = sys.argv[1:] or listed.stdout.split()
    print(f"1..{len(names)}")
    sys.path.insert(0, str(CASES.parent))
    from cases import LEFT_OUT
    left_out = {name: reason for name, reason in LEFT_OUT.items() if name in names}
    for name, reason in left_out.items():
        print(f"ok - {name} # SKIP {reason}")

    failed = False
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for line, output in pool.map(run, (name for name in names if name not in left_out)):
            print(line, flush=True)
            failed |= line.startswith("not ok")
            for text in output.splitlines()[-60:]:
                print(f"# {text}")
    return failed


sys.exit(main())
