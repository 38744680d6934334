"""Cases of data: the pipelines, and an epoch of the prior's training; and what other cases start from."""

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
# Enough that some of the strings are molecules.
_EPOCHS = 8


def cases(work_dir: str, music: Sequence[str], molecules: Sequence[str]) -> Iterator[Row]:
    """Both pipelines and an epoch of the melody prior, with the bindings of `music` and `molecules`."""
    row, folder = dataset("tunes", "files/s", "gin/mle_music.gin", music, work_dir)
    yield row
    yield epoch(folder)
    yield dataset("molecules", "molecules/s", "gin/mle_molecules.gin", molecules, work_dir)[0]


def runner(gin_file: str, bindings: Sequence[str], work_dir: str) -> Any:
    """The stages of a job, in a folder of the benchmark's own."""
    from rl_tuner.jobs import (
        configuration,
        job,
    )

    configuration.configure([gin_file], bindings)
    return job.Job(work_dir)


def dataset(
    name: str, unit: str, gin_file: str, bindings: Sequence[str], work_dir: str
) -> tuple[Row, str]:
    """The pipeline's row, and the folder that it made."""
    from rl_tuner.datasets.reader import SequenceDataset

    stages = runner(gin_file, bindings, work_dir)
    spent, (folder, _) = timed(stages.dataset)
    count = SequenceDataset(folder).description["inputs"]
    note = f"{count:,} {name}, start of the workers included"
    return Row(_GROUP, f"{name} to a dataset", count / spent, unit, note=note), folder


def epoch(dataset_dir: str) -> Row:
    """One epoch of maximum likelihood as the music job trains, reading included."""
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
        f"batches of {_BATCH} x {_WINDOW}, padding not counted",
    )


def music_bindings(work_dir: str, quick: bool) -> list[str]:
    """A music job on O'Neill's tunes, or on tunes of our own making, whose prior takes no time."""
    source = "music21:oneills1850"
    if quick:
        source = made_up_tunes(os.path.join(work_dir, "made_up.abc"), _FEW)
    return [
        "job.dataset_name = 'speed'",
        f"build_melody_dataset.inputs = [{source!r}]",
        "pretrain.max_epochs = 1",
    ]


def molecule_bindings(work_dir: str, data: str, prior: str | None, quick: bool) -> list[str]:
    """A molecule job on a file of SMILES or a built-in set; an untrained prior knows no molecule."""
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
    """Writes a book of reels that have nothing to say; returns its path."""
    import numpy as np

    rng = np.random.default_rng(0)
    with open(path, "w", encoding="utf-8") as file:
        for number in range(1, count + 1):
            bars = ["".join(rng.choice(list("CDEFGABcdefg"), 8)) for _ in range(16)]
            file.write(f"X:{number}\nT:Reel {number}\nM:4/4\nL:1/8\nK:C\n{'|'.join(bars)}|\n\n")
    return path


def first_lines(path: str, data: str, count: int) -> str:
    """Writes `count` of the molecules of `data`, spread over all of it; returns the path."""
    from benchmarks.speed.molecule_scoring import read

    strings = read(data)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(strings[:: max(1, len(strings) // count)][:count]) + "\n")
    return path
