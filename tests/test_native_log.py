"""Routine notes of native code are kept from the terminal, and nothing else is."""

import subprocess
import sys

QUIET = """
import os, re, sys
from edge_melanoma.native_log import without_notes
with without_notes(re.compile(rb"INFO: ")):
    os.write(2, b"INFO: a note\\nERROR: INFO: is bad\\n")
    print("from Python", file=sys.stderr)
    {inside}
print("after", file=sys.stderr)
"""


def said(inside="pass", **process):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", QUIET.format(inside=inside)], capture_output=True, text=True, **process
    )
    return done.returncode, done.stderr.splitlines()


def test_what_is_no_note_comes_out_in_its_order():
    assert said() == (0, ["ERROR: INFO: is bad", "from Python", "after"])


def test_an_error_inside_lets_everything_out_that_was_held_back():
    code, lines = said("raise ValueError('mine')")
    assert code == 1
    assert lines[:2] == ["ERROR: INFO: is bad", "from Python"]
    assert lines[-1] == "ValueError: mine"


def test_one_inside_another_keeps_what_both_keep():
    inside = "exec(\"with without_notes(re.compile(rb'WARN: ')): os.write(2, b'WARN: x\\\\nINFO: y\\\\nleft\\\\n')\")"
    assert said(inside) == (0, ["ERROR: INFO: is bad", "from Python", "left", "after"])


def test_without_a_place_to_keep_the_notes_they_are_seen_and_the_work_is_done():
    code = "import tempfile\ntempfile.tempdir = '/nowhere/at/all'\n" + QUIET.format(inside="pass")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.splitlines() == ["INFO: a note", "ERROR: INFO: is bad", "from Python", "after"]


def test_without_standard_error_the_work_is_done():
    code = (
        "import os, re\nos.close(2)\nfrom edge_melanoma.native_log import without_notes\n"
        "with without_notes(re.compile(rb'INFO: ')): print('done')"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (0, "done\n")
