"""Placement: what is chosen, on GPUs that are only told of, and work on logical devices."""

import subprocess
import sys

import keras
import pytest
import tensorflow as tf

from rl_tuner.common.errors import UserError
from rl_tuner.core import xla
from rl_tuner.jobs.devices import device
from tests.tiny_job import ROOT

# Logical devices exist only in a process that has not computed yet.
ON_LOGICAL_DEVICES = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras
import numpy as np
from rl_tuner.core.networks import SequenceNetwork
from rl_tuner.core.objectives import Psi
from rl_tuner.core.tuner import RLTuner
from rl_tuner.jobs.devices import device
from rl_tuner.tuning.evaluation import Meter
from tests.core.enumerated import TinyTask
print(device(placement="cpu"))
assert len(tf.config.list_logical_devices("CPU")) == 2
found = []
for name in ("/CPU:0", "/CPU:1"):
    with tf.device(name):
        keras.utils.set_random_seed(0)
        tuner = RLTuner(SequenceNetwork(3, [4]), TinyTask(), Psi(), collect_size=4, learn_size=4)
        metrics = tuner.train_iterations(3)
        measured = Meter(tuner.policy, tuner.start, tuner.task, 8).measure(20, seed=0)
    held = [*tuner.online.weights, *tuner.target.weights, *tuner.prior.weights, *tuner.replay.columns]
    places = {variable.value.device if hasattr(variable.value, "device") else variable.device
              for variable in held}
    assert all(place.endswith(name.replace("/", "/device:")) for place in places), places
    found.append((metrics, measured.metrics, measured.sequences, tuner.online.get_weights()))
(first, of_first, sequences, weights), (second, of_second, others, more) = found
for a, b in ((first, second), (of_first, of_second)):
    assert a.keys() == b.keys()
    np.testing.assert_allclose([*a.values()], [*b.values()], rtol=1e-4, atol=1e-5)
assert np.mean(np.any(sequences != others, axis=1)) <= 0.1
for a, b in zip(weights, more):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
print("equal")
"""


def test_a_tuner_stays_on_its_logical_device_and_computes_the_same():
    done = subprocess.run(
        [sys.executable, "-c", ON_LOGICAL_DEVICES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "equal"
    assert done.stdout.startswith("device: CPU")


@pytest.fixture
def two_gpus(monkeypatch):
    """Two GPUs that are only told of; what is asked of TensorFlow is noted."""
    asked = []
    monkeypatch.setattr(
        tf.config,
        "list_physical_devices",
        lambda kind: ["first", "second"] if kind == "GPU" else [],
    )
    monkeypatch.setattr(
        tf.config, "set_visible_devices", lambda devices, kind: asked.append((kind, devices))
    )
    experimental = tf.config.experimental
    monkeypatch.setattr(experimental, "set_memory_growth", lambda gpu, on: asked.append((gpu, on)))
    monkeypatch.setattr(
        experimental, "get_device_details", lambda gpu: {"device_name": f"the {gpu} card"}
    )
    yield asked
    keras.mixed_precision.set_dtype_policy("float32")


@pytest.mark.parametrize(
    ("placement", "index", "name"),
    [("auto", 0, "first"), ("gpu", 0, "first"), ("gpu:1", 1, "second")],
)
def test_one_gpu_is_chosen_and_grows_its_memory(two_gpus, placement, index, name):
    line = device(placement=placement, precision="mixed_bfloat16", deterministic=False)
    assert line == f"device: GPU {index} (the {name} card), mixed_bfloat16"
    assert two_gpus == [("GPU", [name]), (name, True)]
    assert keras.mixed_precision.dtype_policy().name == "mixed_bfloat16"


def test_the_cpu_hides_every_gpu(two_gpus):
    assert device(placement="cpu", deterministic=False) == "device: CPU, float32"
    assert two_gpus == [("GPU", [])]


def test_a_gpu_that_is_not_there_is_refused(two_gpus):
    with pytest.raises(UserError, match="'gpu:2', but TensorFlow finds 2 GPUs"):
        device(placement="gpu:2")


@pytest.mark.parametrize("bad", ["tpu", "gpu:x", "cpu:0", ""])
def test_other_words_are_refused(bad):
    with pytest.raises(UserError, match=r"device\.placement"):
        device(placement=bad)


@pytest.mark.parametrize(("jit_compile", "choice"), [("auto", None), (True, True), (False, False)])
def test_xla_is_as_asked(monkeypatch, jit_compile, choice):
    monkeypatch.setattr(xla, "_choice", "unset")
    device(placement="cpu", deterministic=False, jit_compile=jit_compile)
    assert xla._choice is choice


def test_another_word_for_xla_is_refused():
    with pytest.raises(
        UserError, match=r"device\.jit_compile must be 'auto', True or False, not 'yes'"
    ):
        device(placement="cpu", deterministic=False, jit_compile="yes")
