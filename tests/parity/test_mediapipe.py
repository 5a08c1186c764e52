"""MediaPipe, which phone apps read our TFLite files with, takes them as they are."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from input_pipeline import photos
from mobilenet.export import calibration, formats
from mobilenet.export import graph as graphs
from mobilenet.export.quantised import Quantised
from mobilenet.runs import exported_file
from mobilenet.weights.contract import Contract
from tests.export import programs

pytestmark = pytest.mark.parity
SIDE = 64
BY_CHANNEL = {'mean': (0.485, 0.456, 0.406), 'std': (0.229, 0.224, 0.225)}
# The photo has the network's size already, so that nobody resizes it.
WHOLE = Contract(resolution=SIDE, crop_fraction=1.0)


@pytest.mark.parametrize('precision', ['float32', 'float16', 'int8'])
@pytest.mark.parametrize('contract', [WHOLE, dataclasses.replace(WHOLE, **BY_CHANNEL)])
def test_it_gives_our_names_and_probabilities(tmp_path, contract, precision):
  for package in ('litert_converter', 'ai_edge_litert', 'mediapipe'):
    pytest.importorskip(package, reason=f'{package}: requirements-parity.txt')
  import mediapipe
  from mediapipe.tasks.python import BaseOptions, vision

  program = dataclasses.replace(
    programs.program('mobilenet_v1', SIDE, classes=7, width=0.25),
    contract=contract,
    answer='probabilities',
  )
  pixels = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
  photo = tmp_path / 'photo.png'
  Image.fromarray(pixels).save(photo)
  rounded = None
  if precision == 'int8':
    graph = graphs.of_program(program, 'test')
    rounded = Quantised(
      graph, calibration.observe(graph, [programs.images(4, SIDE)]).of
    )
  path = tmp_path / 'network.tflite'
  formats.write(program, path, 'tflite', precision, rounded)
  ours = exported_file.open_file(path)
  image = photos.prepare(photos.read_photo(photo), ours.ops)[None]
  (probabilities,) = np.asarray(ours.predictions(image)['probabilities'])
  expected = dict(zip(ours.outputs, probabilities, strict=True))

  options = vision.ImageClassifierOptions(
    base_options=BaseOptions(model_asset_path=str(path)), max_results=7
  )
  with vision.ImageClassifier.create_from_options(options) as classifier:
    seen = classifier.classify(mediapipe.Image.create_from_file(str(photo)))
  found = {c.category_name: c.score for c in seen.classifications[0].categories}
  assert set(found) == set(expected)
  for name, probability in expected.items():
    # Of integers a probability is one of 256.
    assert found[name] == pytest.approx(probability, abs=5e-3), name
