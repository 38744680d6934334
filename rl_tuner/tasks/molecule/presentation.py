"""Presentation of molecules: SMILES and SD files, drawings, histograms, Table 2 and the journal."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rl_tuner.common.progress import say
from rl_tuner.tasks.molecule import exhibits, metrics, opening, ranking, rendering
from rl_tuner.tasks.molecule.graph_codec import MoleculeCodec
from rl_tuner.tasks.molecule.journal import (
    LEARNING_FILE,
    MOLECULES_FILE,
    MoleculeJournal,
    learning_figure,
    read_best,
    read_learning,
)
from rl_tuner.tasks.presentation import CardNotes, Exhibit, Presentation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rl_tuner.tasks.molecule.task import MoleculeTask

_SHOWN = 12
_PICTURED = 16


class MoleculePresentation(Presentation):
    """Presentation of molecules.

    Args:
        task: the molecule task.
    """

    rows = (*metrics.TABLE2_ROWS, *metrics.SET_ROWS, *metrics.CALL_ROWS)
    published = metrics.PAPER_TABLE2
    corpus_feature = "smiles"
    run_files = (MOLECULES_FILE, LEARNING_FILE)
    card_notes = CardNotes(
        token="A token is an atom, a bond or another symbol of a molecule's string, or its end.",
        outputs='made["smiles"]',
        limits=(
            "A string may not be a valid molecule: check it with a chemistry package. If it was measured,"
            " the table shows the share of valid molecules.",
            "The reward is computed from structure alone. It says nothing about activity, toxicity,"
            " stability or whether a molecule can be made; nothing here was tested in a laboratory.",
            "The model can only use the vocabulary of its training data, and knows little beyond the kinds"
            " of molecules in it. A molecule may be known, protected or regulated.",
        ),
        notes={".smi": "Each string is marked as a valid or invalid molecule."},
    )

    task: MoleculeTask

    def __init__(self, task: MoleculeTask) -> None:
        # The vocabulary, and with it the names of the classes, is adopted from the prior later.
        self.task = task

    def set_metrics(self, sequences: np.ndarray, corpus: Iterable[Any] | None) -> dict[str, Any]:
        """Return uniqueness, novelty, internal diversity and scaffolds of int [N, T] sequences."""
        return metrics.set_metrics(self.task.properties_of(sequences), corpus)

    def journal(self, run_dir: str) -> MoleculeJournal:
        """Return the record that writes molecules.csv and learning.csv."""
        return MoleculeJournal(run_dir, self.task.part_names)

    def read_primer(self, path: str) -> list[int]:
        """Return the classes of the first string in a file of SMILES, to be continued."""
        return opening.read_primer(path, self.task.vocabulary, self.task.horizon)

    def read_prompt(self, text: str) -> list[int]:
        """Return the classes of the beginning of a SMILES string, such as "c1ccc2"."""
        return opening.read_prompt(text, self.task.vocabulary, self.task.horizon)

    def write_samples(self, sequences: np.ndarray, directory: str, prefix: str) -> list[str]:
        """Write PREFIX.smi with every string and PREFIX.sdf with the valid molecules."""
        strings, _ = self.task.decode(sequences, self.task.mask_of(sequences))
        properties = self.task.properties_of(sequences)
        paths = [os.path.join(directory, f"{prefix}{ending}") for ending in (".smi", ".sdf")]
        rendering.write_smi(paths[0], strings, properties)
        rendering.write_sdf(paths[1], properties)
        return paths

    def write_ranked(
        self,
        sequences: np.ndarray,
        score: Callable[[list[list[int]]], Any],
        corpus: Callable[[], Iterable[Any] | None],
        directory: str,
        prefix: str,
    ) -> list[str]:
        """Write PREFIX_ranked.csv and .sdf: the valid, distinct molecules, best first; say how many."""
        properties = self.task.properties_of(sequences)
        places = ranking.distinct(properties)
        found = [one for one in (properties[place] for place in places) if one is not None]
        rows: list[dict[str, Any]] = []
        if found:
            lengths = self.task.mask_of(sequences).sum(axis=1).astype(int)
            scores = score([sequences[place, : lengths[place]].tolist() for place in places])
            training = corpus()
            smiles = [one.canonical for one in found]
            near = None if training is None else ranking.nearest(smiles, training)
            columns = self.task.columns(found)
            likelihoods = scores.log_policy, scores.log_prior
            rows = ranking.table(found, scores.reward, *likelihoods, columns, near)
        valid = sum(one is not None for one in properties)
        new = f", {sum(row['new'] for row in rows):,} new" if rows and "new" in rows[0] else ""
        say(f"{len(sequences):,} drawn, {valid:,} valid, {len(rows):,} distinct{new}")
        paths = [os.path.join(directory, f"{prefix}_ranked{ending}") for ending in (".csv", ".sdf")]
        ranking.write_csv(paths[0], rows)
        ranking.write_sdf(paths[1], rows)
        return paths

    def figures(self, columns: Mapping[str, np.ndarray]) -> dict[str, Figure]:
        """Return drawings of random and of best-rewarded molecules, and histograms of properties."""
        found = {name: self.task.properties_of(rows) for name, rows in columns.items()}
        some = {
            name: [one.canonical for one in molecules if one][:_SHOWN]
            for name, molecules in found.items()
        }
        best = {name: self._best(rows) for name, rows in columns.items()}
        return {
            "samples": rendering.grid_figure(some),
            "best": rendering.grid_figure(
                {name: list(found) for name, found in best.items()},
                legends={name: list(found.values()) for name, found in best.items()},
            ),
            "properties": rendering.histogram_figure(found, self.task.training_histograms),
        }

    def run_figures(self, run_dir: str) -> dict[str, Figure]:
        """Return the curves of learning against molecules scored, and drawings of the best molecules."""
        best = read_best(run_dir, _SHOWN)
        legends = [_legend(row) for row in best]
        drawn = {"best of the run": [row["smiles"] for row in best]}
        return {
            "learning": learning_figure({"tuned": read_learning(run_dir)}),
            "best_of_run": rendering.grid_figure(drawn, legends={"best of the run": legends}),
        }

    def run_metrics(self, run_dir: str) -> dict[str, float]:
        """Return the calls of the reward, the means of the best molecules and their areas."""
        rows = read_learning(run_dir)
        last = rows[-1] if rows else {}
        return {row.metric: last[row.metric] for row in metrics.CALL_ROWS if row.metric in last}

    def exhibits(
        self, sequences: np.ndarray, *, whole: bool = True, **options: Any
    ) -> list[Exhibit]:
        """Return molecules as drawings with their properties."""
        del whole, options
        strings, _ = self.task.decode(sequences, self.task.mask_of(sequences))
        return exhibits.exhibits(strings, self.task.properties_of(sequences))

    def images(self, sequences: np.ndarray) -> np.ndarray:
        """Return one picture with some of the molecules."""
        valid = [one.canonical for one in self.task.properties_of(sequences[:_PICTURED]) if one]
        return rendering.grid_image(valid)[np.newaxis]

    def graph_codec(self) -> MoleculeCodec:
        """Return the codec between classes and strings."""
        return MoleculeCodec(self.task.vocabulary)

    def _best(self, sequences: np.ndarray) -> dict[str, str]:
        """Return the best-rewarded molecules, best first, each with what is written below its drawing."""
        scored = self.task.result(self.task.submit(sequences, self.task.mask_of(sequences)))
        found = scored.details
        totals = sum(found.rewards.values())
        ranked: dict[str, str] = {}
        for index in np.argsort(-totals, kind="stable"):
            if (one := found.properties[index]) is not None and one.canonical not in ranked:
                parts = {name: column[index] for name, column in found.desirabilities.items()}
                ranked[one.canonical] = rendering.reward_legend(one, float(totals[index]), parts)
            if len(ranked) == _SHOWN:
                break
        return ranked

    def sample_lines(self, path: str) -> list[str] | None:
        """Return the lines of a .smi file; None for an .sdf file."""
        if not path.endswith(".smi"):
            return None
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()


def _legend(row: Mapping[str, Any]) -> str:
    """Return what is written below a molecule of molecules.csv: its reward, and when it was found."""
    return f"reward {row['reward']:.3g}\n{rendering.measures(row['qed'], row['logp'], row['sa'])}"
