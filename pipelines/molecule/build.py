"""Building of a dataset of molecules, the work of `smiles_to_tfrecord`."""

import collections
import functools
from collections.abc import Iterable
from typing import Any

import gin

from pipelines import parallel
from pipelines.inputs import check_inputs
from pipelines.molecule import readers, selection
from pipelines.molecule.entries import Entry
from pipelines.molecule.settings import MoleculeSettings
from pipelines.settings import builder
from rl_tuner.common.progress import track
from rl_tuner.common.workers import Outcome, available_processors
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
    writer.prepare_output(output_dir, overwrite=settings.overwrite)
    entries, rejections = readers.list_entries(
        inputs,
        recursive=settings.recursive,
        column=settings.column,
        max_bytes=int(settings.max_file_mb * 2**20),
    )
    if not entries:
        writer.refuse(output_dir, f"found no molecules in {', '.join(inputs)}", rejections)
    outcomes = track(_read(entries, settings), total=len(entries), description="molecules")
    found, more = selection.select(outcomes, settings.min_token_count)
    rejections += more
    training = [each for each in found if each.molecule.split == "train"]
    if not training:
        message = f"no molecule to train on in {len(entries)} entries"
        writer.refuse(output_dir, message, rejections)
    strings = [string for each in training for string in each.strings]
    vocabulary = tokens.Vocabulary.of_tokens(strings, settings.representation)
    rows = [(each, list(map(vocabulary.encode_tokens, each.strings))) for each in found]
    sequences = [row for each, spelled in rows if each.molecule.split == "train" for row in spelled]
    description = descriptions.describe(
        kind="molecule",
        encoding=tokens.Encoding.measure(vocabulary, sequences).to_json(),
        source=inputs,
        settings=settings.to_json(),
        inputs=len(entries),
        molecules=len(found),
        reasons=(rejection.reason for rejection in rejections),
        changes=descriptions.count(change for each in found for change in each.molecule.changes),
        class_histogram=_class_histogram(sequences, vocabulary.num_classes),
        properties=histograms.histograms([each.molecule.properties for each in training]),
        packages=_PACKAGES,
    )
    writer.write_dataset(
        output_dir,
        description,
        {name: _examples(rows, name) for name in writer.SPLITS},
        rejections,
        num_shards=settings.num_shards,
        overwrite=settings.overwrite,
    )
    return description


def _read(entries: list[Entry], settings: MoleculeSettings) -> Iterable[Outcome]:
    """Yield the outcome of `standard.read_molecule` for every entry."""
    from pipelines.molecule import standard

    return parallel.map_in_chunks(
        functools.partial(standard.read_molecule, settings=settings),
        entries,
        chunk_size=_CHUNK_SIZE,
        num_processes=settings.num_processes or available_processors(),
        timeout_seconds=settings.timeout_seconds,
        memory_mb=settings.worker_memory_mb,
        preload=["pipelines.molecule.standard"],
    )


def _examples(
    rows: list[tuple[selection.Found, list[list[int]]]], split: str
) -> list[tuple[bytes, int]]:
    """Return the serialised strings of a split, each with its number of tokens, in hash order."""
    examples = []
    for each, spelled in rows:
        if each.molecule.split != split:
            continue
        for spelling, (string, classes) in enumerate(zip(each.strings, spelled, strict=True)):
            context: dict[str, str | int] = {
                "id": writer.digest("".join(string)),
                "source": each.entry.source,
                "length": len(classes),
                "smiles": each.molecule.smiles,
                "spelling": spelling,
            }
            serialised = sequence_examples.serialise(context, classes)
            examples.append((context["id"], serialised, len(classes)))
    return [(serialised, length) for _, serialised, length in sorted(examples)]


def _class_histogram(sequences: list[list[int]], num_classes: int) -> list[int]:
    counts = collections.Counter(number for classes in sequences for number in classes)
    return [counts[number] for number in range(num_classes)]
