"""Hostile files: damaged copies of good ones must be read, or rejected by name, whatever they contain."""

from __future__ import annotations

import csv
import dataclasses
import glob
import json
import os
import random
import re
import resource
import subprocess
import sys
import time

from benchmarks.reliability.kills import ROOT

# The files of a folder are damaged copies of one kind; a container is damaged as a whole.
KINDS = {
    "melodies": ("midi_to_tfrecord", (".mid", ".midi", ".abc", ".musicxml", ".mxl", ".tfrecord")),
    "molecules": ("smiles_to_tfrecord", (".smi", ".smiles", ".csv", ".tsv", ".sdf", ".gz")),
}
# The files are numbered.
_NUMBER = re.compile(r"\d{6}(?=_)")
_PIECES = (
    b"\x00", b"\xff" * 8, b"\x80", b"\n", b"\r", b'"', b"[", b"]", b"(", b"<", b">", b"&", b"%", b"M:0/0\n",
    b"K:\n", b"L:1/0\n", b"999999999999", b"-1", b"\xef\xbb\xbf", b"MThd", b"MTrk", b"</part>", b"$$$$\n",
    b"M  END\n", b"nan", b"C" * 500, b"|:" * 50, b"\xe2\x80\xae",
)  # fmt: skip


@dataclasses.dataclass
class Outcome:
    """What the pipelines did with hostile files.

    Attributes:
        files: number of files.
        rejected: number of files named in rejected.csv.
        unnamed: files that were neither read nor rejected.
        tracebacks: runs that ended with a traceback or an unexpected exit code.
        seconds: how long it took.
        megabytes: largest memory of any process.
    """

    files: int = 0
    rejected: int = 0
    unnamed: list[str] = dataclasses.field(default_factory=list)
    tracebacks: list[str] = dataclasses.field(default_factory=list)
    seconds: float = 0.0
    megabytes: float = 0.0


def hostile_files(kind: str, count: int, folder: str, seed: int = 0) -> Outcome:
    """Write damaged files, let a pipeline read them, and account for every one.

    Args:
        kind: "melodies" or "molecules".
        count: number of files.
        folder: folder for the files and the dataset.
        seed: seed of the damage.
    """
    rng = random.Random(seed)
    module, endings = KINDS[kind]
    given = os.path.join(folder, "given")
    os.makedirs(given, exist_ok=True)
    good = [
        path
        for path in sorted(glob.glob(os.path.join(ROOT, "testdata", kind, "*", "*")))
        if path.endswith(endings)
    ]
    for number in range(count):
        path = rng.choice(good)
        with open(path, "rb") as file:
            content = damaged(file.read(), rng)
        with open(os.path.join(given, f"{number:06d}_{os.path.basename(path)}"), "wb") as file:
            file.write(content)
    start = time.monotonic()
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            f"pipelines.{module}",
            f"--input={given}",
            f"--output_dir={folder}/data",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": ROOT},
    )
    outcome = Outcome(files=count, seconds=time.monotonic() - start)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    outcome.megabytes = usage.ru_maxrss / 1024
    if done.returncode not in (0, 1) or "Traceback" in done.stderr:
        outcome.tracebacks.append(f"exit code {done.returncode}: {done.stderr[-500:]}")
        return outcome
    rejected = _rejected(folder)
    outcome.rejected = len(rejected)
    read = _read(f"{folder}/data")
    outcome.unnamed = sorted(set(os.listdir(given)) - rejected - read)
    return outcome


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Return content after one to four random changes."""
    for _ in range(rng.randint(1, 4)):
        place = rng.randrange(len(content) + 1)
        end = min(len(content), place + rng.choice((1, 2, 8, 64)))
        piece = rng.choice(_PIECES)
        content = rng.choice(
            (
                content[:place],
                content[:place] + piece + content[place:],
                content[:place] + piece + content[end:],
                content[:place] + content[end:],
                content[:end] + content[place:end] * rng.choice((1, 3, 50)) + content[end:],
                content[:place] + bytes(rng.randrange(256) for _ in range(end - place)) + content[end:],
            )
        )  # fmt: skip
    return content


def _rejected(folder: str) -> set[str]:
    """Return the names of the files in the list of rejected inputs."""
    found: set[str] = set()
    for path in glob.glob(f"{folder}/data*/rejected.csv") + glob.glob(
        f"{folder}/data.rejected.csv"
    ):
        with open(path, encoding="utf-8", newline="") as file:
            names = [row["file"] for row in csv.DictReader(file)]
        # A tune of a file is named FILE#NUMBER and its title, which may contain anything.
        found |= {number[0] for name in names if (number := _NUMBER.search(name))}
    given = os.listdir(os.path.join(folder, "given"))
    return {name for name in given if name[:6] in found}


def _read(dataset: str) -> set[str]:
    """Return the names of the files of which at least one sequence is in a dataset."""
    if not os.path.exists(f"{dataset}/dataset.json"):
        return set()
    from rl_tuner.datasets.reader import SequenceDataset

    data = SequenceDataset(dataset)
    with open(f"{dataset}/dataset.json", encoding="utf-8") as file:
        splits = json.load(file)["splits"]
    sources = {text for split in splits for text in data.stream(split, "source")}
    given = os.listdir(os.path.join(os.path.dirname(dataset), "given"))
    numbers = {number[0] for source in sources if (number := _NUMBER.search(source))}
    return {name for name in given if name[:6] in numbers}
