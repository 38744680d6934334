import contextlib
import csv
import os

import gin
import pytest

from rl_tuner.common.errors import UserError
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.jobs import configuration, frontier, points
from tests.dask_cluster import dask_cluster
from tests.tiny_job import TINY, command, early_error, write_book


@pytest.fixture(autouse=True)
def clean_gin():
    yield
    gin.clear_config()


@pytest.fixture
def swept(tmp_path):
    """Sweeps on a tiny ready prior: a function of temperatures and objectives."""
    prior = str(tmp_path / "prior.keras")
    SequenceNetwork(38, [8], metadata={"kind": "melody"}).save(prior)
    params = [
        f"job.prior = '{prior}'",
        "job.evaluation_sequences = 20",
        "tune.steps = 512",
        "device.deterministic = False",
    ]
    run_dir = str(tmp_path / "sweep")

    def run(temperatures, objectives=None):
        return frontier.sweep(
            [TINY], params, temperatures, objectives, work_dir=str(tmp_path), run_dir=run_dir
        )

    run.run_dir = run_dir
    return run


def read_frontier(run_dir):
    with open(os.path.join(run_dir, frontier.FRONTIER_CSV), encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_sweep_adds_points_and_reuses_those_it_has(swept, capfd):
    swept(["0.5"])
    (first,) = read_frontier(swept.run_dir)
    history = os.path.join(swept.run_dir, "Psi_c0.5", "history.csv")
    made = os.stat(history).st_mtime_ns
    capfd.readouterr()

    table = swept(["0.5"], ["Psi", "Q"])
    progress = capfd.readouterr().err
    rows = read_frontier(swept.run_dir)
    assert [(row["objective"], float(row["c"])) for row in rows] == [("Psi", 0.5), ("Q", 0.5)]
    assert rows[0] == first
    assert os.stat(history).st_mtime_ns == made
    assert "sweep: 2 of 2: Q, c = 0.5" in progress
    assert progress.count("tune: reusing") == 1
    assert progress.count("evaluate: reusing") == 1

    wanted = ["objective", "c", "kl", "log_prior", "task_reward", "entropy", "distinct"]
    assert list(first)[:7] == wanted
    assert {"repeated_notes", "unique_max", "reward/tonic"} <= first.keys()
    assert len(table.splitlines()) == 3
    with open(os.path.join(swept.run_dir, frontier.FRONTIER_PNG), "rb") as file:
        assert file.read(4) == b"\x89PNG"
    # Every point is a run of its own.
    with open(os.path.join(swept.run_dir, "Q_c0.5", "config.gin"), encoding="utf-8") as file:
        config = file.read()
    assert "RLTuner.objective = @Q()" in config and "FixedTemperature.c = 0.5" in config


def test_temperatures_keep_their_order():
    assert points.parse_temperatures(["2", " 0.5", "1e-1"]) == [2.0, 0.5, 0.1]


@pytest.mark.parametrize(
    "texts, named",
    [
        (["1", "abc"], "'abc'"),
        (["0"], "'0'"),
        (["-1"], "'-1'"),
        (["nan"], "'nan'"),
        (["inf"], "'inf'"),
        ([""], "''"),
        (["1", "1.0"], "1 twice"),
        ([], "at least one"),
    ],
)
def test_bad_temperatures_are_refused(texts, named):
    with pytest.raises(UserError, match=named) as error:
        points.parse_temperatures(texts)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["NoSuch", "Boltzmann", "Psi() # x", ""])
def test_only_objectives_are_taken(name):
    with pytest.raises(UserError) as error:
        frontier.check_objective(name)
    assert name in str(error.value)


@pytest.mark.parametrize("name", ["Q", "Psi", "G", "RewardOnly"])
def test_every_objective_is_found_by_its_name(name):
    frontier.check_objective(name)
    configuration.configure([], [f"RLTuner.objective = @{name}()"])
    assert frontier.configured_objective() == name


def test_an_objective_has_to_come_from_somewhere():
    configuration.configure([], [])
    with pytest.raises(UserError, match=r"does not bind RLTuner\.objective"):
        frontier.configured_objective()


def test_what_is_undefined_stays_empty(tmp_path):
    row = dict.fromkeys(frontier._FIRST_COLUMNS, 1.0) | {"leaps_resolved": None}
    path = str(tmp_path / "frontier.csv")
    frontier.write_frontier([row], path)
    with open(path, encoding="utf-8", newline="") as file:
        assert next(csv.DictReader(file))["leaps_resolved"] == ""


def test_the_command_says_what_is_wrong_in_one_line():
    done = command("rl_tuner.sweep", f"--gin_file={TINY}", "--c=0.5,-1", check=False)
    assert done.returncode == 1
    assert "error: temperatures c must be positive numbers, not '-1'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["processes", "dask"])
def test_runs_at_the_same_time_are_those_made_one_after_another(kind, tmp_path):
    write_book(tmp_path / "book.abc")
    common = [
        f"--gin_file={TINY}",
        f"--work_dir={tmp_path}/runs",
        "--c=0.5,2",
        f"--gin_param=build_melody_dataset.inputs = ['{tmp_path}/book.abc']",
        "--gin_param=RLTuner.targets = None",
        "--gin_param=tune.steps = 4_000",
    ]
    command("rl_tuner.sweep", *common, f"--run_dir={tmp_path}/one")
    with contextlib.ExitStack() as stack:
        executor = "processes:2"
        if kind == "dask":
            address = stack.enter_context(dask_cluster(tmp_path)).address
            executor = address.replace("tcp://", "dask://")
        done = command(
            "rl_tuner.sweep", *common, f"--run_dir={tmp_path}/two", f"--executor={executor}"
        )
    assert f"2 runs on {executor}" in done.stderr
    assert (tmp_path / "two" / "frontier.csv").read_text() == (
        tmp_path / "one" / "frontier.csv"
    ).read_text()


def test_a_wrong_executor_is_told_first():
    line = early_error("rl_tuner.sweep", "paper_psi_music", "--c=1", "--executor=proceses:2")
    assert "--executor must be 'processes:8'" in line
