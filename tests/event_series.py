"""What TensorBoard would show of a folder."""

import os


def read_events(folder):
    """All events of a run or prior, with every point of every series."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(os.path.join(folder, "tensorboard"), size_guidance={"tensors": 0})
    events.Reload()
    return events
