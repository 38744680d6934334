"""history.csv beside what the checkpoint knows."""

import pytest

from rl_tuner.tuning.history import mend_history, read_history, write_history

ROWS = [{"step": 0, "kl": 0.0, "qed": None}, {"step": 100, "kl": 0.1 + 0.2, "qed": float("nan")}]


def said(capsys, folder, rows=ROWS):
    mend_history(str(folder), rows)
    assert [row["step"] for row in read_history(str(folder))] == [0, 100]
    return capsys.readouterr().err


def test_a_history_that_agrees_or_goes_further_is_cut_without_a_word(tmp_path, capsys):
    write_history(str(tmp_path), [*ROWS, {"step": 200, "kl": 1.0, "qed": 0.5}])
    assert said(capsys, tmp_path) == ""


@pytest.mark.parametrize("text", [None, "", "step,kl,qed\n0,0.0,\n", "step,kl\n0,x\n", "\0\0"])
def test_a_missing_cut_or_damaged_history_is_told_and_mended(tmp_path, capsys, text):
    if text is not None:
        (tmp_path / "history.csv").write_text(text)
    message = said(capsys, tmp_path)
    assert "history.csv" in message and "written again from the checkpoint" in message


def test_a_gap_or_a_changed_number_is_told(tmp_path, capsys):
    write_history(str(tmp_path), ROWS[1:])
    assert "lacks evaluations" in said(capsys, tmp_path)
    write_history(str(tmp_path), [ROWS[0], {**ROWS[1], "kl": 0.25}])
    assert "lacks evaluations" in said(capsys, tmp_path)
