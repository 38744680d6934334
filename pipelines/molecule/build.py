"""Molecules to a dataset of strings: the whole job behind `smiles_to_tfrecord`."""

import collections
import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import Any

import gin

from pipelines import parallel
from pipelines.molecule import readers, selection
from pipelines.molecule.entries import Entry
from rl_tuner.common.errors import UserError
from rl_tuner.common.progress import track
from rl_tuner.datasets import sequence_examples, writer
from rl_tuner.tasks.molecule import histograms, tokens

SPLITTINGS = ("random", "scaffold")
ORGANIC_ELEMENTS = ("H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Br", "I")

_FORMAT = 1
_PACKAGES = ("rdkit", "selfies")
_CHUNK_SIZE = 256


@gin.configurable(module="pipelines", denylist=["output_dir", "overwrite"])
def build_molecule_dataset(
    inputs: Sequence[str],
    output_dir: str,
    *,
    recursive: bool = True,
    column: str = "",
    representation: str = "atom",
    strip_salts: bool = True,
    neutralise: bool = False,
    keep_stereo: bool = True,
    min_length: int = 1,
    max_length: int = 120,
    min_heavy_atoms: int = 1,
    max_heavy_atoms: int = 0,
    elements: Sequence[str] = ORGANIC_ELEMENTS,
    min_token_count: int = 1,
    augment: int = 0,
    seed: int = 0,
    split: str = "random",
    validation_ratio: float = 0.1,
    test_ratio: float = 0.1,
    property_histograms: bool = True,
    num_shards: int = 1,
    num_processes: int = 0,
    timeout_seconds: float = 30.0,
    max_file_mb: float = 1024.0,
    worker_memory_mb: int = 4096,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Reads molecules, writes each in one way and makes a dataset of the strings.

    The result depends on the molecules and the settings only, not on the number of processes, the
    order of the inputs or where they lie.

    Salts are stripped by default and charges kept: a counter-ion is a matter of the bottle that the
    molecule came in, while a charge may belong to the molecule, and collections made for docking,
    such as ZINC, have chosen theirs with care.

    Args:
        inputs: Files, folders and "builtin:NAME" sets.
        output_dir: The folder to make.
        recursive: Whether to look into folders within folders.
        column: The column of SMILES in .csv and .tsv files; "" for the one called smiles.
        representation: "atom", "character" or "selfies", as `rl_tuner.tasks.molecule.tokens` says.
        strip_salts: Keep only the largest fragment, an organic one where there is one.
        neutralise: Take charges away where adding or removing hydrogen does it.
        keep_stereo: Whether stereochemistry stays in the strings.
        min_length: Molecules of fewer tokens, the end token not counted, are rejected.
        max_length: Molecules of more tokens are rejected, longer random spellings left out.
        min_heavy_atoms: Molecules of fewer heavy atoms are rejected.
        max_heavy_atoms: Molecules of more heavy atoms are rejected; 0 for no limit.
        elements: Molecules with other elements are rejected.
        min_token_count: Training molecules with a token that fewer training molecules have are
            rejected, and random spellings with one left out.
        augment: Random spellings of each training molecule beside the canonical one.
        seed: What random spellings hang on.
        split: "random" goes by the molecule; "scaffold" keeps molecules of one Bemis-Murcko scaffold
            in one split, and goes by the molecule where it has no ring.
        validation_ratio: The share of molecules, or scaffolds, for validation.
        test_ratio: The share of molecules, or scaffolds, for testing.
        property_histograms: Whether to describe the properties of the training molecules, which
            takes longer than all the rest.
        num_shards: Files per split.
        num_processes: Worker processes; 0 for one a processor.
        timeout_seconds: The time limit of one molecule.
        max_file_mb: Larger files, once unpacked, are rejected.
        worker_memory_mb: The address space of a worker; 0 for no limit.
        overwrite: Replace an existing dataset, once the new one is complete.

    Returns:
        The description that is also written as dataset.json.

    Raises:
        UserError: if an input, a setting or the output folder is wrong, or no molecule is left to
            train on.
    """
    settings = {
        name: value
        for name, value in locals().items()
        if name not in ("inputs", "output_dir", "num_processes", "worker_memory_mb", "overwrite")
    }
    settings["elements"] = sorted({elements} if isinstance(elements, str) else set(elements))
    _check(settings | {"num_processes": num_processes})
    if isinstance(inputs, str):
        inputs = [inputs]
    writer.prepare_output(output_dir, overwrite=overwrite)
    entries, rejections = readers.list_entries(
        inputs, recursive=recursive, column=column, max_bytes=int(max_file_mb * 2**20)
    )
    if not entries:
        raise UserError(f"no molecules in {', '.join(inputs)}{writer.why(rejections)}")
    outcomes = _read(entries, settings, num_processes, worker_memory_mb)
    found, more = selection.collect(track(outcomes, total=len(entries), description="molecules"))
    rejections += more
    found, more = selection.drop_rare_tokens(found, min_token_count)
    rejections += more
    found, more = selection.drop_untrained_tokens(found)
    rejections += more
    training = [each for each in found if each.molecule.split == "train"]
    if not training:
        why = writer.why(rejections)
        raise UserError(f"no molecule to train on in {len(entries)} entries{why}")
    strings = [string for each in training for string in each.strings]
    vocabulary = tokens.Vocabulary.of_tokens(strings, representation)
    sequences = [vocabulary.encode_tokens(string) for string in strings]
    description = {
        "format": _FORMAT,
        "kind": "molecule",
        "encoding": tokens.Encoding.measure(vocabulary, sequences).to_json(),
        "splits": {},
        "source": list(inputs),
        "settings": settings,
        "inputs": len(entries),
        "molecules": len(found),
        "rejections": writer.count_reasons(rejections),
        "class_histogram": _class_histogram(sequences, vocabulary.num_classes),
        "properties": histograms.histograms([each.molecule.properties for each in training]),
        "versions": writer.versions(_PACKAGES),
    }
    writer.write_dataset(
        output_dir,
        description,
        {name: _examples(found, name, vocabulary) for name in writer.SPLITS},
        rejections,
        num_shards=num_shards,
        overwrite=overwrite,
    )
    return description


def _check(settings: dict[str, Any]) -> None:
    if settings["split"] not in SPLITTINGS:
        raise UserError(f"split must be one of {', '.join(SPLITTINGS)}, not {settings['split']!r}")
    tokens.check_representation(settings["representation"])
    at_least = dict.fromkeys(("min_length", "max_length", "min_token_count", "num_shards"), 1)
    at_least |= dict.fromkeys(
        ("min_heavy_atoms", "max_heavy_atoms", "augment", "seed", "num_processes"), 0
    )
    writer.check_settings(
        settings, at_least=at_least, above_zero=("timeout_seconds", "max_file_mb")
    )
    for what in ("length", "heavy_atoms"):
        least, most = settings[f"min_{what}"], settings[f"max_{what}"]
        if 0 < most < least:
            raise UserError(f"min_{what} = {least} and max_{what} = {most} leave no molecule")
    from rdkit import Chem

    table = Chem.GetPeriodicTable()
    known = {table.GetElementSymbol(number) for number in range(1, 119)}
    unknown = set(settings["elements"]) - known
    if unknown or not settings["elements"]:
        wrong = ", ".join(sorted(unknown)) or "nothing"
        raise UserError(f"elements must be symbols such as C or Cl, not {wrong}")


def _read(
    entries: list[Entry],
    settings: dict[str, Any],
    num_processes: int,
    memory_mb: int,
) -> Iterable[parallel.Outcome]:
    """Yields what `standard.read_molecule` made of every entry."""
    from pipelines.molecule import standard

    fields = [field.name for field in dataclasses.fields(standard.StandardSettings)]
    standard_settings = standard.StandardSettings(**{name: settings[name] for name in fields})
    return parallel.map_in_chunks(
        functools.partial(standard.read_molecule, settings=standard_settings),
        entries,
        chunk_size=_CHUNK_SIZE,
        num_processes=num_processes or parallel.available_processors(),
        timeout_seconds=settings["timeout_seconds"],
        memory_mb=memory_mb,
        preload=["pipelines.molecule.standard"],
    )


def _examples(
    found: list[selection.Found], split: str, vocabulary: tokens.Vocabulary
) -> list[tuple[bytes, int]]:
    """Returns the serialised strings of a split, each with its number of tokens, in hash order."""
    examples = []
    for each in found:
        if each.molecule.split != split:
            continue
        for spelling, string in enumerate(each.strings):
            classes = vocabulary.encode_tokens(string)
            context = {
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
