"""The pipelines on Apache Beam: whatever the runner, the dataset is that of one machine, byte by byte."""

import glob
import json
import os
import threading

import pytest

from pipelines.facts import Facts
from pipelines.melody.build import build_melody_dataset
from pipelines.molecule.build import build_molecule_dataset
from rl_tuner.common.errors import UserError
from tests.dask_cluster import ROOT, dask_cluster, wait_until
from tests.small_data import DATA

TUNES = [os.path.join(ROOT, "testdata", "melodies", name) for name in ("good", "bad")]
MOLECULES = [os.path.join(ROOT, "testdata", "molecules", name) for name in ("good", "bad")]
CASES = {
    "tunes": (build_melody_dataset, TUNES, {"num_shards": 3}),
    "molecules": (
        build_molecule_dataset,
        ["builtin:nci", *MOLECULES],
        {"num_shards": 4, "min_token_count": 5, "augment": 1, "split": "scaffold"},
    ),
    "Nottingham": (build_melody_dataset, [os.path.join(DATA, "nottingham")], {"num_shards": 2}),
    "zinc_24k": (build_molecule_dataset, [os.path.join(DATA, "zinc_24k.smi")], {"num_shards": 2}),
}
DIRECT = "--direct_num_workers=2 --direct_running_mode=multi_processing"


def make(case, folder, **options):
    build, inputs, settings = CASES[case]
    if not all(os.path.exists(each) for each in inputs if ":" not in each):
        pytest.skip(f"{case} is not here")
    build(inputs, str(folder), **settings, **options)
    return {os.path.basename(path): open(path, "rb").read() for path in glob.glob(f"{folder}/*")}


@pytest.fixture(scope="module")
def beam_driver():
    pytest.importorskip("apache_beam", reason="Apache Beam is not installed (the extra [beam])")
    from pipelines import beam_driver

    return beam_driver


@pytest.fixture
def many_parts(beam_driver, monkeypatch, case):
    """Divides even small inputs into several parts."""
    size, files = (2**14, 8) if case in ("tunes", "molecules") else (2**18, 128)
    monkeypatch.setattr(beam_driver, "_BYTES_PER_PART", size)
    monkeypatch.setattr(beam_driver, "_FILES_PER_PART", files)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_local_and_two_processes_of_the_direct_runner(case, tmp_path, many_parts):
    wanted = make(case, tmp_path / "local")
    found = make(case, tmp_path / "direct", runner="DirectRunner", pipeline_options=DIRECT)
    assert found == wanted
    assert len(json.loads(found["dataset.json"])["splits"]["train"]["shards"]) > 1


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_local_and_dask_of_whose_workers_one_is_killed(case, tmp_path, many_parts):
    wanted = make(case, tmp_path / "local")
    with dask_cluster(tmp_path) as cluster:
        killed = []

        def kill():
            import distributed

            with distributed.Client(cluster.address, set_as_default=False) as client:

                def has_begun():
                    return sum(map(len, client.processing().values())) > 0 and sum(
                        map(len, client.has_what().values())
                    )

                wait_until(has_begun)
            cluster.workers[0].kill()
            killed.append(bool(glob.glob(str(tmp_path / ".dask.partial-*"))))

        thread = threading.Thread(target=kill)
        thread.start()
        options = f"--dask_client_address={cluster.address}"
        found = make(case, tmp_path / "dask", runner="DaskRunner", pipeline_options=options)
        thread.join()
        assert killed == [True], "the worker was not killed in the middle"
        assert cluster.workers[0].wait() < 0
    assert found == wanted


@pytest.mark.slow
def test_beam_reads_the_records(tmp_path, beam_driver):
    import apache_beam as beam

    from rl_tuner.datasets import tfrecords

    make("tunes", tmp_path / "direct", runner="DirectRunner")
    (path,) = glob.glob(f"{tmp_path}/direct/train-00000-*")
    wanted = [tfrecords.read_record(path, offset) for offset, _ in tfrecords.record_spans(path)]
    found = []
    with beam.Pipeline(runner="BundleBasedDirectRunner") as pipeline:
        (
            pipeline
            | beam.io.ReadFromTFRecord(path)
            | beam.Map(lambda record: found.append(record) or record)
            | beam.combiners.ToList()
            | beam.Map(lambda records: sorted(records) == sorted(wanted) or 1 / 0)
        )
    assert wanted


@pytest.mark.slow
def test_errors(tmp_path, beam_driver):
    for options, message in [
        ({"pipeline_options": "--direct_num_worker=2"}, "has no option --direct_num_worker"),
        ({"pipeline_options": "--direct_num_workers=two"}, "direct_num_workers"),
        (
            {
                "runner": "DaskRunner",
                "pipeline_options": "--dask_client_address=tcp://127.0.0.1:9"
                " --dask_connection_timeout=1",
            },
            "DaskRunner: the pipeline failed",
        ),
    ]:
        with pytest.raises(UserError, match=message):
            make("tunes", tmp_path / "d", **{"runner": "DirectRunner"} | options)
        assert not os.path.exists(tmp_path / "d")
    table = tmp_path / "t.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match=r"t\.csv"):
        build_molecule_dataset([str(table)], str(tmp_path / "d"), runner="DirectRunner")
    (tmp_path / "e.smi").write_text("not_a_molecule\n")
    with pytest.raises(UserError, match="no molecule to train on in 1 entries"):
        build_molecule_dataset(
            [str(tmp_path / "e.smi")], str(tmp_path / "d"), runner="DirectRunner"
        )


def test_a_runner_is_named_and_installed(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="runner must be one of"):
        build_melody_dataset(TUNES, str(tmp_path / "d"), runner="FastRunner")
    with pytest.raises(UserError, match="choose a runner"):
        build_melody_dataset(TUNES, str(tmp_path / "d"), pipeline_options="--x=1")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"needs Apache Beam: pip install .*\[beam\]"):
        build_melody_dataset(TUNES, str(tmp_path / "d"), runner="DirectRunner")


def test_facts_are_the_same_in_any_order():
    def facts(number):
        part = Facts()
        part.count("metres", ["4/4"] * number + ["3/4"])
        part.grow("longest", number)
        part.note_row([number, -number])
        return part

    forwards, backwards = Facts(), Facts()
    for number in range(1, 5):
        forwards.add(facts(number))
        backwards.add(facts(5 - number))
    assert forwards.counts == backwards.counts == {"metres": {"4/4": 10, "3/4": 4}}
    assert forwards.largest == backwards.largest == {"longest": 4}
    assert [list(column) for column in forwards.columns] == [[1, 2, 3, 4], [-1, -2, -3, -4]]
    assert [sorted(column) for column in backwards.columns] == [[1, 2, 3, 4], [-4, -3, -2, -1]]
