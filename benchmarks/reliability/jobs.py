"""Jobs of melodies and molecules that are small enough to be run hundreds of times."""

from __future__ import annotations

import os

from benchmarks.reliability.kills import ROOT, SmallJob

_HEADS = ("CCO", "CCN", "CCC", "CCCO", "CCCN", "c1ccccc1", "Cc1ccccc1", "CC(C)O", "CC(=O)O", "OCCO")
_TAILS = ("C", "CC", "CO", "CN", "CCl", "C=O", "C(C)C", "CF")


def melodies(folder: str, xla: bool = False) -> SmallJob:
    """Return a melody job on an ABC book that is written into a folder, with or without XLA."""
    path = os.path.join(folder, "book.abc")
    notes = "CDEFGABc"
    with open(path, "w", encoding="utf-8") as file:
        for number in range(60):
            bars = [
                "".join(notes[(number * 7 + bar * 3 + i * i) % 8] for i in range(8))
                for bar in range(8)
            ]
            file.write(f"X:{number + 1}\nM:4/4\nL:1/8\nK:C\n{'|'.join(bars)}|\n\n")
    inputs = f"build_melody_dataset.inputs = ['{path}']"
    return SmallJob(
        "melodies",
        os.path.join(ROOT, "tests/jobs/tiny.gin"),
        (inputs, f"device.jit_compile = {xla}"),
    )


def molecules(folder: str, xla: bool = False) -> SmallJob:
    """Return a molecule job on a SMILES file that is written into a folder, with or without XLA."""
    path = os.path.join(folder, "some.smi")
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{head}\n" for head in _HEADS)
        file.writelines(f"{head}{tail}\n" for head in _HEADS[:5] for tail in _TAILS)
    inputs = f"build_molecule_dataset.inputs = ['{path}']"
    same = ("history.csv", "metrics.json", "molecules.csv", "learning.csv")
    gin_file = os.path.join(ROOT, "tests/jobs/molecules.gin")
    return SmallJob("molecules", gin_file, (inputs, f"device.jit_compile = {xla}"), same)
