"""What the speed benchmarks share: timing, this machine's limit, and rows for a table and JSON."""

from __future__ import annotations

import dataclasses
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

_BLOCKS = 5
_PRODUCT = 2048


@dataclasses.dataclass(frozen=True)
class Row:
    """One case.

    Attributes:
        group: what the case belongs to.
        case: what was measured.
        value: how much of `unit`.
        unit: a throughput such as "melodies/s", or "seconds", "ms", "MB", "%".
        flops: operations needed: of one unit of a throughput, or of the whole of a time; None where
            networks are not what is measured.
        one_hot: the same with every look-up of a token counted as a product with a one-hot vector.
        note: what else one has to know.
    """

    group: str
    case: str
    value: float
    unit: str
    flops: float | None = None
    one_hot: float | None = None
    note: str = ""

    def share_of_peak(self, peak: float, one_hot: bool = False) -> float | None:
        """Operations a second that the case did of those that a matrix product does."""
        flops = self.one_hot if one_hot else self.flops
        if flops is None:
            return None
        if self.unit.endswith("/s"):
            return self.value * flops / peak
        if self.unit == "seconds":
            return flops / self.value / peak
        raise ValueError(f"a case in {self.unit} has no operations a second")


def rate_of(call: Callable[[], Any], seconds: float) -> float:
    """Calls a second: the median of several blocks of calls, after a first call that is not counted."""
    call()
    rates = []
    for _ in range(_BLOCKS):
        count, start = 0, time.perf_counter()
        while not count or time.perf_counter() - start < seconds / _BLOCKS:
            call()
            count += 1
        rates.append(count / (time.perf_counter() - start))
    return statistics.median(rates)


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of one call, and what it returned."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def matrix_product_peak(seconds: float) -> float:
    """Operations a second of a large float32 matrix product: the most that this machine can do.

    Measured in a process of its own, where one product has all cores: a job gives each core a part of
    the batch instead, and a process cannot have both.
    """
    printed = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed.measuring", str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    return float(printed.splitlines()[-1])


def _matrix_product_peak(seconds: float) -> float:
    import tensorflow as tf

    matrix = tf.random.stateless_normal([_PRODUCT, _PRODUCT], [0, 0])
    product = tf.function(lambda: tf.reduce_sum(tf.matmul(matrix, matrix)))
    return 2 * _PRODUCT**3 * rate_of(lambda: product().numpy(), seconds)


def peak_memory_mb() -> float:
    """The most memory that this program held so far, in MB of 10^6 bytes."""
    try:
        with open("/proc/self/status", encoding="utf-8") as file:
            found = dict(line.split(":", 1) for line in file)
        # A child's rusage begins with the memory of the process that started it; this does not.
        return int(found["VmHWM"].split()[0]) * 1024 / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def as_json(rows: Sequence[Row], peak: float, facts: dict[str, Any]) -> dict[str, Any]:
    """Rows with their share of the peak, and how they were made."""
    return {
        **facts,
        "matrix_product_gflops": peak / 1e9,
        "rows": [
            {
                **dataclasses.asdict(row),
                "share_of_peak": row.share_of_peak(peak),
                "share_of_peak_one_hot": row.share_of_peak(peak, one_hot=True),
            }
            for row in rows
        ],
    }


def markdown(rows: Sequence[Row], peak: float, facts: dict[str, Any]) -> str:
    """A table a group, headed by the peak and followed by how it was made."""
    lines = [
        "# Speed",
        "",
        f"A float32 product of {_PRODUCT} x {_PRODUCT} matrices does {peak / 1e9:,.0f} GFLOP/s on this "
        "machine; the shares of it count what the networks' matrix products need, a token's row looked "
        "up (and, in the second share, counted as a product with a one-hot vector).",
    ]
    for group in dict.fromkeys(row.group for row in rows):
        lines += ["", f"## {group}", "", "| case | | | kFLOP a unit | of peak | one-hot | |"]
        lines += ["|---|---:|---|---:|---:|---:|---|"]
        lines += [_line(row, peak) for row in rows if row.group == group]
    made = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    where = facts["machine"]
    lines += [
        "",
        f"- Command: `{facts['command']}`",
        f"- Versions: {made}",
        f"- Machine: {where['cores']} cores, {where['cpu']}; load {where['load']} when it began, "
        f"{facts['load_at_end']} when it ended, of which the benchmark itself is the larger part "
        "where nothing else ran",
    ]
    return "\n".join(lines) + "\n"


def text_line(row: Row, peak: float) -> str:
    """A row for the terminal."""
    share = row.share_of_peak(peak)
    of_peak = "" if share is None else f"{share:>6.0%} of peak"
    return f"{row.case:<58}{number(row.value):>12} {row.unit:<22}{of_peak:<15}{row.note}".rstrip()


def number(value: float) -> str:
    """At least two significant digits, thousands apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    if abs(value) >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.2g}"


def _line(row: Row, peak: float) -> str:
    shares = [row.share_of_peak(peak), row.share_of_peak(peak, one_hot=True)]
    cells = [
        row.case,
        number(row.value),
        row.unit,
        "" if row.flops is None else f"{row.flops / 1e3:,.0f}",
        *("" if share is None else f"{share:.0%}" for share in shares),
        row.note,
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(_matrix_product_peak(float(sys.argv[1])))
