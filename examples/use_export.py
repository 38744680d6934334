"""Write MIDI files or SMILES from an export; needs TensorFlow only, not this package.

python examples/use_export.py served/psi_music/1 --output_dir=out --count=5 --seed=7
python examples/use_export.py served/molecules/1 --output_dir=out --count=100
"""

from __future__ import annotations

import argparse
import json
import os
import struct
import sys
from collections.abc import Iterable
from types import ModuleType

_TICKS_PER_QUARTER = 480
_VELOCITY = 90


def midi(notes: Iterable[tuple[int, int, int]], steps_per_quarter: int) -> bytes:
    """Return a MIDI file of (pitch, start step, end step) notes, at the default 120 quarters per minute."""
    events = []
    for pitch, start, end in notes:
        # At the same tick, a note ends before the next one begins: 0x80 sorts before 0x90.
        events += [(start, 0x90, pitch, _VELOCITY), (end, 0x80, pitch, 0)]
    track, now = b"", 0
    for step, *message in sorted(events):
        track += _delta((step - now) * _TICKS_PER_QUARTER // steps_per_quarter) + bytes(message)
        now = step
    track += b"\x00\xff\x2f\x00"
    header = struct.pack(">4sIHHH", b"MThd", 6, 0, 1, _TICKS_PER_QUARTER)
    return header + struct.pack(">4sI", b"MTrk", len(track)) + track


def _delta(ticks: int) -> bytes:
    """Return ticks as MIDI stores them: seven bits per byte, the high bit set on all but the last."""
    found = [ticks & 0x7F]
    while ticks := ticks >> 7:
        found.append(ticks & 0x7F | 0x80)
    return bytes(reversed(found))


def load_tensorflow() -> ModuleType:
    """Import TensorFlow without the lines that it writes about its build and about missing GPUs."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
    return tensorflow


def write(model_dir: str, output_dir: str, count: int, seed: int) -> list[str]:
    """Write the sequences that a model generates and return the paths."""
    model = load_tensorflow().saved_model.load(model_dir)
    made = {name: value.numpy() for name, value in model.generate(count=count, seed=seed).items()}
    os.makedirs(output_dir, exist_ok=True)
    if "smiles" in made:
        path = os.path.join(output_dir, "generated.smi")
        with open(path, "wb") as file:
            file.writelines(smiles + b"\n" for smiles in made["smiles"])
        return [path]
    steps_per_quarter = json.loads(model.describe("encoding")["json"].numpy())["steps_per_quarter"]
    paths = []
    for index, rows in enumerate(zip(made["pitches"], made["starts"], made["ends"])):
        notes = [tuple(map(int, note)) for note in zip(*rows) if note[0] >= 0]
        paths.append(os.path.join(output_dir, f"generated_{index:03d}.mid"))
        with open(paths[-1], "wb") as file:
            file.write(midi(notes, steps_per_quarter))
    return paths


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model_dir", help="a SavedModel written by rl_tuner.export")
    parser.add_argument("--output_dir", default="out")
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print("\n".join(write(args.model_dir, args.output_dir, args.count, args.seed)))


if __name__ == "__main__":
    main()
