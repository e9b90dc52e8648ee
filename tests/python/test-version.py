# SPDX-License-Identifier: LGPL-2.1-or-later

import os
import unittest

import gi
import tap

gi.require_version("Loop", "1.0")
from gi.repository import Loop  # noqa: E402


class TestVersion(unittest.TestCase):
    def test_version(self):
        found = (Loop.get_major_version(), Loop.get_minor_version(), Loop.get_micro_version())
        self.assertEqual(".".join(map(str, found)), os.environ["LOOP_VERSION"])

    def test_check_version(self):
        self.assertIsNone(Loop.check_version(*found_version()))
        self.assertIn("too old", Loop.check_version(Loop.MAJOR_VERSION + 1, 0, 0))


def found_version():
    return Loop.MAJOR_VERSION, Loop.MINOR_VERSION, Loop.MICRO_VERSION


tap.main()
