import os

import gin
import keras
import numpy as np
import pytest
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.common.run_folder import CHECKPOINTS
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.tuning import collapse
from rl_tuner.tuning.collapse import Collapse, Diversity
from rl_tuner.tuning.history import read_history
from tests.event_series import read_events
from tests.tiny_job import TINY

GOOD = {"step": 1000, "distinct": 0.9, "entropy": 0.8}


def test_a_good_evaluation_passes():
    assert Collapse().complaint(GOOD) is None
    assert Collapse(distinct_floor=0.9, entropy_floor=0.8).complaint(GOOD) is None


def test_a_common_opening_or_scaffold_is_a_collapse():
    for name, what in (
        ("commonest_opening_5", "have the same first 5 notes"),
        ("commonest_scaffold", "have the same scaffold"),
    ):
        assert Collapse().complaint(GOOD | {name: 0.4}) is None
        assert what in Collapse().complaint(GOOD | {name: 0.6})
        assert Collapse(commonest_ceiling=0.7).complaint(GOOD | {name: 0.6}) is None
    assert Collapse().complaint(GOOD | {"commonest_scaffold": None}) is None


def test_complaints_name_the_measure_the_floor_and_the_remedy():
    repeated = Collapse().complaint(GOOD | {"distinct": 0.04})
    assert "after 1,000 steps" in repeated and "4% of the sequences" in repeated
    assert "Collapse.distinct_floor = 0.5" in repeated and "entropy" not in repeated
    assert "looser targets, a larger temperature c" in repeated
    frozen = Collapse().complaint(GOOD | {"entropy": 0.05})
    assert "0.050 nats per step (Collapse.entropy_floor = 0.1)" in frozen
    assert "distinct" not in frozen
    both = Collapse().complaint(GOOD | {"distinct": 0.0, "entropy": 0.0})
    assert "distinct_floor" in both and "entropy_floor" in both and "\n" not in both


@pytest.mark.parametrize(
    "bad",
    [
        {"distinct_floor": 1.1},
        {"distinct_floor": -0.1},
        {"entropy_floor": -1.0},
        {"entropy_floor": np.inf},
        {"entropy_floor": np.nan},
    ],
)
def test_bad_floors_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        Collapse(**bad)


def test_lengths_include_the_end_token():
    sequences = np.array([[1, 2, 3, 0], [3, 3, 0, 0], [1, 1, 1, 1]])
    assert collapse.lengths(sequences, 3).tolist() == [3, 1, 4]
    assert collapse.lengths(sequences, None).tolist() == [4, 4, 4]


def test_class_shares_leave_padding_out():
    sequences = np.array([[1, 2, 0, 0], [2, 2, 2, 1]])
    shares = collapse.class_shares(sequences, np.array([2, 4]), 4)
    # Steps: 1 2 | 2 2 2 1.
    np.testing.assert_allclose(shares, [0, 2 / 6, 4 / 6, 0])


def test_total_variation():
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.25, 0.5])
    assert collapse.total_variation(p, p) == 0.0
    assert collapse.total_variation(p, q) == collapse.total_variation(q, p) == 0.5
    assert collapse.total_variation(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == 1.0


def test_distinct_ngrams():
    sequences = np.array([[1, 2, 1, 2], [1, 2, 3, 0]])
    # Pairs of the first: 12 21 12; of the second, 3 steps long: 12 23. Distinct: 12 21 23.
    assert collapse.distinct_ngrams(sequences, np.array([4, 3]), 2) == 3 / 5
    assert collapse.distinct_ngrams(sequences, np.array([4, 3]), 4) == 1.0
    assert collapse.distinct_ngrams(sequences, np.array([1, 1]), 2) == 1.0
    assert collapse.distinct_ngrams(sequences, np.array([4, 4]), 9) == 1.0


def test_diversity_compares_with_data_and_prior():
    rng = np.random.default_rng(0)
    of_prior = rng.integers(0, 4, (50, 16))
    diversity = Diversity(of_prior, 5, data_histogram=[30, 10, 0, 0, 0])
    stuck = diversity.metrics(np.zeros([50, 16], np.int64))
    # All steps are class 0, three quarters of the data are.
    assert stuck["class_total_variation"] == pytest.approx(0.25)
    assert stuck["classes_used"] == 1.0
    assert stuck["distinct_4grams"] == 1 / (50 * 13)
    assert stuck["distinct_8grams"] == 1 / (50 * 9)
    assert stuck["distinct_8grams_prior"] > 0.9
    alike = diversity.metrics(of_prior)
    assert alike["distinct_4grams"] == alike["distinct_4grams_prior"]
    assert Diversity(of_prior, 5).metrics(of_prior)["class_total_variation"] == 0.0


def test_the_picture_is_an_image():
    picture = Diversity(np.zeros([3, 4], np.int64), 5).picture(np.ones([2, 4], np.int64))
    assert picture.dtype == np.uint8 and picture.ndim == 4
    assert picture.shape[0] == 1 and picture.shape[-1] == 3
    assert picture.std() > 0


@pytest.fixture
def configured():
    """The tiny job without dataset and prior."""
    from rl_tuner.jobs import configuration, job  # noqa: F401  (gin knows `job` by importing it)

    def tune(run_dir, *params):
        settings = ["tune.steps = 2048", "tune.evaluate_every = 512", *params]
        configuration.configure([TINY], settings)
        task = configuration.build("job").task
        keras.utils.set_random_seed(0)
        prior = SequenceNetwork(task.num_classes, [8])
        tuner = configuration.build("RLTuner", prior=prior, task=task, seed=0)
        configuration.build("tune", tuner=tuner, run_dir=str(run_dir))
        return tuner

    yield tune
    gin.clear_config()


def test_a_collapsed_run_warns_and_goes_on(configured, tmp_path, capfd):
    tuner = configured(tmp_path, "Collapse.entropy_floor = 10.0")
    assert int(tuner.environment_steps) == 2048
    errors = capfd.readouterr().err
    assert errors.count("warning: the policy collapsed after") == 5
    assert "after 2,048 steps" in errors

    events = read_events(tmp_path)
    wanted = {"class_total_variation", "distinct_4grams", "distinct_8grams_prior", "classes"}
    assert {f"collapse/{name}" for name in wanted} <= set(events.Tags()["tensors"])


@pytest.mark.slow
def test_a_collapsed_run_may_stop_and_go_on_later(configured, tmp_path):
    # The entropy starts near its maximum, log 38 = 3.64 nats, and falls fast with this rate.
    falling = ("RLTuner.learning_rate = 0.1", "Collapse.entropy_floor = 3.0")
    with pytest.raises(UserError, match=r"Collapse\.stop = False") as error:
        configured(tmp_path, *falling, "Collapse.stop = True")
    # gin appends where it was called from; commands show the first line.
    assert "Collapse.stop = False to continue" in str(error.value).splitlines()[0]
    steps = read_history(str(tmp_path))[-1]["step"]
    assert 0 < steps < 2048
    assert tf.train.latest_checkpoint(os.path.join(tmp_path, CHECKPOINTS))
    with pytest.raises(UserError, match=f"after {steps:,} steps"):
        configured(tmp_path, *falling, "Collapse.stop = True")
    tuner = configured(tmp_path, *falling)
    assert int(tuner.environment_steps) == 2048


def test_ngrams_are_looked_up_in_the_training_data():
    prior = np.array([[0, 1, 2, 3, 4, 5, 6, 7]])
    corpus = [np.array([9, 0, 1, 2, 3, 9]), np.array([4, 5, 6])]
    diversity = Diversity(prior, 10, corpus=corpus)
    metrics = diversity.metrics(np.array([[0, 1, 2, 3, 8, 8, 8, 8], [9, 0, 1, 2, 3, 9, 9, 9]]))
    # Of five n-grams each: 0123; 9012, 0123 and 1239.
    assert metrics["seen_4grams"] == pytest.approx(4 / 10)
    assert metrics["seen_8grams"] == 0
    assert "seen_4grams" not in Diversity(prior, 10).metrics(prior)
