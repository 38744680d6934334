"""A wheel: it brings types and settings, and works where no checkout is."""

import os
import shutil
import subprocess
import sys
import zipfile

from tests.shell_commands import ROOT

SOURCES = ("setup.py", "pyproject.toml", "README.md", "LICENSE", "rl_tuner", "pipelines", "gin")


def test_a_wheel_works_in_a_folder_of_its_own(tmp_path):
    (tmp_path / "source").mkdir()
    for name in SOURCES:
        source, target = os.path.join(ROOT, name), str(tmp_path / "source" / name)
        if os.path.isdir(source):
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, target)
    site, elsewhere = str(tmp_path / "site"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path)]
    run("-m", "pip", *build, str(tmp_path / "source"))
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    settings = sorted(os.listdir(os.path.join(ROOT, "gin")))
    assert sorted(os.listdir(f"{site}/rl_tuner/gin")) == settings and len(settings) > 10
    assert not any(name.endswith(".py") for name in settings)
    assert os.path.exists(f"{site}/rl_tuner/py.typed")
    alone = {"cwd": elsewhere, "env": os.environ | {"PYTHONPATH": site}}
    assert run("-c", "import rl_tuner; print(rl_tuner.__file__)", **alone).stdout.startswith(site)
    # Every setting is read, those of the included files too, before a prior is looked for.
    arguments = ["--gin_file=gin/psi_music.gin", "--gin_param=job.prior='none.keras'"]
    done = run("-m", "rl_tuner.train", *arguments, code=1, **alone)
    assert "none.keras does not exist" in done.stderr.splitlines()[-1]


def run(*arguments, code=0, **settings):
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, **settings
    )
    assert done.returncode == code, done.stderr
    return done
