"""ImageNet weights of torchvision and a Keras network of dogs, on real photos."""

import json
import shutil

import jax
import numpy as np
import pytest

import input_pipeline
from input_pipeline import photos as photo_files
from mobilenet import experiment, trained
from mobilenet.models import zoo
from mobilenet.training import sharding
from mobilenet.training.evaluation import evaluate
from mobilenet.training.step import make_eval_step
from mobilenet.weights import class_names, loading
from tests import devices
from tests.parity import (
  frameworks,
  keras_models,
  plain_script,
  real_files,
  real_photos,
  torch_models,
)

pytestmark = [
  pytest.mark.parity,
  pytest.mark.filterwarnings(frameworks.KERAS_WARNING),
]


def fetched(what):
  try:
    return real_files.fetch(*what)
  except real_files.NotFetchedError as error:
    pytest.skip(str(error))


@pytest.fixture(scope='module')
def weights_file():
  return fetched(real_files.TORCHVISION_V2)[0]


@pytest.fixture(scope='module')
def photos():
  return fetched(real_files.PHOTOS)


@pytest.fixture(scope='module')
def imported(weights_file, tmp_path_factory):
  return real_photos.import_run(weights_file, tmp_path_factory.mktemp('v2') / 'run')


@pytest.fixture(scope='module')
def predictions(imported, photos, tmp_path_factory):
  return real_photos.predict(imported, photos, tmp_path_factory.mktemp('predictions'))


def test_photos_are_named_right(predictions, photos):
  assert len(photos) == 20
  first, best = real_photos.score(predictions, photos)
  print(real_photos.table(predictions, photos))
  assert first >= 17
  assert best == 20


def test_torchvision_names_them_the_same(predictions, photos, weights_file):
  if reason := frameworks.missing('torchvision'):
    pytest.skip(reason)
  theirs = real_photos.torchvision_predict(weights_file, photos)
  first, best = real_photos.score(theirs, photos)
  assert (first, best) == (18, 20)
  # torchvision rounds pixels to bytes after its resize and we do not.
  same = sum(
    ours[0] == found[0] for ours, found in zip(predictions, theirs, strict=True)
  )
  assert same >= 19


def test_real_logits_are_torchvisions(imported, photos, weights_file):
  if reason := frameworks.missing('torchvision'):
    pytest.skip(reason)
  torch, torchvision = (frameworks.load(name) for name in ('torch', 'torchvision'))
  model = torchvision.models.mobilenet_v2(weights=None).eval()
  model.load_state_dict(torch.load(weights_file, weights_only=True))
  run = trained.load_run(imported)
  images = prepared(run, photos)
  theirs = torch_models.run(model, images)
  ours = np.asarray(jax.jit(run.model.apply)(run.variables, images))
  assert np.abs(ours - theirs).max() <= 1e-4 * np.abs(theirs).max()


def prepared(run, photos) -> np.ndarray:
  ops = input_pipeline.parse_ops(experiment.ops(run.config, 'eval_ops'), 'eval')
  return np.stack([photo_files.prepare(photo_files.read_photo(p), ops) for p in photos])


def as_data(photos, root):
  """The photos as a validation split; of 20 classes, since no label is looked at."""
  for photo in photos:
    wnid = class_names.imagenet()[real_files.label_of(photo)][0]
    for split in ('train', 'val'):
      (root / split / wnid).mkdir(parents=True, exist_ok=True)
    shutil.copy(photo, root / 'val' / wnid / photo.name)
  return root


def test_evaluation_prediction_and_a_plain_script_agree(
  imported, photos, predictions, tmp_path
):
  mesh = sharding.make_mesh(devices.first(1))  # more would not divide the photos
  run = trained.load_run(imported, mesh)
  source = experiment.open_source(run.config, 'val', str(as_data(photos, tmp_path)))
  config = run.config.copy_and_resolve_references()
  config.eval_batch_size = 20
  batches = list(experiment.eval_batches(config, source, mesh))
  task = experiment.make_task(config)
  evaluated = evaluate(
    make_eval_step(run.model, task, mesh),
    task,
    {'best': run.variables},
    iter(batches),
    mesh,
    num_examples=source.num_examples,
    keep_predictions=True,
  )['best']
  kept = evaluated.predictions
  order = [source.describe(int(n)).rpartition('/')[2] for n in kept['index']]
  by_name = dict(zip(order, top_five(kept['probabilities']), strict=True))
  assert [by_name[photo.name] for photo in photos] == predictions

  pixels = {}
  for batch in batches:
    for index, image in zip(batch['index'], batch['image'], strict=True):
      if index >= 0:
        pixels[source.describe(int(index)).rpartition('/')[2]] = np.asarray(image)
  settings = json.loads((imported / 'config.json').read_text())
  plain = np.stack(
    [
      plain_script.prepare(p, settings['contract'], settings['resolution'])
      for p in photos
    ]
  )
  for photo, ours, theirs in zip(photos, prepared(run, photos), plain, strict=True):
    # A hundredth of a grey level, which is 0.017 here.
    np.testing.assert_allclose(ours, theirs, atol=2e-4, err_msg=photo.name)
    np.testing.assert_allclose(pixels[photo.name], theirs, atol=2e-4)
  logits = np.asarray(jax.jit(run.model.apply)(run.variables, plain))
  assert top_five(logits) == predictions


def top_five(scores: np.ndarray) -> list[list[str]]:
  names = [wnid for wnid, _ in class_names.imagenet()]
  best = np.argsort(-scores, axis=1, kind='stable')[:, :5]
  return [[names[label] for label in row] for row in best]


def test_a_nested_keras_network_with_a_head_of_its_own(photos):
  if reason := frameworks.missing('keras'):
    pytest.skip(reason)
  keras = frameworks.load('keras')
  (path,) = fetched(real_files.DOGS)
  weights = loading.load(path)
  assert weights.model['name'] == 'mobilenet_v2'
  assert weights.model['num_classes'] == 19
  assert weights.contract.resolution == 160
  contract = weights.contract.as_dict()
  images = np.stack([plain_script.prepare(p, contract, 160) for p in photos])
  theirs = keras_models.run(keras.models.load_model(path, compile=False), images)
  model = zoo.create(**weights.model)
  ours = np.asarray(jax.nn.softmax(jax.jit(model.apply)(weights.variables, images)))
  np.testing.assert_allclose(theirs.sum(axis=1), 1, atol=1e-5)  # its last is a softmax
  np.testing.assert_allclose(ours, theirs, atol=1e-5)
  assert theirs.max() > 0.5  # it says something
