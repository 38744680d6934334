"""The documented gRPC request, sent through TensorFlow Serving's own messages to a server of its service."""

from concurrent import futures

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from rl_tuner.serving import saved_model
from tests import shell_commands
from tests.serving.test_export import tiny_tuner

grpc = pytest.importorskip("grpc")
predict_pb2 = pytest.importorskip("tensorflow_serving.apis.predict_pb2")
service = pytest.importorskip("tensorflow_serving.apis.prediction_service_pb2_grpc")


class Server(service.PredictionServiceServicer):
    """Answers as TensorFlow Serving does: inputs by name, defaults of the signature for the others."""

    def __init__(self, folder):
        self.model, saved = tf.saved_model.load(folder), saved_model_pb2.SavedModel()
        with open(f"{folder}/saved_model.pb", "rb") as file:
            saved.ParseFromString(file.read())
        self._signatures = saved.meta_graphs[0].signature_def
        self.asked = []

    def Predict(self, request, context):
        self.asked.append(request)
        name = request.model_spec.signature_name
        protos = {**self._signatures[name].defaults, **request.inputs}
        assert set(protos) == set(self._signatures[name].inputs)
        tensors = {}
        for key, info in self._signatures[name].inputs.items():
            assert protos[key].dtype == info.dtype, key
            shape = tf.TensorShape(info.tensor_shape)
            assert shape.is_compatible_with(tf.TensorShape(protos[key].tensor_shape)), key
            tensors[key] = tf.constant(tf.make_ndarray(protos[key]))
        answer = predict_pb2.PredictResponse()
        for key, value in self.model.signatures[name](**tensors).items():
            answer.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return answer


def test_the_documented_grpc_request_is_answered(tmp_path, capsys):
    tuner = tiny_tuner("molecule_q")
    saved_model.export(tuner, str(tmp_path / "1"))
    servicer = Server(str(tmp_path / "1"))
    server = grpc.server(futures.ThreadPoolExecutor(1))
    service.add_PredictionServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    with open(f"{shell_commands.ROOT}/docs/serving.md", encoding="utf-8") as file:
        blocks = shell_commands.blocks(file.read(), "python")
    (code,) = (block for block in blocks if "tensorflow_serving" in block)
    names = {}
    exec(compile(code.replace("localhost:8500", f"localhost:{port}"), "serving.md", "exec"), names)
    server.stop(None)
    (request,) = servicer.asked
    assert (request.model_spec.name, request.model_spec.signature_name) == ("molecules", "generate")
    made = servicer.model.generate(count=3, seed=7)
    assert capsys.readouterr().out.strip() == str(made["smiles"].numpy())
    assert len(np.unique(made["smiles"])) > 1
