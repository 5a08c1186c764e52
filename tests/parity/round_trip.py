"""Our weights in another framework, loaded there by the very line that is printed."""

import contextlib
import dataclasses
import importlib
import pathlib
import typing
from collections.abc import Callable

import numpy as np

from mobilenet.weights import exporting, loading
from mobilenet.weights.own_file import Weights
from tests.parity import frameworks, keras_models, torch_models
from tests.parity.cases import Case

TARGETS = ('torchvision', 'timm', 'keras')


class Back(typing.NamedTuple):
  """Exported weights: as the framework has them, and loaded here again.

  logits: of images (N, H, W, 3), there.
  """

  arrays: dict[str, np.ndarray]
  logits: Callable[[np.ndarray], np.ndarray]
  weights: Weights


def export_and_load(case: Case, weights: Weights, folder: pathlib.Path) -> Back:
  """Exports to the case's framework, loads it there and here."""
  # Keras's networks are of one size, which the printed line takes from the contract.
  contract = dataclasses.replace(weights.contract, resolution=case.sizes[0])
  weights = dataclasses.replace(weights, contract=contract)
  # timm's weights with TensorFlow's padding are known by the name of the file.
  path = folder / ('tf_exported' if case.padding == 'tf' else 'exported')
  path = path.with_suffix('.h5' if case.framework == 'keras' else '.safetensors')
  lines = exporting.export(weights, case.framework, path)
  model = run_lines([line for line in lines if line.startswith('model')], path.parent)
  side = keras_models if case.framework == 'keras' else torch_models
  if side is torch_models:
    model.eval()
  return Back(
    side.arrays_of(model), lambda images: side.run(model, images), loading.load(path)
  )


def run_lines(lines: list[str], folder: pathlib.Path):
  """What `model` is after the printed lines, run where the file lies."""
  names = {}
  for name in ('torchvision', 'timm', 'keras'):
    if any(f'{name}.' in line for line in lines):
      names[name] = frameworks.load(name)
  if any('safetensors.' in line for line in lines):
    importlib.import_module('safetensors.torch')
    names['safetensors'] = importlib.import_module('safetensors')
  with contextlib.chdir(folder):
    exec('\n'.join(lines), names)
  return names['model']
