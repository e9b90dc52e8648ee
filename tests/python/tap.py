# SPDX-License-Identifier: LGPL-2.1-or-later
"""unittest with its results in TAP: end a test file with ``tap.main()``."""

import sys
import traceback
import unittest


class _Result(unittest.TestResult):
    def __init__(self, stream):
        super().__init__()
        self._stream = stream
        self._count = 0

    def _say(self, status, test, note=""):
        self._count += 1
        print(f"{status} {self._count} - {test.id()}{note}", file=self._stream, flush=True)

    def _explain(self, err):
        text = "".join(traceback.format_exception(*err))
        for line in text.rstrip().split("\n"):
            print(f"# {line}", file=self._stream, flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self._say("ok", test)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._say("not ok", test)
        self._explain(err)

    def addError(self, test, err):
        super().addError(test, err)
        self._say("not ok", test)
        self._explain(err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._say("ok", test, f" # SKIP {reason}")

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self._say("not ok", test, " # TODO expected failure")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._say("ok", test, " # TODO unexpected success")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        # The parent is only reported when all of its parts passed.
        if err is not None:
            self._say("not ok", subtest)
            self._explain(err)


def main():
    """Run every test of the calling program; its exit status says whether they passed."""
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    # TAP keeps standard output to itself, whatever the tests print.
    stream, sys.stdout = sys.stdout, sys.stderr
    result = _Result(stream)
    suite.run(result)
    print(f"1..{result._count}", file=stream, flush=True)
    sys.exit(0 if result.wasSuccessful() else 1)
