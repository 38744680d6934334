"""The driver for one machine: worker processes read, the rest happens here, in memory."""

import collections
from typing import Any

from pipelines import plan as plans
from pipelines.facts import Facts
from rl_tuner.common.progress import track
from rl_tuner.common.workers import available_processors
from rl_tuner.datasets import writer


def build(plan: plans.Plan, inputs: list[str], output_dir: str) -> dict[str, Any]:
    """Follow a plan and write its dataset.

    Returns:
        The description that is also written as dataset.json.

    Raises:
        UserError: if an input or the output folder is invalid, or there is nothing to write.
    """
    settings = plan.settings
    writer.prepare_output(output_dir, overwrite=settings.overwrite)
    facts = Facts()
    items = [item for file in plan.files(inputs) for item in plan.items(*file, facts)]
    outcomes = plan.outcomes(items, settings.num_processes or available_processors())
    outcomes = track(outcomes, total=len(items), description=plan.unit)
    candidates = list(plans.read_items(plan, items, facts, outcomes))
    kept = plans.deduplicated(candidates, facts)
    decision = plan.decide(collections.Counter(map(plan.survey, kept)))
    examples = [each for one in kept for each in plan.examples(one, decision, facts)]
    if complaint := plan.complaint(inputs, facts):
        writer.refuse(output_dir, complaint, facts.rejections)
    description = plan.description(inputs, decision, facts)
    split = {
        name: [(each.record, each.length) for each in sorted(examples) if each.split == name]
        for name in writer.SPLITS
    }
    writer.write_dataset(
        output_dir,
        description,
        split,
        facts.rejections,
        num_shards=settings.num_shards,
        overwrite=settings.overwrite,
    )
    return description
