"""Building of a dataset of molecules, the work of `smiles_to_tfrecord`."""

import functools
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import gin

from pipelines import drivers, parallel
from pipelines.facts import Facts
from pipelines.inputs import Input, InputFile, check_inputs
from pipelines.molecule import readers, selection
from pipelines.molecule.entries import Entry
from pipelines.molecule.settings import MoleculeSettings
from pipelines.plan import Example, Plan
from pipelines.settings import builder
from rl_tuner.common.workers import Outcome
from rl_tuner.datasets import descriptions, sequence_examples, writer
from rl_tuner.tasks.molecule import histograms, tokens

_PACKAGES = ("rdkit", "selfies")
_CHUNK_SIZE = 256


@gin.configurable(module="pipelines", denylist=["output_dir", "overwrite"])
@builder(MoleculeSettings, functools.partial(check_inputs, prefix=readers.BUILTIN_PREFIX))
def build_molecule_dataset(
    inputs: list[str], output_dir: str, settings: MoleculeSettings
) -> dict[str, Any]:
    """Read molecules, standardise them and make a dataset of their strings.

    The result depends only on the molecules and the settings, not on the number of processes, the
    order of the inputs or their folders.

    Args:
        inputs: Files, folders and "builtin:NAME" sets.
        output_dir: Folder for the dataset.
        settings: Settings of the pipeline.

    Returns:
        The description that is also written as dataset.json.

    Raises:
        UserError: if an input, a setting or the output folder is invalid, or no training molecules are
            left.
    """
    return drivers.build(MoleculePlan(settings), inputs, output_dir)


class Decision(NamedTuple):
    """What all molecules together determine.

    Attributes:
        filter: The tokens that are kept.
        vocabulary: The vocabulary of the training strings.
    """

    filter: selection.TokenFilter
    vocabulary: tokens.Vocabulary


class MoleculePlan(Plan):
    """The steps from lines and records to strings of molecules."""

    unit = "molecules"
    settings: MoleculeSettings

    def files(self, inputs: Iterable[str]) -> list[tuple[InputFile, Input]]:
        """Return the files of all inputs, each with its input."""
        return readers.list_files(inputs, recursive=self.settings.recursive)

    def items(self, file: InputFile, given: Input, facts: Facts) -> list[Entry]:
        """Return the entries of a file."""
        max_bytes = int(self.settings.max_file_mb * 2**20)
        found, rejections = readers.entries_of(
            file, given, column=self.settings.column, max_bytes=max_bytes
        )
        facts.rejections += rejections
        return found

    def outcomes(self, items: list[Entry], num_processes: int) -> Iterable[Outcome]:
        """Yield the outcome of `standard.read_molecule` for every entry."""
        from pipelines.molecule import standard

        return parallel.map_in_chunks(
            functools.partial(standard.read_molecule, settings=self.settings),
            items,
            chunk_size=_CHUNK_SIZE,
            num_processes=num_processes,
            timeout_seconds=self.settings.timeout_seconds,
            memory_mb=self.settings.worker_memory_mb,
            preload=["pipelines.molecule.standard"],
        )

    def candidates(self, outcome: Outcome, facts: Facts) -> Sequence[selection.Found]:
        """Return the molecule of an entry, unless it is rejected."""
        if outcome.failure:
            facts.rejections.append(outcome.item.reject(outcome.failure, outcome.detail))
            return []
        if isinstance(outcome.value, writer.Rejection):
            facts.rejections.append(outcome.value)
            return []
        return [selection.Found.of(outcome.item, outcome.value)]

    def survey(self, candidate: selection.Found) -> Hashable:
        """Return the tokens of a training molecule, which decide what is kept."""
        return candidate.tokens(self.settings.min_token_count)

    def decide(self, surveys: dict[Hashable, int]) -> Decision:
        """Return the tokens that are frequent enough, and the vocabulary."""
        kept = selection.token_filter(surveys, self.settings.min_token_count)
        vocabulary = tokens.Vocabulary.of_tokens([kept.trained], self.settings.representation)
        return Decision(kept, vocabulary)

    def examples(
        self, candidate: selection.Found, decision: Decision, facts: Facts
    ) -> list[Example]:
        """Return the examples of a molecule, one for each spelling."""
        kept = decision.filter.keep(candidate, facts)
        if kept is None:
            return []
        facts.count("molecules", [kept.molecule.split])
        facts.count("changes", kept.molecule.changes)
        is_trained = kept.molecule.split == "train"
        if is_trained:
            facts.note_row(kept.molecule.properties)
        examples = []
        for spelling, string in enumerate(kept.strings):
            classes = decision.vocabulary.encode_tokens(string)
            if is_trained:
                _note_limits(decision.vocabulary, classes, facts)
            context: dict[str, str | int] = {
                "id": writer.digest("".join(string)),
                "source": kept.entry.source,
                "length": len(classes),
                "smiles": kept.molecule.smiles,
                "spelling": spelling,
            }
            record = sequence_examples.serialise(context, classes)
            examples.append(Example(str(context["id"]), record, kept.molecule.split, len(classes)))
        return examples

    def complaint(self, inputs: Sequence[str], facts: Facts) -> str | None:
        """Return that there are no molecules, or none to train on."""
        if not facts.of("inputs").total():
            return f"found no molecules in {', '.join(inputs)}"
        if not facts.of("molecules")["train"]:
            return f"no molecule to train on in {facts.of('inputs').total()} entries"
        return None

    def description(
        self, inputs: Sequence[str], decision: Decision, facts: Facts
    ) -> dict[str, Any]:
        """Return the description of a dataset of molecules."""
        vocabulary, largest = decision.vocabulary, facts.largest
        encoding = tokens.Encoding(
            vocabulary, largest["longest"], -largest["minus_shortest"], largest["carbon_run"]
        )
        return descriptions.describe(
            kind="molecule",
            encoding=encoding.to_json(),
            source=inputs,
            settings=self.settings.to_json(),
            inputs=facts.of("inputs").total(),
            molecules=facts.of("molecules").total(),
            reasons=facts.reasons,
            changes=descriptions.count(facts.of("changes").elements()),
            class_histogram=[facts.of("classes")[n] for n in range(vocabulary.num_classes)],
            properties=histograms.histograms(list(zip(*facts.columns))),
            packages=_PACKAGES,
        )


def _note_limits(vocabulary: tokens.Vocabulary, classes: list[int], facts: Facts) -> None:
    facts.count("classes", Counter(classes))
    facts.grow("longest", len(classes))
    facts.grow("minus_shortest", 1 - len(classes))
    facts.grow("carbon_run", tokens.carbon_run(vocabulary.decode(classes)))
