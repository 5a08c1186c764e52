"""TFLite files: the network's answers, and what they say of themselves."""

import io
import json
import zipfile

import jax
import numpy as np
import pytest

from mobilenet.export import errors, formats, tflite, tflite_file
from mobilenet.weights import tflite_file as importer
from mobilenet.weights import tflite_metadata
from tests.export.conftest import NAMES

pytest.importorskip('litert_converter', reason='requirements-export.txt')
pytest.importorskip('ai_edge_litert', reason='requirements-export.txt')
# Relative to the largest answer.
EXACT = {'float32': 1e-5, 'float16': 5e-3, 'int8_weights': 0.1}


@pytest.fixture(scope='module')
def written(made, tmp_path_factory):
  folder = tmp_path_factory.mktemp('tflite')
  for precision in EXACT:
    tflite.write(made, folder / f'{precision}.tflite', precision)
  return folder


@pytest.mark.parametrize('precision', list(EXACT))
def test_it_answers_as_the_network(made, written, precision, images, logits):
  opened = formats.open_file(written / f'{precision}.tflite', threads=1)
  assert opened.batch == 1
  found = opened.answers(images, made.contract)
  difference = np.abs(found - logits).max() / np.abs(logits).max()
  assert difference < EXACT[precision]
  assert not [name for name in opened.operators if name.startswith(('STABLE', 'CUST'))]


def test_weights_of_fewer_bits_are_smaller(made, written):
  """By what is kept of them: a small network is mostly description."""
  sizes = {}
  for precision in EXACT:
    model = tflite_file.parse((written / f'{precision}.tflite').read_bytes())
    buffers = [len(b.data) for b in model.buffers[:-1] if b.data is not None]
    sizes[precision] = sum(buffers)
  count = sum(leaf.size for leaf in jax.tree.leaves(made.variables))
  assert sizes['float32'] >= 4 * count
  assert sizes['float16'] < 0.6 * sizes['float32']
  assert sizes['int8_weights'] < 0.6 * sizes['float32']


def test_a_constant_of_several_operators_is_halved_once():
  from ai_edge_litert.interpreter import Interpreter

  sides = np.linspace(0.1, 0.9, 6, dtype=np.float32).reshape(1, 3, 2)

  def function(x):  # as the sides of a detector's anchors are used
    return (x * sides + 1, jax.numpy.exp(x) * sides, jax.numpy.exp(x) + sides)

  content = tflite.convert(function, (1, 3, 2), ('a', 'b', 'c'))
  model = tflite_file.parse(content)
  tflite_file.halve(model)
  assert tflite_file.operators(model).count('DEQUANTIZE') == 1
  interpreter = Interpreter(model_content=tflite_file.pack(model))
  x = np.linspace(-1, 1, 6, dtype=np.float32).reshape(1, 3, 2)
  found = interpreter.get_signature_runner('serving_default')(images=x)
  for name, wanted in zip('abc', function(x), strict=True):
    np.testing.assert_allclose(found[name], wanted, rtol=2e-3)


def test_weights_in_bytes_are_rounded_by_channel(written):
  file = importer.read_tflite(written / 'int8_weights.tflite')
  kernels = [v for v in file.tensors.values() if v.ndim > 1]
  assert len(kernels) > 5
  for kernel in kernels:
    for channel in np.moveaxis(kernel, -1, 0):
      steps = 127 * channel / max(np.abs(channel).max(), 1e-8)
      np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)


def test_probabilities_have_the_temperature(probable, tmp_path, images, logits):
  tflite.write(probable, tmp_path / 'p.tflite')
  opened = formats.open_file(tmp_path / 'p.tflite')
  wanted = jax.nn.softmax(logits / 2.0)
  found = opened.answers(images, probable.contract)
  np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_the_file_says_how_it_is_used(written, made):
  content = (written / 'float32.tflite').read_bytes()
  said = json.loads(tflite_metadata.said(content))
  # MediaPipe has no means of channels: the file normalises by them itself.
  assert said.pop('contract')['mean'] == [0, 0, 0]
  own = json.loads(json.dumps(made.said()))
  assert said.pop('network_contract') == own.pop('contract')
  del own['network_contract']
  assert said == own
  assert tflite_metadata.labels(content) == list(NAMES)
  file = importer.read_tflite(written / 'float32.tflite')
  normalisation = file.metadata['normalisation']
  np.testing.assert_allclose(normalisation['mean'], [0] * 3)
  np.testing.assert_allclose(normalisation['std'], [255] * 3)


def test_equal_networks_give_equal_files(made, written, tmp_path):
  tflite.write(made, tmp_path / 'again.tflite')
  first = (written / 'float32.tflite').read_bytes()
  assert (tmp_path / 'again.tflite').read_bytes() == first


def test_a_batch_is_fixed(made, tmp_path, images, logits):
  tflite.write(made, tmp_path / 'b.tflite', batch=2)
  opened = formats.open_file(tmp_path / 'b.tflite')
  assert opened.batch == 2
  found = opened.answers(images, made.contract)
  np.testing.assert_allclose(found, logits, rtol=1e-4, atol=1e-5)


def test_files_that_cannot_be_run(made, written, tmp_path):
  content = (written / 'float32.tflite').read_bytes()
  (tmp_path / 'half.tflite').write_bytes(content[: len(content) // 3])
  with pytest.raises(
    errors.ExportError, match=r'cannot be read by LiteRT .*export it again'
  ):
    formats.open_file(tmp_path / 'half.tflite')
  model = tflite_file.parse(content)
  (tmp_path / 'foreign.tflite').write_bytes(tflite_file.pack(model))
  with pytest.raises(errors.ExportError, match='was not exported by this project'):
    formats.open_file(tmp_path / 'foreign.tflite')
  with pytest.raises(errors.ExportError, match='no exported file: those end in'):
    formats.open_file(tmp_path / 'x.pth')
  with pytest.raises(errors.ExportError, match=r"no runtime 'lite'; did you mean"):
    formats.open_file(written / 'float32.tflite', 'lite')
  with pytest.raises(errors.ExportError, match='int8 needs the ranges of its values'):
    formats.write(made, tmp_path / 'x.tflite', 'tflite', 'int8')
  with pytest.raises(errors.ExportError, match='--precision=int4: --format=tflite has'):
    formats.write(made, tmp_path / 'x.tflite', 'tflite', 'int4')


def test_the_zip_is_readable_by_others(written):
  content = (written / 'float16.tflite').read_bytes()
  with zipfile.ZipFile(io.BytesIO(content)) as archive:
    assert archive.namelist() == ['labels.txt', 'mobilenet-jax.json']
    assert archive.testzip() is None
