from pathlib import Path

from setuptools import find_packages, setup

COMMANDS = {
    "st-midi-to-tfrecord": "pipelines.midi_to_tfrecord",
    "st-smiles-to-tfrecord": "pipelines.smiles_to_tfrecord",
    "st-magenta-to-tfrecord": "pipelines.magenta_to_tfrecord",
    "st-import-magenta": "rl_tuner.import_magenta",
    "st-import-keras": "rl_tuner.import_keras",
    "st-pretrain": "rl_tuner.pretrain",
    "st-train": "rl_tuner.train",
    "st-sweep": "rl_tuner.sweep",
    "st-evaluate": "rl_tuner.evaluate",
    "st-generate": "rl_tuner.generate",
    "st-export": "rl_tuner.export",
    "st-report": "rl_tuner.report",
    "st-play": "rl_tuner.play.__main__",
    "st-study": "rl_tuner.study.__main__",
    "st-completion": "rl_tuner.completion",
}

setup(
    name="sequence-tutor",
    version="0.1.0",
    description="KL-control fine-tuning of pre-trained LSTMs (Sequence Tutor) on TensorFlow",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.14",
    # The settings in gin/ travel as rl_tuner/gin: a folder of that name elsewhere could hide gin-config.
    packages=[
        *find_packages(include=["rl_tuner", "rl_tuner.*", "pipelines", "pipelines.*"]),
        "rl_tuner.gin",
    ],
    package_dir={"rl_tuner.gin": "gin"},
    package_data={
        "rl_tuner": ["py.typed", "__init__.pyi", "common/*.json"],
        "rl_tuner.gin": ["*.gin", "pmo/*.gin"],
        "rl_tuner.pages": ["templates/*"],
        "rl_tuner.web": ["templates/*"],
    },
    install_requires=[
        "absl-py>=2.1",
        # note-seq and pydub import audioop, which Python 3.13 no longer has.
        "audioop-lts>=0.2; python_version >= '3.13'",
        # Functions of a notebook run in processes of their own.
        "cloudpickle>=3,<4",
        # One writer per folder.
        "filelock>=3.13,<4",
        "gin-config>=0.5,<0.6",
        # The page of a run.
        "jinja2>=3.1,<4",
        "keras>=3.10,<4",
        "lazy-loader>=0.4,<1",
        "matplotlib>=3.9",
        "note-seq>=0.0.5,<0.1",
        "numpy>=2.0",
        "rdkit>=2025.3",
        # The multipliers of targets: non-negative least squares.
        "scipy>=1.12,<2",
        "tensorboard>=2.20,<2.22",
        "tensorflow>=2.20,<2.22",
        "tensorflow-probability[tf]>=0.25,<0.26",
        "tqdm>=4.66",
    ],
    extras_require={
        "and-cuda": ["tensorflow[and-cuda]>=2.20,<2.22"],
        # Pipelines on many machines; its DaskRunner needs Dask. Their protobuf is 6, as TensorFlow allows.
        "beam": ["apache-beam[tfrecord]>=2.65,<3", "dask>=2025.1", "distributed>=2025.1"],
        # Scoring and whole runs on the workers of a Dask scheduler.
        "dask": ["dask>=2025.1", "distributed>=2025.1"],
        "corpus": ["music21>=9.3,<11"],
        "selfies": ["selfies>=2.1,<3"],
        # Listening studies and the play page: server, database, Bradley-Terry models.
        "study": [
            "choix>=0.4,<0.5",
            "sqlalchemy>=2.0,<3",
            "starlette>=0.40,<2",
            "uvicorn>=0.30,<1",
        ],
        # Sheet music: verovio engraves, resvg draws the picture.
        "sheet": ["resvg-py>=0.2,<1", "verovio>=4.5,<7"],
        "dev": [
            "choix>=0.4,<0.5",
            "httpx>=0.27,<1",
            "hypothesis>=6.100",
            "import-linter>=2.1,<3",
            "mypy>=1.13,<3",
            "pytest>=8",
            "pytest-xdist>=3.6",
            "resvg-py>=0.2,<1",
            "ruff>=0.9,<1",
            "selenium>=4.20,<5",
            "selfies>=2.1,<3",
            "sqlalchemy>=2.0,<3",
            "starlette>=0.40,<2",
            "tensorflow-serving-api>=2.20,<2.22",
            "uvicorn>=0.30,<1",
            "verovio>=4.5,<7",
        ],
    },
    entry_points={
        "console_scripts": [f"{name} = {module}:main" for name, module in COMMANDS.items()]
    },
)
