import contextlib
import importlib
import os
import signal
import subprocess
import sys
import time

import pytest
from rdkit import Chem

from rl_tuner.tasks.molecule import chemistry, score_book
from rl_tuner.tasks.molecule.probes import SubstructureProbe
from rl_tuner.tasks.molecule.scoring import ScoringPool

STRINGS = ["CCO", "OCC", "C(C)O", "c1ccccc1", "C1=CC=CC=C1", "C(", "", "CCO", "CC(=O)O", "[Na+]"]

PROBE = """
import dataclasses, os, signal, time

@dataclasses.dataclass(frozen=True)
class Trap:
    log: str
    key = "trap"

    def __call__(self, mol):
        formula = "".join(sorted(atom.GetSymbol() for atom in mol.GetAtoms()))
        with open(self.log, "a") as file:
            file.write(formula + "\\n")
        if formula == "CI":
            time.sleep(3600)
        if formula == "CF":
            os.kill(os.getpid(), signal.SIGKILL)
        if formula == "BrC":
            raise ZeroDivisionError("bromine")
        return len(formula)
"""


@pytest.fixture
def trap(tmp_path, monkeypatch):
    (tmp_path / "molecule_trap.py").write_text(PROBE)
    monkeypatch.syspath_prepend(str(tmp_path))
    import molecule_trap

    yield molecule_trap.Trap(str(tmp_path / "log"))
    del sys.modules["molecule_trap"]


@pytest.fixture(scope="module")
def pool():
    with ScoringPool(2) as made:
        yield made


def expected(string):
    # A string measures what its canonical SMILES does.
    mol = chemistry.parse(string)
    return mol and chemistry.properties(Chem.MolToSmiles(mol))


def children():
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        found = set(file.read().split())
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError), open(f"/proc/self/task/{task}/children") as file:
            found |= set(file.read().split())
    return {int(pid) for pid in found}


def test_results_come_in_order(pool):
    assert pool.score(STRINGS) == [expected(s) for s in STRINGS]
    assert pool.score([]) == []


def test_tickets_may_be_exchanged_in_any_order(pool):
    batches = [["C" * n, "N" * n, "O", "CN" * n] for n in range(1, 20)]
    tickets = [pool.submit(batch) for batch in batches]
    for batch, ticket in reversed(list(zip(batches, tickets))):
        assert pool.result(ticket) == [expected(s) for s in batch]


def test_each_molecule_is_measured_once(trap):
    with ScoringPool(2, wanted=frozenset(), probes=[trap]) as pool:
        # chemistry.prepare measures one molecule in each worker.
        pool.score(["C"])
        tickets = [pool.submit(["CCO", "OCC", "C(O)C", "CCO", "[CH3]CO"]) for _ in range(3)]
        for ticket in tickets:
            assert {found.canonical for found in pool.result(ticket)} == {"CCO"}
        assert pool.score(["CCO", "OCC"])[1].probed == {"trap": 3}
        assert pool.num_scored == 2
    with open(trap.log) as file:
        assert file.read().split().count("CCO") == 1


def test_the_number_of_processes_does_not_matter(pool):
    strings = [f"{'C' * n}{end}" for n in range(1, 60) for end in ("O", "1CC1", "(", "N(C)C")]
    with ScoringPool(1) as alone:
        assert alone.score(strings) == pool.score(strings)


def test_a_molecule_over_the_time_limit_is_invalid_and_the_rest_is_scored(trap, capsys):
    strings = ["CC", "CI", "CCC", "CN", "CCCC"]
    with ScoringPool(1, timeout_seconds=0.5, wanted=frozenset(), probes=[trap]) as pool:
        found = pool.score(strings)
        assert [one and one.canonical for one in found] == ["CC", None, "CCC", "CN", "CCCC"]
        assert pool.score(["CI", "CS"])[0] is None
    (message,) = [line for line in capsys.readouterr().err.splitlines() if "CI" in line]
    assert message.startswith("warning: ") and "timed out" in message


def test_a_molecule_that_kills_or_fails_is_invalid(trap, capsys):
    with ScoringPool(1, wanted=frozenset(), probes=[trap]) as pool:
        found = pool.score(["CC", "CF", "CBr", "CN"])
    assert [one and one.canonical for one in found] == ["CC", None, None, "CN"]
    text = capsys.readouterr().err
    assert "CF counts as invalid: worker crashed signal 9" in text
    assert "CBr counts as invalid: failed ZeroDivisionError: bromine" in text


def test_killed_workers_cost_nothing_but_time():
    strings = [f"{'C' * n}N{'C' * m}" for n in range(1, 21) for m in range(1, 15)]
    with ScoringPool(2) as pool:
        pool.score(["C"])
        ticket = pool.submit(strings)
        for worker in list(pool._workers):
            os.kill(worker.pid, signal.SIGKILL)
        found = pool.result(ticket)
    assert [one.canonical for one in found] == [expected(s).canonical for s in strings]


def test_a_small_cache_forgets_and_is_still_right():
    with ScoringPool(1, cache_size=2) as pool:
        for _ in range(2):
            assert pool.score(STRINGS) == [expected(s) for s in STRINGS]
        assert pool.num_scored > 4


def test_probes():
    probe = SubstructureProbe("[OX2H]")
    with ScoringPool(1, wanted=frozenset(), probes=[probe]) as pool:
        assert [f.probed[probe.key] for f in pool.score(["CCO", "COC"])] == [1.0, 0.0]


def test_closing_ends_the_workers():
    before = children()
    pool = ScoringPool(2)
    ticket = pool.submit(["C" * n for n in range(1, 300)])
    workers = children() - before
    pool.close()
    pool.close()
    assert not any(os.path.exists(f"/proc/{pid}") for pid in workers)
    with pytest.raises(RuntimeError, match="closed"):
        pool.submit(["C"])
    with contextlib.suppress(RuntimeError):
        pool.result(ticket)


def test_workers_that_cannot_start_are_an_error():
    with (
        ScoringPool(1, probes=[Unimportable()]) as pool,
        pytest.raises(RuntimeError, match=r"start.*no_such_module"),
    ):
        pool.score(["C"])


class Unimportable:
    def __reduce__(self):
        return importlib.import_module, ("no_such_module",)


def test_bad_arguments():
    for changes in ({"num_processes": -1}, {"timeout_seconds": 0}, {"cache_size": 0}):
        with pytest.raises(ValueError, match=next(iter(changes))):
            ScoringPool(**changes)
    with pytest.raises(ValueError, match="colour"):
        ScoringPool(1, wanted=frozenset(["colour"]))


@pytest.mark.parametrize("ending", ["", "os.kill(os.getpid(), 9)"])
def test_no_worker_outlives_the_process(ending):
    code = (
        "import os\n"
        "from rl_tuner.tasks.molecule.scoring import ScoringPool\n"
        "pool = ScoringPool(1, wanted=frozenset())\n"
        "pool.score(['C'])\n"
        "print(*[worker.pid for worker in pool._workers], flush=True)\n" + ending
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert not done.stderr
    (child,) = map(int, done.stdout.split())
    deadline = time.monotonic() + 10
    while is_running(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(child)


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")")[-1].split()[0] != "Z"
    except OSError:
        return False


def test_the_book_handles_a_canonical_smiles_that_has_another():
    # RDKit's canonical SMILES of A is B and of B is C: A is measured as B stands, B as C.
    book = score_book.ScoreBook(10)
    spelled = {("A", False): "B", ("B", False): "C"}
    ticket = score_book.Ticket(["A", "B", "C"])
    book.enter(ticket)
    while not ticket.done.is_set():
        number, questions = book.take(1)
        assert questions
        replies = [spelled.get(q) or chemistry.Properties(q[0], 1, 1.0, 0) for q in questions]
        book.settle(number, score_book.workers.Outcome(questions, value=replies))
    assert [ticket.answers[s].canonical for s in "ABC"] == ["B", "C", "C"]
    assert book.num_scored == 2
