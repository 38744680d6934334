"""Writing new sequences of a policy for people."""

from __future__ import annotations

import os

import numpy as np
import tensorflow as tf

from rl_tuner.core.starts import Primer
from rl_tuner.core.tuner import RLTuner, sample


def generate(
    tuner: RLTuner,
    output_dir: str,
    count: int,
    temperature: float = 1.0,
    seed: int = 0,
    model: str = "tuned",
    primer: str | None = None,
    prompt: str | None = None,
) -> list[str]:
    """Samples sequences and writes each as the task's kind of file; returns the paths.

    Args:
        tuner: a tuned policy with its prior.
        output_dir: folder for the files.
        count: how many.
        temperature: divides the policy's logits.
        seed: the same seed gives the same sequences.
        model: "tuned" or "prior".
        primer: a file to go on from; what is written begins with it.
        prompt: the same as text.

    Raises:
        UserError: the primer or the prompt cannot be read.
    """
    task = tuner.task
    opening = task.read_primer(primer) if primer else []
    if prompt:
        opening = task.read_prompt(prompt)
    start = Primer(opening) if opening else tuner.start
    seed_pair = tf.constant([seed, 0], tf.int32)
    if model == "tuned":
        episode = tuner.sample(count, seed_pair, start, temperature)
    else:
        episode = sample(
            tuner.prior,
            tuner.prior,
            lambda scores, log_prior: log_prior,
            start,
            task,
            count,
            seed_pair,
            temperature,
        )
    sequences = episode.tokens.numpy()
    if opening:
        prefix = np.tile(np.array(opening, sequences.dtype), (count, 1))
        sequences = np.concatenate([prefix, sequences], axis=1)
    os.makedirs(output_dir, exist_ok=True)
    return task.write_samples(sequences, output_dir, model)
