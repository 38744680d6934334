"""A tiny job, and commands run as a user would."""

import json
import os
import random
import re
import subprocess
import sys
import zipfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TINY = os.path.join(ROOT, "tests", "jobs", "tiny.gin")


def write_book(path, tunes=60, seed=0):
    """An ABC book of random tunes in C, G or D: 8 bars of eighth notes each."""
    rng = random.Random(seed)
    with open(path, "w", encoding="utf-8") as file:
        for number in range(1, tunes + 1):
            key = rng.choice("CGD")
            bars = ["".join(rng.choice("CDEFGABcdef") for _ in range(8)) for _ in range(8)]
            file.write(f"X:{number}\nT:Tune {number}\nM:4/4\nL:1/8\nK:{key}\n{'|'.join(bars)}|\n\n")


def command(module, *arguments, check=True, cwd=ROOT, **kwargs):
    """Runs `python -m module arguments` as a user would."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        **kwargs,
    )
    assert not check or done.returncode == 0, done.stderr
    return done


def early_error(module, *arguments, cwd=ROOT):
    """The one line of a command's error, which is told before TensorFlow is imported."""
    code = (
        f"import importlib, sys\nsys.argv = {[module, *arguments]!r}\nsys.path.insert(0, '')\n"
        f"main = importlib.import_module({module!r}).main\n"
        "try:\n    main()\nfinally:\n    assert not {'tensorflow', 'keras'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": ROOT},
    )
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ") and done.returncode in (1, 2), done.stderr
    return line.removeprefix("error: ")


def pretend_run(folder, kind, encoding):
    """A folder that looks like a finished run, as far as can be seen without TensorFlow."""
    os.makedirs(os.path.join(folder, "stages"))
    for name in ("config.gin", "stages/tune.json"):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write("{}" if name.endswith("json") else "")
    content = {"config": {"metadata": {"kind": kind, "encoding": encoding}}}
    with zipfile.ZipFile(os.path.join(folder, "prior.keras"), "w") as archive:
        archive.writestr("config.json", json.dumps(content))
    return str(folder)


def error_of(done):
    """The line in which a command says what went wrong; before it there may only be progress."""
    *before, last = done.stderr.splitlines()
    assert last.startswith("error: "), done.stderr
    progress = re.compile(r"loading TensorFlow$|[\w ]+: [\d,]+/[\d,]+|.*: \d+ s so far$")
    assert all(progress.match(line) for line in before), done.stderr
    return last


class Job:
    """A tiny job in a folder of its own."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.book = os.path.join(self.folder, "book.abc")
        write_book(self.book)
        self.work_dir = os.path.join(self.folder, "runs")
        self.run_dir = os.path.join(self.work_dir, "tiny")

    def flags(self, *extra):
        return [
            f"--gin_file={TINY}",
            f"--gin_param=build_melody_dataset.inputs=['{self.book}']",
            f"--work_dir={self.work_dir}",
            *extra,
        ]

    def train(self, *extra, **kwargs):
        return command("rl_tuner.train", *self.flags(*extra), **kwargs)
