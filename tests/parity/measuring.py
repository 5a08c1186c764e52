"""One network there and here, and how far their logits are apart.

prepared = prepare(case, folder)
for measured in measure(prepared):
  print(measured.difference)
"""

import dataclasses
import pathlib
import typing
import zlib

import jax
import numpy as np

from mobilenet.models import zoo
from mobilenet.weights import loading, own_file
from mobilenet.weights.own_file import Weights
from tests.parity.cases import Case
from tests.parity.keras_models import KerasModel
from tests.parity.onnx_files import OnnxModel, Tf2OnnxModel
from tests.parity.tensorflow_files import SlimModel, TFLiteModel
from tests.parity.torch_models import TorchModel

MODELS = {
  'keras': KerasModel,
  'torchvision': TorchModel,
  'timm': TorchModel,
  'slim': SlimModel,
  'tflite': TFLiteModel,
  'onnx': OnnxModel,
  'onnx-dynamo': OnnxModel,
  'tf2onnx': Tf2OnnxModel,
}
IMAGES = 2  # of a batch


@dataclasses.dataclass(frozen=True)
class Prepared:
  """A network there, and what was loaded of each of its files, in the table's order."""

  case: Case
  theirs: KerasModel | TorchModel
  loaded: tuple[Weights, ...]


class Measured(typing.NamedTuple):
  """What came out at one size.

  size: px.
  lowering: how our convolutions were computed.
  difference: the largest of the logits, relative to the largest logit.
  largest: logit.
  between_images: like `difference`, of the two images: what a network that ignores its
    input would not have.
  """

  size: int
  lowering: str
  difference: float
  largest: float
  between_images: float


def prepare(case: Case, folder: pathlib.Path) -> Prepared:
  """Makes a network with random arrays there, saves it, and loads it here."""
  theirs = MODELS[case.framework](case, seed=zlib.crc32(str(case).encode()))
  loaded = []
  for ending in case.files:
    # timm's tf_ models have the arrays of others: that is told by the file's name.
    path = folder / f'{case.constructor}{ending}'
    theirs.save(path)
    loaded.append(loading.load(path))
  return Prepared(case, theirs, tuple(loaded))


def measure(prepared: Prepared) -> list[Measured]:
  """Compares logits at all sizes of the case, of the arrays of its first file."""
  case, weights = prepared.case, prepared.loaded[0]
  measured = []
  for n, size in enumerate(case.sizes):
    lowering = 'native' if n else case.lowering
    given = images(size, raw=case.raw)
    theirs = prepared.theirs.logits(given)
    ours = logits(weights, scaled(weights, given) if case.raw else given, lowering)
    largest = float(np.abs(theirs).max())
    measured.append(
      Measured(
        size,
        lowering,
        float(np.abs(ours - theirs).max()) / largest,
        largest,
        float(np.abs(theirs[0] - theirs[1]).max()) / largest,
      )
    )
  return measured


def images(size: int, *, raw: bool = False) -> np.ndarray:
  """float32 (2, size, size, 3) in -1..1, or in 0..255."""
  values = np.random.default_rng(size).uniform(-1, 1, (IMAGES, size, size, 3))
  return (255 * (values + 1) / 2 if raw else values).astype(np.float32)


def scaled(weights: Weights, pixels: np.ndarray) -> np.ndarray:
  """Pixels in 0..255 as the contract wants them."""
  mean, std = (np.array(v) for v in (weights.contract.mean, weights.contract.std))
  return ((pixels / 255 - mean) / std).astype(np.float32)


def logits(weights: Weights, given: np.ndarray, lowering: str) -> np.ndarray:
  """Ours, of images (N, H, W, 3)."""
  model = zoo.create(**weights.model, lowering=lowering)
  # Each program runs once: what LLVM would take to make it faster is not worth it.
  run = jax.jit(model.apply, compiler_options={'xla_backend_optimization_level': 0})
  return np.asarray(run(weights.variables, given))


def flat(weights: Weights) -> dict[str, np.ndarray]:
  return own_file.flatten(weights.variables)
