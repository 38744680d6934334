"""What TensorBoard reads back: charts of series that exist, and the settings of the run."""

import re

import tensorflow as tf
from tensorboard.backend.event_processing import event_accumulator
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import plugin_data_pb2

from rl_tuner.core.objectives import Psi
from rl_tuner.core.tuner import RLTuner
from rl_tuner.tuning import board
from rl_tuner.tuning.series import description_of
from tests.core.enumerated import TinyTask, random_network


def test_charts_and_settings_are_read_as_they_were_written(tmp_path):
    tuner = RLTuner(random_network(1), TinyTask(), Psi(), seed=3, gamma=0.5)
    writer = tf.summary.create_file_writer(str(tmp_path))
    with writer.as_default(step=0):
        board.write(tuner)
    writer.close()
    events = event_accumulator.EventAccumulator(str(tmp_path), size_guidance={})
    events.Reload()
    (made,) = events.Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(made.tensor_proto.string_val[0])
    assert [category.title for category in layout.category] == list(board.CHARTS)
    content = events.SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    data = plugin_data_pb2.HParamsPluginData.FromString(content)
    found = data.session_start_info.hparams
    assert found["objective"].string_value == "Psi"
    assert found["gamma"].number_value == 0.5 and found["seed"].number_value == 3


def test_every_chart_shows_series_that_are_described():
    for charts in board.CHARTS.values():
        for tags in charts.values():
            for tag in tags:
                re.compile(tag)
                name = tag.replace(".+", "molecule")
                assert description_of(name), tag
