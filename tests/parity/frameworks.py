"""Imports the frameworks, each on demand, and fills their networks with random arrays.

Every array is far from what a network is made with: a statistic, scale or shift that an
importer forgets or swaps changes the logits.
"""

import contextlib
import importlib
import importlib.util

import numpy as np

LINE = 'pip install -r requirements-parity.txt'
# Keras 3 with NumPy 2, last seen with Keras 3.15: it copies TensorFlow's variables.
KERAS_WARNING = "ignore:__array__ implementation doesn't accept:DeprecationWarning"
# Of the cases' frameworks.
NEEDED = {
  'keras': ('tensorflow', 'keras'),
  'torchvision': ('torch', 'torchvision'),
  'timm': ('torch', 'timm'),
  'slim': ('tensorflow', 'keras'),
  'tflite': ('tensorflow', 'keras'),
  'onnx': ('torch', 'torchvision', 'timm', 'onnx'),
  'onnx-dynamo': ('torch', 'torchvision', 'timm', 'onnx', 'onnxscript'),
  'onnx-int8': ('torch', 'torchvision', 'onnx', 'onnxruntime'),
  'tf2onnx': ('tensorflow', 'keras', 'onnx', 'tf2onnx'),
}


def missing(framework: str) -> str | None:
  """Why a framework of the cases cannot be compared with; None if it is installed."""
  for name in NEEDED[framework]:
    if importlib.util.find_spec(name) is None:
      return f'{name} is not installed: {LINE}'
  return None


def load(name: str):
  """Imports torch, timm, torchvision, keras, tensorflow or what makes ONNX files.

  Raises:
    ModuleNotFoundError: it is not installed; the message says how to.
  """
  try:
    if name in ('torchvision', 'timm'):
      with _tolerant_of_compiled_operators():
        return importlib.import_module(name)
    return importlib.import_module(name)
  except ModuleNotFoundError as error:
    raise ModuleNotFoundError(f'{error}; {LINE}') from error


@contextlib.contextmanager
def _tolerant_of_compiled_operators():
  """Imports torchvision beside a PyTorch that its compiled operators don't fit.

  Those (boxes, image files) then don't exist, and describing them to PyTorch is an
  error that ends the import. Networks use none of them.
  """
  import torch.library

  register = torch.library.register_fake

  def tolerant(operator, function=None, **options):
    def describe(function):
      try:
        return register(operator, function, **options)
      except RuntimeError:
        return function

    return describe if function is None else describe(function)

  torch.library.register_fake = tolerant
  try:
    yield
  finally:
    torch.library.register_fake = register


def random_array(role: str, shape: tuple[int, ...], fan_in: int, rng) -> np.ndarray:
  """float32 values that keep activations of order 1.

  Args:
    role: 'kernel', 'bias', or a batch norm's 'scale' or 'shift', and a 'factor' of its
      statistics; a layer scale is a 'scale'.
    shape: of the result.
    fan_in: inputs of one output of a kernel.
    rng: a NumPy generator.
  """
  if role == 'kernel':
    gain = np.float32(np.sqrt(2 / fan_in))  # half is lost in a ReLU
    return gain * rng.standard_normal(shape, np.float32)
  low, high = {
    'scale': (0.5, 1.5),
    'shift': (-0.5, 0.5),
    'bias': (-0.2, 0.2),
    'factor': (0.5, 2.0),
  }[role]
  return rng.uniform(low, high, shape).astype(np.float32)


def random_statistics(mean: np.ndarray, variance: np.ndarray, rng):
  """(mean, variance) that are near those that a batch had, and not them.

  The spread of activations then stays what it is through any number of layers, which
  statistics drawn without regard to the kernels would not do.
  """
  shift = random_array('shift', mean.shape, 1, rng)
  factor = random_array('factor', mean.shape, 1, rng)
  return mean + shift * np.sqrt(variance), variance * factor + np.float32(1e-3)
