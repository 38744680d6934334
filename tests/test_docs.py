"""The documentation's code: Python blocks are run, page by page; commands are checked."""

import glob
import os
import re

import gin
import pytest
from absl import flags

import rl_tuner
from tests import shell_commands, small_data
from tests.tiny_job import write_book

ROOT = shell_commands.ROOT
PAGES = {os.path.basename(path): path for path in sorted(glob.glob(f"{ROOT}/docs/*.md"))}
# Pages for people that lie elsewhere.
OTHERS = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "docs/results/README.md",
)
EVERY_PAGE = [*sorted(f"docs/{page}" for page in PAGES), *OTHERS]
# Nobody but us has these, or nobody says so.
NOT_FOR_READERS = (r"\.\./shared", r"paper\.txt", r"/work/", r"\bhangs? on\b", r"\bgo(es)? on\b")
# Numbers that a reader wants are too large for a test.
SMALLER = (
    (r"\bsteps=[\d_]+", "steps=64, evaluation_sequences=8, learn_size=8"),
    (r"tune\.steps = [\d_]+", "tune.steps = 500"),
    (r"\bcells=\[\d+\]", "cells=[8]"),
    (r"\bmax_epochs=\d+", "max_epochs=1"),
    (r"\bcollect_size=\d+", "collect_size=8"),
    (r"\bcount=1_000|evaluate\(1_000", lambda found: found[0].replace("1_000", "20")),
    (r"sample\(100", "sample(10"),
    (
        r'rl_tuner\.run\(\s*"gin/psi_music\.gin",\s*\[',
        'rl_tuner.run(TINY, ["job.prior = PRIOR", ',
    ),
)
# These train, or need a run; what the last one needs cannot be installed everywhere.
LONG = {"targets.md", "prior.md", "tasks.md", "gin.md", "faq.md", "python.md", "serving.md"}
NEEDS_A_SERVER = "tensorflow_serving"


def read(page):
    with open(PAGES[page], encoding="utf-8") as file:
        return file.read()


def read_any(page):
    """A page by its path from the root."""
    with open(os.path.join(ROOT, page), encoding="utf-8") as file:
        return file.read()


def run_blocks(page, text=None):
    """Runs a page's blocks one after another, as a reader would in one notebook."""
    names = {"__name__": "__page__"}
    for code in shell_commands.blocks(text or read(page), "python"):
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


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_links_lead_somewhere(page):
    text = read_any(page)
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text):
        if not target.startswith("http"):
            assert os.path.exists(os.path.join(ROOT, os.path.dirname(page), target)), target
    if page == "CHANGELOG.md":
        return  # It names files that are gone.
    for path in re.findall(
        r"`((?:examples|gin|tests|benchmarks|rl_tuner|pipelines)/[\w/.]+\.\w+)`", text
    ):
        assert os.path.exists(os.path.join(ROOT, path)), path


def _anchors(page):
    """The anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.*)$", read_any(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in headings}


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_links_lead_to_headings(page):
    for target, anchor in re.findall(r"\]\(([\w./]*)#([^)]+)\)", read_any(page)):
        found = os.path.normpath(os.path.join(os.path.dirname(page), target)) if target else page
        assert anchor in _anchors(found), f"{target}#{anchor}"


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_pages_say_nothing_that_only_we_understand(page):
    for pattern in NOT_FOR_READERS:
        assert not re.search(pattern, read_any(page)), pattern


def test_the_readme_is_short_and_names_the_public_data():
    text = read_any("README.md")
    assert len(text.splitlines()) <= 150
    assert re.search(r"\b[0-9a-f]{64}\b", text)


def test_every_result_is_in_the_index_of_results():
    text = read_any("docs/results/README.md")
    for path in glob.glob(f"{ROOT}/docs/results/*.md"):
        name = os.path.basename(path)
        assert name == "README.md" or f"({name})" in text, name


@pytest.mark.parametrize("page", sorted(set(PAGES) - LONG))
def test_its_python_runs(page, folder):
    run_blocks(page)


@pytest.mark.parametrize("page", [*sorted(f"docs/{page}" for page in LONG), "README.md"])
def test_its_python_can_be_compiled_and_names_what_exists(page):
    for code in shell_commands.blocks(read_any(page), "python"):
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
    os.mkdir("my_tunes")
    write_book("my_tunes/book.abc")
    run_blocks("README.md", read_any("README.md"))
    task = rl_tuner.MoleculeTask(num_processes=1)
    settings = {"steps": 64, "evaluation_sequences": 8, "collect_size": 8, "learn_size": 8}
    tuned = rl_tuner.tune("priors/molecules", task, "runs/molecules", **settings)
    tuned.export("served/molecules/1")
    run_blocks("serving.md")


@pytest.mark.parametrize("page", EVERY_PAGE)
def test_its_commands_exist(page):
    scripts = shell_commands.blocks(read_any(page), "bash")
    scripts += [f"python -m {text}" for text in re.findall(r"`python -m ([^`]+)`", read_any(page))]
    try:
        for words in (words for script in scripts for words in shell_commands.commands(script)):
            shell_commands.check(words)
    finally:
        gin.clear_config()


def test_a_wrong_command_is_found():
    for words in (["rl_tuner.train", "--gin_file=gin/none.gin"], ["rl_tuner.train", "--gin=a"]):
        with pytest.raises(Exception, match=r"none\.gin|gin"):
            shell_commands.check(words)
    with pytest.raises(flags.Error, match="unexpected"):
        shell_commands.check(["benchmarks.speed", "all"])
    with pytest.raises(ModuleNotFoundError):
        shell_commands.check(["rl_tuner.tune"])


def test_the_gin_in_the_pages_can_be_read(tmp_path):
    from rl_tuner.jobs import configuration

    for page in PAGES:
        for number, code in enumerate(shell_commands.blocks(read(page), "")):
            if "include '" in code:
                path = tmp_path / f"{page}{number}.gin"
                path.write_text(code)
                configuration.configure([str(path)], [])
    gin.clear_config()
