"""One photo gets the same five classes from the network and from every runtime."""

import numpy as np
import pytest
from PIL import Image

from input_pipeline import photos
from mobilenet.export import formats
from mobilenet.runs import exported_file
from tests.export import programs

PACKAGES = {
  'litert': ('litert_converter', 'ai_edge_litert'),
  'onnxruntime': ('onnx', 'onnxruntime'),
  'openvino': ('onnx', 'openvino'),
  'stablehlo': (),
  'tensorflow': (),
}


def test_no_runtime_is_left_out():
  assert set(PACKAGES) == set(formats.RUNTIMES)


@pytest.fixture(scope='module')
def photo(tmp_path_factory):
  path = tmp_path_factory.mktemp('photo') / 'photo.png'
  y, x = np.mgrid[:50, :70]
  noise = np.random.default_rng(0).integers(0, 60, (50, 70, 3))
  pixels = np.stack([3 * y, 2 * x, 190 - 2 * x], axis=-1) + noise
  Image.fromarray(pixels.astype(np.uint8)).save(path)
  return path


@pytest.mark.parametrize('runtime', list(formats.RUNTIMES))
def test_the_same_five_classes(tmp_path, photo, runtime):
  for package in PACKAGES[runtime]:
    pytest.importorskip(package, reason=f'{package}: requirements-export.txt')
  program = programs.program('mixed', classes=7)
  (name,) = (n for n, f in formats.FORMATS.items() if runtime in f.runtimes)
  path = tmp_path / f'network{formats.FORMATS[name].suffix}'
  formats.write(program, path, name, 'float32')
  exported = exported_file.open_file(path, runtime)
  image = photos.prepare(photos.read_photo(photo), exported.ops)[None]
  (found,) = exported.predictions(image)['probabilities']

  (logits,) = np.asarray(program.function()(image))
  expected = np.exp(logits) / np.exp(logits).sum()
  assert list(np.argsort(-found)[:5]) == list(np.argsort(-expected)[:5])
  np.testing.assert_allclose(found, expected, atol=1e-5)
  assert len(set(np.round(expected, 4))) == 7  # so that their order says something
  assert exported.outputs == programs.CLASSES
