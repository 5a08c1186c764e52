"""ONNX files of whole networks, by the exporters of PyTorch and of TensorFlow."""

import contextlib
import io
import logging
import pathlib
import warnings

import numpy as np

from tests.parity import frameworks
from tests.parity.keras_models import KerasModel
from tests.parity.torch_models import TorchModel

OPSET = 17


class OnnxModel(TorchModel):
  """A network of PyTorch, saved by its exporter: the one that traces, or dynamo's."""

  def save(self, path: pathlib.Path) -> None:
    export(self, path, dynamo=self.case.framework == 'onnx-dynamo')


def export(network: TorchModel, path: pathlib.Path, **options) -> None:
  torch, size = frameworks.load('torch'), network.case.sizes[0]
  with quiet():
    torch.onnx.export(network.model, (torch.zeros(1, 3, size, size),), path, **options)


class Tf2OnnxModel(KerasModel):
  """A network of Keras that tf2onnx saves."""

  def save(self, path: pathlib.Path) -> None:
    tf, size = frameworks.load('tensorflow'), self.case.sizes[0]
    given = [tf.TensorSpec((1, size, size, 3), tf.float32)]
    run = tf.function(lambda x: self.model(x, training=False), given)
    convert = frameworks.load('tf2onnx').convert
    with quiet():
      convert.from_function(run, given, opset=OPSET, output_path=str(path))


@contextlib.contextmanager
def quiet():
  """Without what exporters say: of each step, and of their own deprecations."""
  with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
    warnings.simplefilter('ignore')
    logging.disable(logging.WARNING)
    try:
      yield
    finally:
      logging.disable(logging.NOTSET)


def quantise(path: pathlib.Path, out: pathlib.Path, images: np.ndarray) -> None:
  """Writes a uint8 file (QDQ, a scale a channel), calibrated by images (N, H, W, 3).

  Products of uint8 and int8 overflow in ONNX Runtime on CPUs without VNNI.
  """
  frameworks.load('onnxruntime')
  from onnxruntime import quantization

  class Images(quantization.CalibrationDataReader):
    def __init__(self):
      name = frameworks.load('onnx').load(path).graph.input[0].name
      self.batches = iter({name: _as_batch(image)} for image in images)

    def get_next(self):
      return next(self.batches, None)

  with quiet():
    quantization.quantize_static(
      path,
      out,
      Images(),
      per_channel=True,
      activation_type=quantization.QuantType.QUInt8,
      weight_type=quantization.QuantType.QUInt8,
    )


def run(path: pathlib.Path, images: np.ndarray) -> np.ndarray:
  """Logits (N, K) of images (N, H, W, 3), one at a time."""
  session = frameworks.load('onnxruntime').InferenceSession(
    path, providers=['CPUExecutionProvider']
  )
  (given,) = session.get_inputs()
  rows = [session.run(None, {given.name: _as_batch(image)})[0][0] for image in images]
  return np.stack(rows)


def _as_batch(image: np.ndarray) -> np.ndarray:
  return image.transpose(2, 0, 1)[None].copy()
