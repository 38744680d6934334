"""The documentation's code: Python blocks are run, page by page; commands are checked."""

import glob
import os
import re

import gin
import pytest

import rl_tuner
from tests import shell_commands, small_data

ROOT = shell_commands.ROOT
PAGES = {os.path.basename(path): path for path in sorted(glob.glob(f"{ROOT}/docs/*.md"))}
# Numbers that a reader wants are too large for a test.
SMALLER = (
    (r"\bsteps=[\d_]+", "steps=64, evaluation_sequences=8, learn_size=8"),
    (r"tune\.steps = [\d_]+", "tune.steps = 500"),
    (r"\bcells=\[\d+\]", "cells=[8]"),
    (r"\bmax_epochs=\d+", "max_epochs=1"),
    (r"\bcollect_size=\d+", "collect_size=8"),
    (r"\bcount=1_000|, 1_000\)", lambda found: found[0].replace("1_000", "20")),
    (r"tuned, 100\)", "tuned, 10)"),
    (
        r'rl_tuner\.run\(\s*"gin/psi_music\.gin",\s*\[',
        'rl_tuner.run(TINY, ["job.prior = PRIOR", ',
    ),
)
# These train, or need a run; what the last one needs cannot be installed everywhere.
LONG = {"prior.md", "tasks.md", "gin.md", "faq.md", "python.md", "serving.md"}
NEEDS_A_SERVER = "tensorflow_serving"


def read(page):
    with open(PAGES[page], encoding="utf-8") as file:
        return file.read()


def run_blocks(page):
    """Runs a page's blocks one after another, as a reader would in one notebook."""
    names = {"__name__": "__page__"}
    for code in shell_commands.blocks(read(page), "python"):
        if NEEDS_A_SERVER in code:
            continue
        for pattern, smaller in SMALLER:
            code = re.sub(pattern, smaller, code)
        code = code.replace("TINY", repr(f"{ROOT}/tests/jobs/tiny.gin"))
        code = code.replace("PRIOR", "'priors/ready/prior.keras'")
        assert "gin/psi_music.gin" not in code, "this would take minutes"
        exec(compile(code, page, "exec"), names)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with what the pages speak of."""
    tunes = small_data.melodies(tmp_path / "data" / "tunes")
    molecules = small_data.molecules(tmp_path / "data" / "molecules")
    small_data.prior(tmp_path / "priors" / "ready", tunes)
    small_data.prior(tmp_path / "priors" / "molecules", molecules)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    gin.clear_config()


def test_every_page_is_in_the_index():
    index = read("README.md")
    assert all(f"({page})" in index for page in PAGES if page != "README.md")


@pytest.mark.parametrize("page", sorted(PAGES))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", read(page)):
        if not target.startswith("http"):
            assert os.path.exists(os.path.join(ROOT, "docs", target)), target
    for path in re.findall(
        r"`((?:examples|gin|tests|benchmarks|rl_tuner)/[\w/.]+\.\w+)`", read(page)
    ):
        assert os.path.exists(os.path.join(ROOT, path)), path


@pytest.mark.parametrize("page", sorted(set(PAGES) - LONG))
def test_its_python_runs(page, folder):
    run_blocks(page)


@pytest.mark.parametrize("page", sorted(LONG))
def test_its_python_can_be_compiled_and_names_what_exists(page):
    for code in shell_commands.blocks(read(page), "python"):
        compile(code, page, "exec")
        for name in re.findall(r"\brl_tuner\.([A-Za-z]\w*)\b(?!\.)", code):
            assert name in rl_tuner.__all__, name


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(LONG - {"serving.md", "faq.md"}))
def test_its_long_python_runs(page, folder):
    run_blocks(page)


@pytest.mark.slow
def test_the_python_of_pages_that_need_a_run(folder):
    params = ["job.prior = 'priors/ready/prior.keras'", "tune.steps = 500"]
    rl_tuner.run(f"{ROOT}/tests/jobs/tiny.gin", params, run_dir="runs/psi_music")
    run_blocks("faq.md")
    task = rl_tuner.MoleculeTask(num_processes=1)
    settings = {"steps": 64, "evaluation_sequences": 8, "collect_size": 8, "learn_size": 8}
    tuned = rl_tuner.tune("priors/molecules", task, "runs/molecules", **settings)
    tuned.export("served/molecules/1")
    run_blocks("serving.md")


@pytest.mark.parametrize("page", [*sorted(PAGES), "../README.md"])
def test_its_commands_exist(page):
    path = PAGES.get(page, os.path.join(ROOT, "README.md"))
    with open(path, encoding="utf-8") as file:
        scripts = shell_commands.blocks(file.read(), "bash")
    try:
        for words in (words for script in scripts for words in shell_commands.commands(script)):
            shell_commands.check(words)
    finally:
        gin.clear_config()


def test_a_wrong_command_is_found():
    for words in (["rl_tuner.train", "--gin_file=gin/none.gin"], ["rl_tuner.train", "--gin=a"]):
        with pytest.raises(Exception, match=r"none\.gin|gin"):
            shell_commands.check(words)
    with pytest.raises(ModuleNotFoundError):
        shell_commands.check(["rl_tuner.tune"])


def test_the_gin_in_the_pages_can_be_read(tmp_path):
    from rl_tuner.jobs import configuration

    for page in PAGES:
        for number, code in enumerate(shell_commands.blocks(read(page), "")):
            if "include" in code:
                path = tmp_path / f"{page}{number}.gin"
                path.write_text(code)
                configuration.configure([str(path)], [])
    gin.clear_config()
