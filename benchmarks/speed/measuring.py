"""Common parts of the speed benchmarks: timing, the machine's peak, and rows for tables and JSON."""

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
        group: heading of the table.
        case: name of the case.
        value: measured value in `unit`.
        unit: a throughput such as "melodies/s", or "seconds", "ms", "MB", "%".
        flops: operations needed, per unit for a throughput and in total for a time; None if the case
            does not measure networks.
        one_hot: the same with every look-up of a token counted as a product with a one-hot vector.
        note: remark.
    """

    group: str
    case: str
    value: float
    unit: str
    flops: float | None = None
    one_hot: float | None = None
    note: str = ""

    def share_of_peak(self, peak: float, one_hot: bool = False) -> float | None:
        """Return the operations per second as a share of those of a matrix product."""
        flops = self.one_hot if one_hot else self.flops
        if flops is None:
            return None
        if self.unit.endswith("/s"):
            return self.value * flops / peak
        if self.unit == "seconds":
            return flops / self.value / peak
        raise ValueError(f"a case in {self.unit} has no operations per second")


def rate_of(call: Callable[[], Any], seconds: float) -> float:
    """Return calls per second: the median of several blocks of calls, after a warm-up call."""
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
    """Return the seconds of one call, and its result."""
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def matrix_product_peak(seconds: float) -> float:
    """Return the operations per second of a large float32 matrix product, the machine's peak.

    It is measured in a separate process, in which one product uses all cores: a job gives each core a
    part of the batch instead, and TensorFlow's thread settings are fixed per process.
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
    """Return the peak memory of this process in MB of 10^6 bytes."""
    try:
        with open("/proc/self/status", encoding="utf-8") as file:
            found = dict(line.split(":", 1) for line in file)
        # Unlike VmHWM, the rusage of a child includes the memory of the process that started it.
        return int(found["VmHWM"].split()[0]) * 1024 / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def as_json(rows: Sequence[Row], peak: float, facts: dict[str, Any]) -> dict[str, Any]:
    """Return the rows with their shares of the peak, and the provenance."""
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
    """Return a report with the peak, one table per group and the provenance."""
    lines = [
        "# Speed",
        "",
        f"A float32 product of {_PRODUCT} x {_PRODUCT} matrices reaches {peak / 1e9:,.0f} GFLOP/s on this "
        "machine. The shares of this peak count only the operations of the networks' matrix products. "
        "Looking up a token's row is free in the first share, and counts as a product with a one-hot "
        "vector in the second.",
    ]
    for group in dict.fromkeys(row.group for row in rows):
        lines += ["", f"## {group}", "", "| case | | | kFLOP per unit | of peak | one-hot | |"]
        lines += ["|---|---:|---|---:|---:|---:|---|"]
        lines += [_line(row, peak) for row in rows if row.group == group]
    made = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    where = facts["machine"]
    lines += [
        "",
        f"- Command: `{facts['command']}`",
        f"- Versions: {made}",
        f"- Machine: {where['cores']} cores, {where['cpu']}; load {where['load']} at the start and "
        f"{facts['load_at_end']} at the end, which includes the benchmark itself",
    ]
    return "\n".join(lines) + "\n"


def text_line(row: Row, peak: float) -> str:
    """Return a row for the terminal."""
    share = row.share_of_peak(peak)
    of_peak = "" if share is None else f"{share:>6.0%} of peak"
    return f"{row.case:<58}{number(row.value):>12} {row.unit:<22}{of_peak:<15}{row.note}".rstrip()


def number(value: float) -> str:
    """Return a number with at least two significant digits and with thousands separators."""
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
