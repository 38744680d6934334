"""Makes a study: sequences of every model as files that differ in nothing but what is heard or seen."""

from __future__ import annotations

import dataclasses
import io
import os
import secrets
import wave
from collections.abc import Sequence

from rl_tuner import api
from rl_tuner.common.errors import UserError
from rl_tuner.common.files import replacing_folder, write_text
from rl_tuner.common.progress import say, track, working
from rl_tuner.policy import TunedPolicy
from rl_tuner.study.folder import STIMULI, STUDY_FILE, Stimulus, Study, default_consent
from rl_tuner.tasks.presentation import Exhibit, presentation_of
from rl_tuner.tuning.evaluation import PRIOR, TUNED

# So many times more sequences are drawn than are needed, because some may show nothing.
_DRAWS = 8


def make(study: Study, count: int, trust: bool) -> Study:
    """Write the folder of a study, as a whole or not at all.

    A model of the name "prior" is the prior of its run; every other one is the tuned policy of its run.

    Args:
        study: the study without its stimuli.
        count: stimuli of each model.
        trust: whether the runs may execute code that is not part of this program.

    Raises:
        UserError: a run cannot be used, or makes too few sequences that can be shown.
    """
    shown: dict[str, list[Exhibit]] = {}
    for name, folder in track(study.models.items(), total=len(study.models), description="models"):
        with working(f"loading {folder}"):
            policy = api.open_run(folder, trust=trust)
        model = PRIOR if name == PRIOR else TUNED
        shown[name] = _exhibits(policy, name, model, count, study.seed)
        kind = policy.task.kind
    suffix = _suffix([one for found in shown.values() for one in found])
    stimuli = [
        Stimulus(secrets.token_hex(12), name, one.text)
        for name, found in shown.items()
        for one in found
    ]
    contents = _contents([one for found in shown.values() for one in found], suffix)
    consent = study.consent or default_consent(suffix, study.comparisons + study.checks)
    made = dataclasses.replace(
        study, kind=kind, shows=suffix, consent=consent, stimuli=tuple(stimuli)
    )
    with replacing_folder(study.folder) as temporary:
        os.mkdir(os.path.join(temporary, STIMULI))
        for stimulus, content in zip(stimuli, contents):
            path = os.path.join(temporary, STIMULI, f"{stimulus.id}.{suffix}")
            with open(path, "wb") as file:
                file.write(content)
        write_text(os.path.join(temporary, STUDY_FILE), made.to_json())
    return made


def _exhibits(policy: TunedPolicy, name: str, model: str, count: int, seed: int) -> list[Exhibit]:
    """Return `count` distinct sequences that can be shown, and tell what was left out."""
    presentation = presentation_of(policy.task)
    rows = policy.sample(_DRAWS * count, seed=seed, model=model).tokens
    found: dict[str, Exhibit] = {}
    invalid = repeated = 0
    for begin in range(0, len(rows), count):
        for one in presentation.exhibits(rows[begin : begin + count]):
            if not one.valid:
                invalid += 1
            elif one.text in found:
                repeated += 1
            elif len(found) < count:
                found[one.text] = one
        if len(found) == count:
            break
    if invalid or repeated:
        say(f"{name}: {invalid} that show nothing and {repeated} repeated sequences were left out")
    if len(found) < count:
        raise UserError(
            f"{name}: only {len(found)} of {len(rows)} sequences are distinct and can be shown;"
            f" ask for fewer with --stimuli={max(1, len(found))}, or choose another run"
        )
    return list(found.values())


def _suffix(exhibits: Sequence[Exhibit]) -> str:
    if all(one.sound for one in exhibits):
        return "wav"
    return "svg" if all(one.picture for one in exhibits) else "txt"


def _contents(exhibits: Sequence[Exhibit], suffix: str) -> list[bytes]:
    """Return the files of exhibits; all have the same size."""
    if suffix == "wav":
        return equally_long([one.sound for one in exhibits])
    texts = [(one.picture if suffix == "svg" else one.text).encode() for one in exhibits]
    size = max(map(len, texts))
    return [text.ljust(size) for text in texts]


def equally_long(sounds: Sequence[bytes]) -> list[bytes]:
    """Return WAV files that end in silence, so that all of them are as long as the longest.

    Args:
        sounds: WAV files with one rate and form.
    """
    read = []
    for sound in sounds:
        with wave.open(io.BytesIO(sound)) as file:
            read.append((file.getparams(), file.readframes(file.getnframes())))
    longest = max(len(frames) for _, frames in read)
    made = []
    for parameters, frames in read:
        buffer = io.BytesIO()
        with wave.open(buffer, "wb") as file:
            file.setparams(parameters)
            file.writeframes(frames.ljust(longest, b"\0"))
        made.append(buffer.getvalue())
    return made
