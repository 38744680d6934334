"""evaluate, generate and export on a finished run."""

import json
import os
import shutil

import note_seq
import pytest

from tests.tiny_job import ROOT, command


def test_evaluate_measures_again_with_any_seed_and_count(finished, tmp_path):
    done = command(
        "rl_tuner.evaluate",
        f"--run_dir={finished.run_dir}",
        "--count=150",
        f"--output_dir={tmp_path}",
    )
    assert "Leaps resolved" in done.stdout
    with open(f"{finished.run_dir}/metrics.json") as old, open(tmp_path / "metrics.json") as new:
        old, new = json.load(old), json.load(new)
    # Sampled in one batch of 150 instead of 100 and 50: the first 100 melodies are the same kind.
    assert new["prior"].keys() == old["prior"].keys()
    assert new["tuned"]["kl"] == pytest.approx(old["tuned"]["kl"], abs=0.3)


def test_generate_writes_playable_midi_and_repeats_itself(finished, tmp_path):
    for name in ("a", "b"):
        command(
            "rl_tuner.generate",
            f"--run_dir={finished.run_dir}",
            f"--output_dir={tmp_path}/{name}",
            "--count=3",
            "--seed=5",
        )
    files = sorted(os.listdir(tmp_path / "a"))
    assert files == ["tuned_000.mid", "tuned_001.mid", "tuned_002.mid"]
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        sequence = note_seq.midi_file_to_note_sequence(str(tmp_path / "a" / name))
        assert all(48 <= note.pitch < 84 for note in sequence.notes)


def test_a_primer_opens_what_is_written(finished, tmp_path):
    primer = os.path.join(ROOT, "testdata", "melodies", "good", "line.mid")
    command(
        "rl_tuner.generate",
        f"--run_dir={finished.run_dir}",
        f"--output_dir={tmp_path}",
        "--count=1",
        f"--primer={primer}",
    )
    opening = sorted(note_seq.midi_file_to_note_sequence(primer).notes, key=lambda n: n.start_time)
    written = note_seq.midi_file_to_note_sequence(str(tmp_path / "tuned_000.mid"))
    written = sorted(written.notes, key=lambda n: n.start_time)
    count = min(4, len(opening) - 1)
    assert [n.pitch for n in written[:count]] == [n.pitch for n in opening[:count]]
    assert len(written) > count


@pytest.mark.parametrize("primer", ["no.mid", os.path.join(ROOT, "testdata/melodies/bad/text.mid")])
def test_a_bad_primer_is_one_line(finished, tmp_path, primer):
    done = command(
        "rl_tuner.generate",
        f"--run_dir={finished.run_dir}",
        f"--output_dir={tmp_path}",
        f"--primer={primer}",
        check=False,
    )
    assert done.returncode == 1 and primer in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_folder_that_is_no_run_is_one_line(tmp_path):
    done = command("rl_tuner.evaluate", f"--run_dir={tmp_path}", check=False)
    assert done.returncode == 1 and "does not contain a run" in done.stderr


def test_a_run_of_a_machine_with_another_gpu_is_opened(finished, tmp_path):
    run_dir = str(tmp_path / "run")
    shutil.copytree(finished.run_dir, run_dir)
    with open(f"{run_dir}/config.gin", "a", encoding="utf-8") as file:
        file.write("\ndevice.placement = 'gpu:63'\n")
    done = command("rl_tuner.export", f"--run_dir={run_dir}", f"--output_dir={tmp_path}/served")
    said = [line for line in done.stderr.splitlines() if line.startswith("device: ")]
    assert len(said) == 1 and "device.placement='gpu:63' is not on this machine" in said[0]
    assert os.path.exists(tmp_path / "served" / "1" / "saved_model.pb")


def test_an_export_replaces_nothing_but_an_export(finished, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    done = command(
        "rl_tuner.export",
        f"--run_dir={finished.run_dir}",
        f"--output_dir={tmp_path}",
        check=False,
    )
    assert done.returncode == 1 and "no SavedModel" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "mine"
