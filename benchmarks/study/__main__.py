"""Measures the server of a listening study: raters at once, and kills that must lose no answer.

python -m benchmarks.study                       (some five minutes)
python -m benchmarks.study --kills=3 --raters=5  (half a minute)

Prints one line for each and writes study.json.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import shlex
import signal
import socket
import sqlite3
import sys
import tempfile
import time
from typing import Any

import numpy as np
from absl import flags

from benchmarks import machine
from benchmarks.study.material import make_study
from benchmarks.study.raters import Rater
from benchmarks.study.server import end, links_of, served
from rl_tuner.common import command_line
from rl_tuner.common.files import write_text
from rl_tuner.common.progress import track
from rl_tuner.study.folder import DATABASE_FILE

_AT_ONCE = 8


def main() -> None:
    command_line.run(_define_flags, _run, usage=__doc__, outputs=("output_dir",))


def _define_flags(values: flags.FlagValues) -> None:
    flags.DEFINE_integer("kills", 100, "Kills at random moments.", 0, flag_values=values)
    flags.DEFINE_integer("raters", 50, "Raters at once.", 0, flag_values=values)
    flags.DEFINE_integer("answers", 20, "Answers of each.", 1, flag_values=values)
    flags.DEFINE_float("think", 2.0, "Mean seconds between answers.", 0.0, flag_values=values)
    flags.DEFINE_integer("seed", 0, "Seed of all random choices.", 0, flag_values=values)
    flags.DEFINE_string("output_dir", "runs/study", "Folder for study.json.", flag_values=values)


def _run(values: flags.FlagValues) -> None:
    found: dict[str, Any] = {"command": shlex.join(sys.argv[1:]), "machine": machine.machine()}
    if values.raters:
        for think in (values.think, 0.0):
            key = f"think {think:g} s"
            found[key] = latency(values.raters, values.answers, think, values.seed)
            print(f"{values.raters} raters at once, {key}: {found[key]}", flush=True)
    if values.kills:
        found["kills"] = kill_servers(values.kills, values.seed)
        print(f"kills: {found['kills']}", flush=True)
    os.makedirs(values.output_dir, exist_ok=True)
    path = os.path.join(values.output_dir, "study.json")
    write_text(path, json.dumps(found, indent=1) + "\n")
    print(path)


def latency(raters: int, answers: int, think: float, seed: int) -> dict[str, Any]:
    """Return milliseconds of the server's answers by kind of request: median, 95th percentile, number."""
    with tempfile.TemporaryDirectory() as folder:
        study = make_study(os.path.join(folder, "study"), comparisons=answers, seconds=4.0)
        server, address = served(f"--study_dir={study.folder}", f"--raters={raters}")
        try:
            people = [
                Rater(link, seed + index, think)
                for index, link in enumerate(links_of(study.folder, address))
            ]
            with concurrent.futures.ThreadPoolExecutor(raters) as pool:
                list(pool.map(lambda one: one.rate(answers), people))
        finally:
            end(server)
    measured: dict[str, Any] = {}
    for kind in ("answer", "page", "sound"):
        times = [second for one in people for second in one.seconds[kind]]
        median, late = 1_000 * np.percentile(times, [50, 95])
        median, late = (round(float(value), 1) for value in (median, late))
        measured[kind] = {"median": median, "p95": late, "number": len(times)}
    return measured


def kill_servers(kills: int, seed: int) -> dict[str, int]:
    """Kill a server again and again while raters answer; return what was acknowledged, found and lost."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        study = make_study(os.path.join(folder, "study"), comparisons=5_000, checks=0, stimuli=2)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        arguments = [f"--study_dir={study.folder}", f"--raters={_AT_ONCE}"]
        server, address = served(*arguments, port=port)
        people = [
            Rater(link, seed + index)
            for index, link in enumerate(links_of(study.folder, address)[:_AT_ONCE])
        ]
        # Everybody has a schedule before the first kill.
        for one in people:
            one.rate(1)
            one.leave()
        over = False
        with concurrent.futures.ThreadPoolExecutor(_AT_ONCE) as pool:
            waiting = [pool.submit(one.rate_until, lambda: over) for one in people]
            try:
                for _ in track(range(kills), total=kills, description="kills"):
                    time.sleep(rng.uniform(0.0, 1.0))
                    server.send_signal(signal.SIGKILL)
                    server.communicate()
                    server, _ = served(*arguments, port=port)
            finally:
                over = True
                server.send_signal(signal.SIGKILL)
                server.communicate()
            for one in waiting:
                one.result()
        return _compared(people, os.path.join(study.folder, DATABASE_FILE), kills)


def _compared(people: list[Rater], path: str, kills: int) -> dict[str, int]:
    with sqlite3.connect(path) as database:
        rows = database.execute("select nonce, rating from comparisons where rating is not null")
        stored = dict(rows.fetchall())
        (whole,) = database.execute("pragma integrity_check").fetchone()
    acknowledged = {nonce: r for one in people for nonce, r in one.acknowledged.items()}
    lost = sum(stored.get(nonce) != rating for nonce, rating in acknowledged.items())
    return {
        "kills": kills,
        "acknowledged": len(acknowledged),
        "stored": len(stored),
        "lost": lost,
        "damaged": int(whole != "ok"),
    }


if __name__ == "__main__":
    main()
