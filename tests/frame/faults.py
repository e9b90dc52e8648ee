# SPDX-License-Identifier: LGPL-2.1-or-later
"""tests/FAULTS.md: every fault has a test, and every test that it names is there and is run."""

import os
import re
import sys
from pathlib import Path

TOP = Path(os.environ.get("LOOP_SRCDIR", Path(__file__).parents[2]))

# Those of other layers, TLS and the inspector, are not here.
FAULTS = ([f"C{i}" for i in (1, 2, 3, 6, 7, 8, *range(11, 15), *range(16, 22), *range(27, 33))]
          + [str(i) for i in (*range(1, 27), *range(35, 39))])

TEST = re.compile(r"`([^`]+)`((?: (?:[a-z]\w*|\"[^\"]+\"))+)")


def is_run(path):
    """Whether a makefile knows the file as a test."""
    stem = re.sub(r"\.c$", "", path)
    makefiles = "".join((TOP / name).read_text() for name in ("tests/Makefile-tests.am",
                                                              "tests/torture/Makefile-torture.am"))
    return re.search(rf"(\+=|^|\\\n)[\t ]*{re.escape(stem)}( |$)", makefiles, re.MULTILINE) is not None


def has_test(path, text, name):
    if path.startswith("tests/torture/"):
        return f'TORTURE_MAIN ({name}, run)' in text or (path.endswith("torture.c") and name in text)
    if path.endswith(".c"):
        # Defined, and in the list of the program.
        return f"START_TEST (test_{name})" in text and re.search(rf"test_{name}[,)]", text.split("LOOP_TEST_MAIN")[-1])
    if path.endswith(".py"):
        return f"def {name} (self" in text or f"def {name}(self" in text
    return name.strip('"') in text


def complaints(tests):
    found = TEST.findall(tests)
    rest = TEST.sub("", tests).replace(",", "").strip()
    if rest or not found:
        return [f"not understood: {rest or tests}"]

    wrong = []
    for path, names in found:
        if not (TOP / path).is_file():
            wrong.append(f"{path} is not there")
            continue
        if not path.endswith("torture/torture.c") and not is_run(path):
            wrong.append(f"{path} is in no makefile")
        text = (TOP / path).read_text()
        for name in re.findall(r'"[^"]+"|\w+', names):
            if not has_test(path, text, name):
                wrong.append(f"{path} has no test {name}")
    return wrong


def main():
    table = dict(re.findall(r"^\| (C?\d+) \| [^|]+ \| ([^|]+) \|$",
                            (TOP / "tests/FAULTS.md").read_text(), re.MULTILINE))
    failed = 0
    for number, fault in enumerate(FAULTS, 1):
        if fault in table:
            wrong = complaints(table.pop(fault))
        else:
            wrong = ["is not in the table"]
        failed += bool(wrong)
        print(f"{'not ok' if wrong else 'ok'} {number} - {fault}")
        for line in wrong:
            print(f"# {line}")
    print(f"{'not ok' if table else 'ok'} {len(FAULTS) + 1} - no others")
    for fault in table:
        print(f"# {fault}")
    print(f"1..{len(FAULTS) + 1}")
    return 1 if failed or table else 0


sys.exit(main())
