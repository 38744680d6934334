"""MODEL_CARD.md: the origin, settings, metrics, samples and limits of a model."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from rl_tuner.common.files import write_text
from rl_tuner.common.run_folder import CONFIG_FILE, PLOTS
from rl_tuner.common.tables import Row
from rl_tuner.core.tuner import RLTuner
from rl_tuner.datasets.licences import known_licences
from rl_tuner.serving import card_head
from rl_tuner.serving.description import describe
from rl_tuner.tasks.presentation import CardNotes, Presentation, presentation_of
from rl_tuner.tuning import report

CARD_FILE = "MODEL_CARD.md"
_SHOWN = 5
_NUMBER = re.compile(r"_\d+(?=\.)")
_UNKNOWN_LICENCE = "unknown to this program; please state it here"
_PAPER = "[Jaques et al., 2017](https://proceedings.mlr.press/v70/jaques17a.html)"
_EVERY_LIMIT = (
    "The model was tuned towards a reward. It may have found ways to earn the reward that the author of"
    " the reward did not intend; look at samples, not only at the reward.",
    "Log-probabilities are not a measure of quality. They are comparable only between sequences that"
    " start in the same way.",
)


def write_model_card(folder: str, tuner: RLTuner, run_dir: str | None = None) -> str:
    """Write MODEL_CARD.md into a folder; return its path.

    Args:
        folder: folder for the card.
        tuner: a tuned policy with its prior.
        run_dir: folder of the run, for settings, metrics and samples; None omits them.
    """
    description = describe(tuner, run_dir)
    metrics = description["metrics"]
    presentation = presentation_of(tuner.task)
    table = report.format_report(tuner.task, metrics) if metrics else None
    samples = read_samples(os.path.join(run_dir, "samples"), presentation) if run_dir else {}
    has_config = bool(run_dir) and os.path.isfile(os.path.join(run_dir or "", CONFIG_FILE))
    card = model_card(
        description,
        table,
        samples,
        presentation.card_notes,
        rows=[*(presentation.rows or ()), *report.COMMON_ROWS],
        made=card_head.made_by(description, has_config),
        pictures=_pictures(folder),
    )
    path = os.path.join(folder, CARD_FILE)
    write_text(path, card)
    return path


def read_samples(folder: str, presentation: Presentation) -> dict[str, list[str]]:
    """Return, by heading, the first samples of each model as lines of text, and names of other files."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    found: dict[str, list[str]] = {}
    files = []
    for name in names:
        heading = f"samples/{_NUMBER.sub('_*', name)}"
        if len(found.get(heading, [])) >= _SHOWN:
            continue
        lines = presentation.sample_lines(os.path.join(folder, name))
        if lines is None:
            files.append(f"samples/{name}")
        else:
            found[heading] = [*found.get(heading, []), *lines][:_SHOWN]
    found = {heading: lines for heading, lines in found.items() if lines}
    return found | ({"Files in the run's folder": files} if files else {})


def model_card(
    description: dict[str, Any],
    table: str | None,
    samples: dict[str, list[str]],
    notes: CardNotes,
    *,
    rows: Sequence[Row] = (),
    made: Sequence[str] = (),
    pictures: Sequence[str] = (),
) -> str:
    """Return the card as Markdown with a head in YAML.

    Args:
        description: description from `describe`.
        table: the metrics as a text table; None if nothing was measured.
        samples: lines of samples by their heading; may be empty.
        notes: the card's texts about this kind of sequences.
        rows: rows of the table, which name the metrics of the head.
        made: lines about when and with what the model was made.
        pictures: paths of pictures, from the card's folder.
    """
    task, objective = description["task"], description["objective"]
    length = f"{'' if task['end_token'] is None else 'up to '}{task['horizon']} tokens"
    sections = [
        card_head.head(description, rows),
        f"# Model card: a {task['kind']} model tuned with {objective['name']}",
        f"An LSTM that generates {task['kind']} sequences of {length}, trained by maximum likelihood and"
        f" then fine-tuned on a reward with KL-control (Sequence Tutor, {_PAPER})."
        f" {notes.token}".rstrip(),
        "## Training data",
        _data(description["prior"]),
        "## Prior",
        _prior(description["prior"]),
        "## Tuning",
        _tuning(description),
        "## Measured",
        _measured(table, description["metrics"]),
        "## Samples",
        _samples(samples, notes.notes, pictures),
        "## Limits",
        _bullets([*notes.limits, *_EVERY_LIMIT]),
        "## Use",
        _use(notes.outputs),
        "## Versions",
        _bullets(
            [*made, *(f"{name} {version}" for name, version in description["versions"].items())]
        ),
    ]
    return "\n\n".join(sections) + "\n"


def _data(prior: dict[str, Any]) -> str:
    sources = prior.get("source") or []
    sources = [sources] if isinstance(sources, str) else list(sources)
    stated = prior.get("licence") or {}
    # Datasets of earlier versions state their sources, but not the licences.
    licences = known_licences(sources) | stated
    # Show only the names of the user's own files: a card may be published, local paths should not be.
    names = {source: os.path.basename(source.rstrip("/")) for source in sources}
    lines = [f"`{names[s]}`. Licence: {licences.get(s, _UNKNOWN_LICENCE)}." for s in sources]
    for name, split in (prior.get("splits") or {}).items():
        counts = [f"{count:,} {what}" for what, count in split.items() if count is not None]
        lines.append(f"{name}: {', '.join(counts)}")
    return _bullets(lines or ["The prior's file does not name its training data; please state it."])


def _prior(prior: dict[str, Any]) -> str:
    lines = [f"LSTM layers of {prior['cells']} cells"] if prior.get("cells") else []
    if imported := prior.get("imported"):
        lines.append(f"imported from `{imported['file']}`, SHA-256 {imported['sha256']}")
    for name, value in (prior.get("scores") or {}).items():
        unit = ", nats per step" if name.endswith("log_perplexity") else ""
        unit = " of the next tokens" if name.endswith("accuracy") else unit
        lines.append(f"{name.replace('_', ' ')}: {_number(value)}{unit}")
    return _bullets(lines if prior.get("scores") else [*lines, "Its scores are unknown."])


def _tuning(description: dict[str, Any]) -> str:
    objective, tuning = dict(description["objective"]), description["tuning"]
    start, temperature = dict(description["start"]), tuning["temperature"]
    lines = [
        f"objective: {_call(objective)}",
        *_asked(description.get("targets") or []),
        *(_rewarded(description["task"], temperature) if temperature else []),
        f"discount gamma: {_number(tuning['gamma'])}",
        f"seed: {tuning['seed']}",
        f"steps: {tuning['steps']:,} tokens generated in training",
        f"sequences start with: {_call(start)}",
    ]
    return _bullets([line for line in lines if line])


def _rewarded(task: dict[str, Any], temperature: dict[str, Any]) -> list[str]:
    return [
        f"rewarded for: {', '.join(task['rewarded_for']) or 'no named parts'}",
        f"reward: {_call(reward)}" if (reward := task.get("reward")) else "",
        f"temperature c: {_number(temperature['c'])} ({temperature['name']}); the reward is divided by c,"
        " so a larger c keeps the policy closer to the prior",
    ]


def _asked(targets: list[dict[str, Any]]) -> list[str]:
    if not targets:
        return []
    bounds = [
        f"{t['feature']} {'at least' if t['side'] > 0 else 'at most'} {t['value']:g}"
        for t in targets
    ]
    return [f"asked for, at the least departure from the prior: {', '.join(bounds)}"]


def _measured(table: str | None, metrics: dict[str, Any] | None) -> str:
    if not table:
        return "Nothing was measured when this card was written."
    counts = {column["sequences"] for column in (metrics or {}).values() if "sequences" in column}
    of = f" Each was measured on {max(counts):,} sequences." if counts else ""
    return (
        f"`prior` is the network before tuning, `tuned` is this model.{of} Columns named `paper` are"
        " published figures for other networks and other data; they show the typical range and are not"
        f" directly comparable.\n\n{_fenced(table)}"
    )


def _pictures(folder: str) -> list[str]:
    found = [f"{PLOTS}/{name}.png" for name in ("samples", "training")]
    return [path for path in found if os.path.isfile(os.path.join(folder, path))]


def _samples(
    samples: dict[str, list[str]], notes: Mapping[str, str], pictures: Sequence[str]
) -> str:
    if not samples:
        return "No samples were written."
    parts = [f"{heading}:\n\n{_fenced(chr(10).join(lines))}" for heading, lines in samples.items()]
    shown = [note for end, note in notes.items() if any(name.endswith(end) for name in samples)]
    drawn = [f"![{os.path.basename(path)}]({path})" for path in pictures]
    return "\n\n".join(shown + parts + drawn)


def _use(outputs: str) -> str:
    code = (
        "import tensorflow as tf\n\n"
        'model = tf.saved_model.load("EXPORTED_FOLDER")\n'
        "made = model.generate(count=5, seed=1)\n"
        f"print({outputs})\n"
        'print(made["log_policy"] - made["log_prior"])  # nats by which tuning made each sequence likelier\n'
        'print(model.describe()["json"])'
    )
    return f"The exported model needs only TensorFlow:\n\n```python\n{code}\n```"


def _call(named: dict[str, Any]) -> str:
    return f"`{_text(named)}`"


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_text, value))}]"
    if not isinstance(value, dict):
        return str(value)
    arguments = ", ".join(f"{key}={_text(item)}" for key, item in value.items() if key != "name")
    return f"{value.get('name', '')}({arguments})"


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _fenced(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```"
