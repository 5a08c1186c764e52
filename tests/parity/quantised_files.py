"""Quantised TFLite files of whole networks: as TensorFlow's converter makes them.

Random networks, as those of the other comparisons. What the interpreter computes in
whole numbers is compared with what we compute in float32 of the same weights.
"""

import contextlib
import dataclasses
import functools
import io
import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from mobilenet.models import zoo
from tests.parity import frameworks
from tests.parity.cases import Case
from tests.parity.keras_models import KerasModel
from tests.weights import made_weights, tflite_writer

SIZE = 64  # px
IMAGES = 16
CLASSES = 1001  # of the published files, with a background in front
SEED = 5


@dataclasses.dataclass(frozen=True)
class Row:
  """A network in one kind of file.

  constructor: of keras.applications, or 'edgetpu', which is ours.
  kind: of `KINDS`.
  """

  constructor: str
  network: str
  width: float
  kind: str
  arguments: dict[str, Any] = dataclasses.field(default_factory=dict, hash=False)

  def __str__(self):
    return f'{self.network}-{self.kind}'


@dataclasses.dataclass(frozen=True)
class Network:
  """One network there: its logits (N, K) of images, and a converter for it."""

  logits: Callable[[np.ndarray], np.ndarray]
  converter: Callable[[], Any]


V3 = {'include_preprocessing': False}
PLAIN = {**V3, 'minimalistic': True}
_V1 = ('MobileNet', 'mobilenet_v1', 0.5)
_V2 = ('MobileNetV2', 'mobilenet_v2', 0.5)
_SMALL = ('MobileNetV3Small', 'mobilenet_v3_small', 1.0)
_MINIMALISTIC = ('MobileNetV3Large', 'mobilenet_v3_large_minimalistic', 1.0)
ROWS = (
  *(Row(*_V1, kind) for kind in ('old uint8', 'int8', 'int16', 'float16')),
  *(Row(*_V2, kind) for kind in ('old uint8', 'int8', 'int16', 'weights')),
  *(Row(*_SMALL, kind, V3) for kind in ('old uint8', 'int8', 'weights', 'float16')),
  *(Row(*_MINIMALISTIC, kind, PLAIN) for kind in ('old uint8', 'int8')),
  Row('edgetpu', 'mobilenet_edgetpu', 0.5, 'int8'),
)


def images(seed: int) -> np.ndarray:
  """float32 (N, SIZE, SIZE, 3) in -1..1: noise, and noise of coarser grains."""
  rng = np.random.default_rng(seed)
  grains = [2 ** (n % 5) for n in range(IMAGES)]
  made = [rng.uniform(-1, 1, (SIZE // g, SIZE // g, 3)) for g in grains]
  made = [m.repeat(g, 0).repeat(g, 1) for m, g in zip(made, grains, strict=True)]
  made[0][0, 0, :2] = -1, 1  # a calibration sees the whole range
  return np.stack(made).astype(np.float32)


def network_of(row: Row) -> Network:
  """A network with random arrays, the same for all kinds of files."""
  return _network(row.constructor, row.width, row.arguments.get('minimalistic', False))


@functools.cache
def _network(constructor: str, width: float, minimalistic: bool) -> Network:
  if constructor == 'edgetpu':
    return _edgetpu(width)
  tf = frameworks.load('tensorflow')
  more = {} if 'V3' not in constructor else {**V3, 'minimalistic': minimalistic}
  case = Case(
    *('tflite', constructor, '', width),
    sizes=(SIZE,),
    arguments={'alpha': width, **more},
    classes=CLASSES,
  )
  theirs = KerasModel(case, SEED)
  return Network(
    theirs.logits, lambda: tf.lite.TFLiteConverter.from_keras_model(theirs.model)
  )


def _edgetpu(width: float) -> Network:
  """Ours, with TensorFlow's own mean: JAX's is a sum and a product."""
  from jax.experimental import jax2tf

  tf = frameworks.load('tensorflow')
  weights = made_weights.made('mobilenet_edgetpu', width=width, num_classes=CLASSES)
  rng = np.random.default_rng(SEED)

  def wider(path, array):
    if path[-1].key != 'kernel':
      return array
    fan_in = int(np.prod(array.shape[:-1]))
    return frameworks.random_array('kernel', array.shape, fan_in, rng)

  variables = jax.tree_util.tree_map_with_path(wider, weights.variables)
  model = zoo.create(**weights.model, lowering='native')
  head = variables['params']['head']['classifier']
  features = jax2tf.convert(lambda x: model.apply(variables, x, method='features')[0])

  @tf.function(
    input_signature=[tf.TensorSpec((1, SIZE, SIZE, 3), tf.float32)], autograph=False
  )
  def run(x):
    x = tf.reduce_mean(features(x), (1, 2))
    return tf.matmul(x, head['kernel']) + head['bias']

  return Network(
    lambda images: np.concatenate([run(image[None]).numpy() for image in images]),
    lambda: tf.lite.TFLiteConverter.from_concrete_functions(
      [run.get_concrete_function()], run
    ),
  )


def file_of(row: Row) -> bytes:
  """The bytes of a row's file."""
  tf = frameworks.load('tensorflow')
  converter = network_of(row).converter()
  converter.optimizations = [tf.lite.Optimize.DEFAULT]
  if row.kind == 'float16':
    converter.target_spec.supported_types = [tf.float16]
  if row.kind in ('old uint8', 'int8', 'int16'):
    converter.representative_dataset = lambda: ([i[None]] for i in images(SEED))
  if row.kind == 'int16':
    converter.target_spec.supported_ops = [
      tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    ]
  elif row.kind in ('old uint8', 'int8'):
    converter.inference_input_type = converter.inference_output_type = tf.uint8
    converter._experimental_disable_per_channel = row.kind == 'old uint8'
  # A line for each array, and a warning that statistics come from a calibration.
  with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
    warnings.simplefilter('ignore', UserWarning)
    data = converter.convert()
  return tflite_writer.as_old_uint8(data) if row.kind == 'old uint8' else data


def run(data: bytes, images: np.ndarray) -> np.ndarray:
  """The interpreter's logits (N, K) of images in -1..1, real numbers in and out."""
  interpreter = tflite_writer.interpreter(data)
  (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
  rows = []
  for image in images:
    interpreter.set_tensor(given['index'], _as_stored(image[None], given))
    interpreter.invoke()
    rows.append(_as_real(interpreter.get_tensor(made['index'])[0], made))
  return np.stack(rows)


def _as_stored(real: np.ndarray, details: dict) -> np.ndarray:
  if details['dtype'] == np.float32:
    return real
  scale, zero = details['quantization']
  return np.clip(np.round(real / scale + zero), 0, 255).astype(details['dtype'])


def _as_real(stored: np.ndarray, details: dict) -> np.ndarray:
  if details['dtype'] == np.float32:
    return stored
  scale, zero = details['quantization']
  return scale * (stored.astype(np.float32) - zero)
