"""Quantised files of whole networks against their interpreters, in float32 here.

An interpreter rounds what it computes in every layer, to 8 bits as a rule, and we do
not: logits cannot be equal, and how far they are apart is that rounding. Three things
show that it is nothing else. Weights are the file's numbers to the bit. The more bits
activations have in the interpreter, the nearer its logits are: 1e-5 in float32. And
ours are nearer than the interpreter's to the float network that was quantised.
"""

import functools
import pathlib
import tempfile
import typing

import numpy as np
import pytest

from mobilenet.weights import loading, tflite_file
from tests.parity import frameworks, measuring, onnx_files, quantised_files
from tests.parity.cases import Case
from tests.parity.quantised_files import ROWS
from tests.parity.torch_models import TorchModel
from tests.weights import tflite_writer

pytestmark = [
  pytest.mark.parity,
  pytest.mark.filterwarnings(frameworks.KERAS_WARNING),
]


class Bound(typing.NamedTuple):
  """What is allowed of one kind of file; beside it, what was measured.

  correlation: of both logits, less each class's mean over the images: of what the
    images make of them.
  error: root mean square of the difference, relative to that of the logits.
  nearer: ours are nearer to the float network's logits than theirs.
  """

  correlation: float
  error: float
  nearer: bool


BOUNDS = {  #                              worst of the networks
  'old uint8': Bound(0.8, 0.3, True),  #   0.85, 0.23
  'int8': Bound(0.8, 0.3, True),  #        0.84, 0.24
  'weights': Bound(0.95, 0.15, True),  #   0.970, 0.10
  'int16': Bound(0.99, 0.05, False),  #    0.998, 0.026
  # V3's is off by a constant of its own, 1 / 6 in 16 bits.
  'float16': Bound(0.9999, 0.01, False),  # 1.0000, 0.005
}
EXACT = 1e-5  # of float16 files without hard-sigmoid


class Compared(typing.NamedTuple):
  """Logits (N, K) of the same images."""

  ours: np.ndarray
  theirs: np.ndarray  # the interpreter's
  float32: np.ndarray  # of the network that was quantised

  def correlation(self) -> float:
    centred = [(logits - logits.mean(0)).ravel() for logits in self[:2]]
    return float(np.corrcoef(*centred)[0, 1])

  def error(self) -> float:
    return _relative(self.ours - self.theirs, self.theirs)

  def errors_of_float32(self) -> tuple[float, float]:
    """Ours, and the interpreter's."""
    off = (logits - self.float32 for logits in self[:2])
    return tuple(_relative(difference, self.float32) for difference in off)

  def first_among(self, count: int) -> float:
    """In how many images their first class is one of our first ones."""
    best = np.argsort(self.ours)[:, -count:]
    return float(np.mean((best == self.theirs.argmax(1)[:, None]).any(1)))

  def __str__(self):
    ours, theirs = self.errors_of_float32()
    return (
      f'correlation {self.correlation():.4f}, error {self.error():.1e}, first class '
      f'the same in {self.first_among(1):.2f}, among five in '
      f'{self.first_among(5):.2f}; off the float network: {ours:.1e}, the interpreter '
      f'{theirs:.1e}'
    )


def _relative(difference: np.ndarray, of: np.ndarray) -> float:
  return float(np.sqrt(np.mean(difference**2) / np.mean(of**2)))


@pytest.fixture(scope='module', params=ROWS, ids=str)
def prepared(request):
  """A row, its file's bytes, and what was loaded of it."""
  if reason := frameworks.missing('tflite'):
    pytest.skip(reason)
  data = quantised_files.file_of(request.param)
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / 'quantised.tflite'
    path.write_bytes(data)
    yield request.param, path, loading.load(path)


def test_the_network_is_recognised(prepared):
  row, _, weights = prepared
  model, contract = weights.model, weights.contract
  assert (model['name'], model['width']) == (row.network, row.width)
  assert model['padding'] == 'tf'
  assert (model['num_classes'], contract.label_offset) == (1000, 1)
  assert weights.class_names[0] == 'n01440764'
  assert contract.value_range() == ([-1.0] * 3, [1.0] * 3)
  dtype = {'old uint8': 'uint8', 'float16': 'float16'}.get(row.kind, 'int8')
  assert weights.notes[-1].startswith(f'the file holds {dtype} weights')
  # A quantised input has a range; without it the scaling is assumed.
  assert len(weights.notes) == 1
  assert ('contract.mean' in weights.assumed) == (row.kind in ('weights', 'float16'))


def test_kernels_are_the_numbers_of_the_file(prepared):
  row, path, weights = prepared
  if row.kind in ('weights', 'float16'):
    pytest.skip('not all arrays of such files are whole numbers')
  numbers = tflite_writer.stored(path.read_bytes())
  file = tflite_file.read_tflite(path)
  layers = file.metadata['layers']
  assert len(numbers) == len(file.tensors) == 2 * len(layers)
  axes = {'conv': (1, 2, 3, 0), 'depthwise': (1, 2, 0, 3), 'dense': (1, 0)}
  for n, layer in enumerate(layers):
    exact = numbers[f'{n}/kernel'].transpose(axes[layer['kind']]).astype(np.float32)
    np.testing.assert_array_equal(file.tensors[f'{layer["name"]}/kernel'], exact)
    gate = np.float32(3 if layer['activation'] == 'HARD_SIGMOID' else 0)
    bias = numbers[f'{n}/bias'].astype(np.float32) - gate
    np.testing.assert_array_equal(file.tensors[f'{layer["name"]}/bias'], bias)
  # And so they lie in the variables, but for the classifier's background.
  kernels = {v.tobytes() for n, v in measuring.flat(weights).items() if 'kernel' in n}
  of_file = [file.tensors[f'{layer["name"]}/kernel'] for layer in layers]
  assert all(kernel.tobytes() in kernels for kernel in of_file[:-1])
  assert of_file[-1][..., 1:].tobytes() in kernels


def test_logits_are_those_of_the_interpreter_but_for_its_rounding(prepared):
  row, path, weights = prepared
  images = quantised_files.images(seed=6)
  network = quantised_files.network_of(row)
  compared = Compared(
    ours=measuring.logits(weights, images, 'native'),
    theirs=quantised_files.run(path.read_bytes(), images)[:, 1:],
    float32=network.logits(images)[:, 1:],
  )
  print(f'\n{row}: {compared}')
  bound = BOUNDS[row.kind]
  assert compared.correlation() >= bound.correlation
  assert compared.error() <= bound.error
  # 1,000 classes of a random network are near to each other.
  assert compared.first_among(5) >= 0.75
  ours, theirs = compared.errors_of_float32()
  assert ours < theirs or not bound.nearer
  if row.kind == 'float16' and 'v3' not in row.network:
    assert compared.error() <= EXACT


@functools.cache
def torch_model(constructor: str) -> TorchModel:
  case = Case('onnx', constructor, constructor, sizes=(quantised_files.SIZE,))
  return TorchModel(case, quantised_files.SEED)


@pytest.mark.parametrize('constructor', ['mobilenet_v2', 'mobilenet_v3_small'])
def test_uint8_of_onnx(constructor, tmp_path):
  if reason := frameworks.missing('onnx-int8'):
    pytest.skip(reason)
  theirs, images = torch_model(constructor), quantised_files.images(seed=6)
  of_float, path = tmp_path / 'float.onnx', tmp_path / 'uint8.onnx'
  onnx_files.export(theirs, of_float, dynamo=False)
  onnx_files.quantise(of_float, path, quantised_files.images(quantised_files.SEED))
  weights = loading.load(path)
  assert (weights.model['name'], weights.model['padding']) == (constructor, 'torch')
  assert weights.notes[-1].startswith('the file holds uint8 weights')
  compared = Compared(
    ours=measuring.logits(weights, images, 'native'),
    theirs=onnx_files.run(path, images),
    float32=theirs.logits(images),
  )
  print(f'\n{constructor}, ONNX: {compared}')
  bound = BOUNDS['int8']
  assert compared.correlation() >= bound.correlation
  assert compared.error() <= bound.error
  ours, runtime = compared.errors_of_float32()
  assert ours < runtime
