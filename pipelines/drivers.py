"""Choice of the driver that follows a plan."""

from typing import Any

from pipelines import local
from pipelines.plan import Plan


def build(plan: Plan, inputs: list[str], output_dir: str) -> dict[str, Any]:
    """Follow a plan, on Apache Beam if the settings name a runner; return the dataset's description.

    Raises:
        UserError: see the drivers.
    """
    if not plan.settings.runner:
        return local.build(plan, inputs, output_dir)
    # Beam takes seconds to import, and is an extra.
    from pipelines import beam_driver

    return beam_driver.build(plan, inputs, output_dir)
