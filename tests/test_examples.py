"""The examples: read, checked and, where that takes longer, run."""

import ast
import glob
import json
import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import gin
import numpy as np
import pytest

import rl_tuner
from examples import chord_task, own_reward, serve_client, to_magenta
from rl_tuner.jobs import configuration
from rl_tuner.priors.importing import magenta_networks
from rl_tuner.tasks.melody.encoding import MELODY_ENCODING
from tests import shell_commands, small_data
from tests.tiny_job import write_book

EXAMPLES = os.path.join(shell_commands.ROOT, "examples")
NOTEBOOKS = sorted(glob.glob(f"{EXAMPLES}/*.ipynb"))


@pytest.fixture(autouse=True)
def clean_gin():
    yield
    gin.clear_config()


def test_own_reward_is_ten_lines_and_scores_molecules():
    first, second = own_reward.score(["CCCCO", "c1ccccc1"])
    assert first > second > 5
    with open(own_reward.__file__, encoding="utf-8") as file:
        assert len([line for line in file if line.strip()]) <= 10


@pytest.mark.parametrize("name", ["own_reward", "chords", "own_rules", "jigs", "minor", "triplets"])
def test_gin_files_say_what_can_be_built(name):
    configuration.configure([f"{EXAMPLES}/{name}.gin"], [])
    task = configuration.build("job").task
    kinds = {"own_reward": "molecule", "chords": "chords"}
    assert task.kind == kinds.get(name, "melody")
    for selector in ("job", "pretrain", "RLTuner", "tune"):
        configuration.check_types(selector)


def reward_of(*progressions):
    task = chord_task.ChordTask(horizon=8)
    read = task.presentation().read_prompt
    rows = [[*read(text), chord_task.END] for text in progressions]
    tokens, mask = np.zeros([len(rows), 8], np.int32), np.zeros([len(rows), 8], np.float32)
    for index, row in enumerate(rows):
        tokens[index, : len(row)], mask[index, : len(row)] = row, 1
    parts = task.reward_parts(tokens, mask)
    return {name: np.sum(part * mask, axis=1).round(3).tolist() for name, part in parts.items()}


def test_chords_are_rewarded_by_their_functions():
    found = reward_of("I IV V I", "ii V7 I", "V IV", "I V7 IV", "I I")
    assert set(found) == set(chord_task.ChordTask.part_names)
    assert found["start"] == [2, 0, 0, 2, 2]
    assert found["cadence"] == [5, 5, 0, 0, 0]
    assert found["resolution"] == [0, 1, 0, -2, 0]
    assert found["step"] == [2.5, 2, -1, -0.5, -1.5]


def test_chords_become_a_dataset(tmp_path):
    chord_task.build_chord_dataset(str(tmp_path / "chords"))
    data = rl_tuner.load_dataset(str(tmp_path / "chords"))
    rows = {split: data.sequences(split) for split in ("train", "validation", "test")}
    assert len(rows["train"]) >= 30 and min(map(len, rows.values())) >= 2
    assert all(row[-1] == chord_task.END for row in rows["train"])
    shown = chord_task.ChordTask().presentation()
    assert shown.set_metrics(np.array([rows["train"][0]]), rows["train"])["novelty"] == 0
    with pytest.raises(rl_tuner.UserError, match="'X' is not a token"):
        shown.read_prompt("I X")


def test_chords_take_no_more_than_eighty_lines():
    with open(chord_task.__file__, encoding="utf-8") as file:
        assert len(file.readlines()) <= 80


@pytest.mark.slow
def test_chords_run_from_start_to_finish(tmp_path):
    params = ["pretrain.max_epochs = 2", "tune.steps = 5_000", "job.evaluation_sequences = 100"]
    tuned = rl_tuner.run("examples/chords.gin", params, work_dir=str(tmp_path))
    assert "cadence" in (tmp_path / "chords" / "history.csv").read_text()
    assert "Task reward" in (tmp_path / "chords" / "metrics.txt").read_text()
    assert (tmp_path / "chords" / "samples" / "tuned.txt").read_text().count("\n") == 8
    assert (tmp_path / "chords" / "export" / "saved_model.pb").exists()
    assert tuned.sample(3).tokens.shape == (3, 16)


def test_the_script_names_commands_that_exist():
    path = f"{EXAMPLES}/tune_imported.sh"
    assert subprocess.run(["bash", "-n", path]).returncode == 0 and os.access(path, os.X_OK)
    with open(path, encoding="utf-8") as file:
        found = shell_commands.commands(file.read())
    assert len(found) == 3
    for words in found:
        shell_commands.check(words)


def imported_checkpoint(folder):
    """A checkpoint under Magenta's names, and the prior that it was made of."""
    prior = rl_tuner.SequenceNetwork(38, [9, 7])
    prior.set_weights([np.random.default_rng(1).normal(size=w.shape) for w in prior.get_weights()])
    return to_magenta.to_magenta(prior, str(folder / "note_rnn" / "model.ckpt")), prior


def test_a_prior_goes_to_magenta_and_comes_back(tmp_path):
    checkpoint, prior = imported_checkpoint(tmp_path)
    folder = str(tmp_path / "prior")
    _, found = magenta_networks.import_magenta(checkpoint, folder, MELODY_ENCODING)
    tokens = np.random.default_rng(0).integers(0, 38, [3, 20])
    np.testing.assert_allclose(found(tokens), prior(tokens), atol=1e-5, rtol=0)
    with pytest.raises(rl_tuner.UserError, match="embedding"):
        to_magenta.to_magenta(rl_tuner.SequenceNetwork(38, [4], 3), str(tmp_path / "none"))


@pytest.mark.slow
def test_an_imported_model_is_tuned_by_the_script(tmp_path):
    checkpoint, _ = imported_checkpoint(tmp_path)
    small = ["tune.steps=2_000", "job.evaluation_sequences=100", "job.evaluation_batch=100"]
    flags = [f"--gin_param={param}" for param in small]
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    done = subprocess.run(
        [f"{EXAMPLES}/tune_imported.sh", checkpoint, "mine", *flags],
        cwd=tmp_path,
        env=os.environ | {"PATH": path, "PYTHONPATH": shell_commands.ROOT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(os.listdir(tmp_path / "out" / "mine")) == 10
    card = (tmp_path / "runs" / "mine" / "MODEL_CARD.md").read_text()
    assert "imported from `model.ckpt`" in card


def test_the_client_asks_as_a_server_expects():
    asked = []

    class Server(BaseHTTPRequestHandler):
        def do_POST(self):
            asked.append(
                (self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            )
            answer = {"smiles": ["CCO"], "log_policy": [-1.0], "log_prior": [-3.0]}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"outputs": answer}).encode())

        def log_message(self, *args):
            pass

    server = HTTPServer(("localhost", 0), Server)
    threading.Thread(target=server.handle_request, daemon=True).start()
    found = serve_client.generate(f"http://localhost:{server.server_port}", "molecules", 1, seed=7)
    server.server_close()
    assert found == [("CCO", 2.0)]
    path, request = asked[0]
    assert path == "/v1/models/molecules:predict" and request["signature_name"] == "generate"
    wanted = {"count", "temperature", "seed", "max_length", "primer"}
    assert set(request["inputs"]) == wanted and request["inputs"]["seed"] == 7


def code_of(path):
    with open(path, encoding="utf-8") as file:
        notebook = json.load(file)
    assert notebook["nbformat"] == 4
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)
    return ["".join(cell["source"]) for cell in cells]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=os.path.basename)
def test_notebooks_are_clean_and_compile(path):
    for code in code_of(path):
        ast.parse(code)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=os.path.basename)
def test_notebooks_run_headless(path, tmp_path, monkeypatch):
    display = pytest.importorskip("IPython.display")
    shown = []
    monkeypatch.setattr(display, "display", shown.append)
    write_book(tmp_path / "book.abc")
    (tmp_path / "some.smi").write_text("\n".join(small_data.NAMED) + "\n")
    small = {"TUNES": "book.abc", "MOLECULES": "some.smi", "WORK": "work", "EPOCHS": "1"}
    for name, value in (small | {"STEPS": "2_000"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__notebook__"}
    for code in code_of(path):
        exec(compile(code, path, "exec"), names)
    kinds = [type(one).__name__ for one in shown]
    assert kinds.count("Image") >= 2
    assert kinds.count("Audio") == (6 if "music" in path else 0)
