"""Cases of data: the pipelines and an epoch of the prior's training; settings of other cases."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.speed import flops
from benchmarks.speed.measuring import Row, timed

_GROUP = "Data and the prior"
_BATCH = 128
_WINDOW = 128
_FEW = 100
# Enough epochs for some of the strings to be molecules.
_EPOCHS = 8


def cases(work_dir: str, music: Sequence[str], molecules: Sequence[str]) -> Iterator[Row]:
    """Measure both pipelines, and an epoch of the melody prior, with the given bindings."""
    row, folder = dataset("tunes", "files/s", "gin/mle_music.gin", music, work_dir)
    yield row
    yield epoch(folder)
    yield dataset("molecules", "molecules/s", "gin/mle_molecules.gin", molecules, work_dir)[0]


def runner(gin_file: str, bindings: Sequence[str], work_dir: str) -> Any:
    """Return a job whose stages run in `work_dir`."""
    from rl_tuner.jobs import (
        configuration,
        job,
    )

    configuration.configure([gin_file], bindings)
    return job.Job(work_dir)


def dataset(
    name: str, unit: str, gin_file: str, bindings: Sequence[str], work_dir: str
) -> tuple[Row, str]:
    """Run a pipeline; return its row and the dataset's folder."""
    from rl_tuner.datasets.reader import SequenceDataset

    stages = runner(gin_file, bindings, work_dir)
    spent, (folder, _) = timed(stages.dataset)
    count = SequenceDataset(folder).description["inputs"]
    note = f"{count:,} {name}, including the start of the workers"
    return Row(_GROUP, f"{name} to a dataset", count / spent, unit, note=note), folder


def epoch(dataset_dir: str) -> Row:
    """Measure an epoch of maximum likelihood as in the music job, including reading."""
    from rl_tuner.core.likelihood import MLETrainer
    from rl_tuner.core.networks import SequenceNetwork
    from rl_tuner.datasets.reader import SequenceDataset

    data = SequenceDataset(dataset_dir)
    trainer = MLETrainer(SequenceNetwork(data.num_classes, [100]), 1e-2, 5.0, 2.5e-5)
    rates = []
    # The first epoch compiles.
    for number in range(3):
        start, tokens = time.perf_counter(), 0.0
        for inputs, labels, mask in data.training_batches("train", _BATCH, _WINDOW, 0, number):
            trainer.train_step(inputs, labels, mask)
            tokens += float(mask.numpy().sum())
        rates.append(tokens / (time.perf_counter() - start))
    return Row(
        _GROUP,
        "epoch of the melody prior",
        max(rates[1:]),
        "tokens/s",
        flops.update(trainer.network),
        flops.update(trainer.network, one_hot=True),
        f"batches of {_BATCH} x {_WINDOW}, without padding",
    )


def music_bindings(work_dir: str, quick: bool) -> list[str]:
    """Return bindings of a music job on O'Neill's or on made-up tunes, whose prior takes one epoch."""
    source = "music21:oneills1850"
    if quick:
        source = made_up_tunes(os.path.join(work_dir, "made_up.abc"), _FEW)
    return [
        "job.dataset_name = 'speed'",
        f"build_melody_dataset.inputs = [{source!r}]",
        "pretrain.max_epochs = 1",
    ]


def molecule_bindings(work_dir: str, data: str, prior: str | None, quick: bool) -> list[str]:
    """Return bindings of a molecule job on a file of SMILES or a built-in set, with or without a prior."""
    source = data
    if quick:
        source = first_lines(os.path.join(work_dir, "some.smi"), data, _FEW)
    bindings = [
        "job.dataset_name = 'speed_molecules'",
        f"build_molecule_dataset.inputs = [{source!r}]",
        f"pretrain.max_epochs = {1 if quick else _EPOCHS}",
    ]
    return [*bindings, f"job.prior = {prior!r}"] if prior else bindings


def made_up_tunes(path: str, count: int) -> str:
    """Write an ABC book of random reels; return its path."""
    import numpy as np

    rng = np.random.default_rng(0)
    with open(path, "w", encoding="utf-8") as file:
        for number in range(1, count + 1):
            bars = ["".join(rng.choice(list("CDEFGABcdefg"), 8)) for _ in range(16)]
            file.write(f"X:{number}\nT:Reel {number}\nM:4/4\nL:1/8\nK:C\n{'|'.join(bars)}|\n\n")
    return path


def first_lines(path: str, data: str, count: int) -> str:
    """Write `count` evenly spread molecules of `data` to a file; return its path."""
    from benchmarks.speed.molecule_scoring import read

    strings = read(data)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(strings[:: max(1, len(strings) // count)][:count]) + "\n")
    return path
