"""The driver for many machines: Apache Beam, with any of its runners.

Workers read and write files themselves, so that they and this process must see the same paths: a shared
folder, or a file system that Beam knows, such as gs://bucket/folder. The dataset equals that of `local` byte
for byte.
"""

import argparse
import contextlib
import importlib
import math
import os
import pickle
import shlex
import tempfile
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.typehints.decorators import no_annotations

from pipelines import beam_steps as steps
from pipelines.beam_steps import Work
from pipelines.inputs import Input, InputFile
from pipelines.places import is_remote
from pipelines.plan import Plan
from rl_tuner.common.errors import UserError, class_and_message
from rl_tuner.common.progress import say
from rl_tuner.datasets import writer

# A part of the work takes long enough to be worth the start of a process, and short enough to be repeated.
_FILES_PER_PART = 128
_BYTES_PER_PART = 2**20
_MOST_PARTS_OF_A_FILE = 64
# Beam finds the others by their names.
_CLASSES = {"DaskRunner": "apache_beam.runners.dask.dask_runner.DaskRunner"}
_KEYED = tuple[int, Any]
_RESULT = "result.pickle"
_SIZE = "--dask_partition_size"


def build(plan: Plan, inputs: list[str], output_dir: str) -> dict[str, Any]:
    """Follow a plan on Beam and write its dataset.

    Returns:
        The description that is also written as dataset.json.

    Raises:
        UserError: if an input, an option or the output folder is invalid, the pipeline fails, or there is
            nothing to write.
    """
    settings = plan.settings
    options = _options(settings.runner, settings.pipeline_options)
    files = plan.files(inputs)
    with _folder(output_dir, settings.overwrite) as folder:
        if files:
            _run(plan, divided(files), folder, options)
            result: steps.Result = pickle.loads(_read(f"{folder}/{_RESULT}"))
            _delete(f"{folder}/{_RESULT}")
        else:
            result = steps.Result([], steps.Facts(), plan.decide({}))
        if result.facts.errors:
            raise UserError(*dict.fromkeys(sorted(result.facts.errors)))
        if complaint := plan.complaint(inputs, result.facts):
            if is_remote(output_dir):
                raise UserError(f"{complaint}{writer.why(result.facts.rejections)}")
            writer.refuse(output_dir, complaint, result.facts.rejections)
        description = plan.description(inputs, result.decision, result.facts)
        for split in writer.SPLITS:
            shards = [shard for shard in result.shards if shard.split == split]
            description["splits"][split] = {
                "sequences": sum(shard.sequences for shard in shards),
                "tokens": sum(shard.tokens for shard in shards),
                "shards": [shard.name for shard in shards],
                "checksums": [shard.checksum for shard in shards],
            }
        _describe(folder, description, result)
    writer.warn_of_empty_splits(output_dir, description)
    return description


def divided(files: list[tuple[InputFile, Input]]) -> list[Work]:
    """Return the parts of the work: many small files together, and a large one several times."""
    parts: list[Work] = []
    together: list[tuple[InputFile, Input]] = []
    held = 0
    for file, given in files:
        size = 0 if is_remote(file.path) else os.path.getsize(file.path)
        if size > _BYTES_PER_PART:
            count = min(_MOST_PARTS_OF_A_FILE, math.ceil(size / _BYTES_PER_PART))
            parts += [Work(0, ((file, given),), part, count) for part in range(count)]
            continue
        together.append((file, given))
        held += size
        if held > _BYTES_PER_PART or len(together) >= _FILES_PER_PART:
            parts.append(Work(0, tuple(together)))
            together, held = [], 0
    parts += [Work(0, tuple(together))] if together else []
    return [Work(number, p.files, p.part, p.parts) for number, p in enumerate(parts)]


def _run(plan: Plan, parts: list[Work], folder: str, options: PipelineOptions) -> None:
    num_shards, runner = plan.settings.num_shards, plan.settings.runner
    pipeline = beam.Pipeline(runner=_CLASSES.get(runner, runner), options=options)
    kept = (
        pipeline
        | "parts" >> beam.Create(parts).with_output_types(Any)
        | "spread" >> beam.Reshuffle()
        | "read" >> _flat_map(steps.read, plan)
        | "same content" >> beam.GroupByKey()
        | "deduplicate" >> _map(steps.deduplicate)
    )
    decided = (
        kept
        | "survey" >> _map(steps.survey, plan)
        | "all surveys" >> beam.GroupByKey()
        | "decide" >> _flat_map(steps.decide, plan)
    )
    in_order = (
        (kept, decided)
        | "with what is decided" >> beam.Flatten()
        | "by bucket" >> beam.GroupByKey()
        | "examples" >> _flat_map(steps.make_examples, plan)
        | "by hash" >> beam.GroupByKey()
        | "sort" >> _map(steps.sort)
    )
    offsets = (
        in_order
        | "sizes" >> _map(steps.sizes)
        | "all sizes" >> beam.GroupByKey()
        | "offsets" >> _flat_map(steps.offsets)
    )
    (
        (in_order, offsets)
        | "with offsets" >> beam.Flatten()
        | "places" >> beam.GroupByKey()
        | "place" >> _flat_map(steps.place, num_shards)
        | "by shard" >> beam.GroupByKey()
        | "write" >> _map(steps.write_shard, folder, num_shards)
        | "all shards" >> beam.GroupByKey()
        | "note" >> _map(steps.note_result, f"{folder}/{_RESULT}")
    )
    say(f"dataset: {len(parts)} parts of the work on {runner}")
    try:
        result = pipeline.run()
        try:
            result.wait_until_finish()
        finally:
            # Only Dask's result has a connection to close.
            client = getattr(result, "client", None)
            if client is not None:
                client.close()
    except Exception as error:
        raise UserError(f"{runner}: the pipeline failed: {class_and_message(error)}") from error


def _map(function: Callable[..., Any], *arguments: Any) -> beam.PTransform:
    # Without a type of its own, Beam would turn the elements into rows of a schema.
    return beam.Map(no_annotations(function), *arguments).with_output_types(_KEYED)


def _flat_map(function: Callable[..., Any], *arguments: Any) -> beam.PTransform:
    return beam.FlatMap(no_annotations(function), *arguments).with_output_types(_KEYED)


def _options(runner: str, given: str) -> PipelineOptions:
    """Return Beam's options.

    Raises:
        UserError: if an option is unknown, or has a wrong value.
    """
    words = shlex.split(given)
    # Beam itself ignores what it does not know.
    parser = argparse.ArgumentParser(
        allow_abbrev=False, add_help=False, exit_on_error=False, conflict_handler="resolve"
    )
    if runner == "DaskRunner":
        importlib.import_module(_CLASSES[runner].rpartition(".")[0])
    for options in PipelineOptions.__subclasses__():
        options._add_argparse_args(parser)
    try:
        _, unknown = parser.parse_known_args(words)
    except argparse.ArgumentError as error:
        raise UserError(f"pipeline_options {given!r}: {error}") from error
    if unknown:
        raise UserError(f"pipeline_options {given!r}: {runner} has no option {unknown[0]}")
    if runner == "DaskRunner" and "--dask_npartitions" not in given and _SIZE not in given:
        # By default Dask would put 128 parts of the work into one task.
        words.append(f"{_SIZE}=1")
    return PipelineOptions(words)


@contextlib.contextmanager
def _folder(output_dir: str, overwrite: bool) -> Iterator[str]:
    """Yield a folder whose files become the dataset if the block succeeds, else are deleted."""
    if not is_remote(output_dir):
        with writer.whole_folder(output_dir, overwrite=overwrite) as folder:
            yield folder
        return
    base = output_dir.rstrip("/")
    if FileSystems.exists(f"{base}/{writer.DESCRIPTION_FILE}"):
        if not overwrite:
            raise UserError(f"{output_dir} contains a dataset; set overwrite to replace it")
        _delete(f"{base}/{writer.DESCRIPTION_FILE}")
    folder = f"{base}/partial-{uuid.uuid4().hex[:8]}"
    FileSystems.mkdirs(folder)
    try:
        yield folder
        found = [each.path for each in FileSystems.match([f"{folder}/*"])[0].metadata_list]
        # The description comes last: without it, there is no dataset.
        found.sort(key=lambda path: path.endswith(writer.DESCRIPTION_FILE))
        for path in found:
            FileSystems.rename([path], [f"{base}/{path.rpartition('/')[2]}"])
    finally:
        FileSystems.delete([folder])


def _describe(folder: str, description: dict[str, Any], result: steps.Result) -> None:
    if not is_remote(folder):
        writer.write_rejections(folder, result.facts.rejections)
        writer.write_description(folder, description)
        return
    with tempfile.TemporaryDirectory() as local:
        writer.write_rejections(local, result.facts.rejections)
        writer.write_description(local, description)
        for name in os.listdir(local):
            with open(os.path.join(local, name), "rb") as file:
                steps.write(f"{folder}/{name}", file.read())


def _read(path: str) -> bytes:
    with FileSystems.open(path, compression_type="uncompressed") as file:
        return file.read()


def _delete(path: str) -> None:
    FileSystems.delete([path])
