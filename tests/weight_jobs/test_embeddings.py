"""A frozen network's embeddings: what they are, when they are kept, runs on them."""

import os
import shutil

import jax
import numpy as np
import pytest

import input_pipeline
from configs import transfer
from mobilenet import experiment, trained
from mobilenet.models import user_cache
from mobilenet.reports import run_report
from mobilenet.runs import embeddings, run_data
from mobilenet.runs import training as train_job
from mobilenet.training import sharding
from mobilenet.training.errors import TrainingError
from tests.weights.made_weights import CLASSES


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
  """One device, an empty cache, no report."""
  make_mesh = sharding.make_mesh
  monkeypatch.setattr(
    sharding, 'make_mesh', lambda shards=1: make_mesh(jax.devices()[:1])
  )
  monkeypatch.setattr(user_cache, 'folder', lambda name: tmp_path / 'cache' / name)
  monkeypatch.setattr(run_report, 'write_training', lambda *_, **__: None)


@pytest.fixture
def config(weight_file, photos):
  config = transfer.get_config('epochs=2')
  config.init, config.data.dir = str(weight_file), str(photos)
  config.resolution = 32
  config.batch_size, config.eval_batch_size = 4, 4
  config.model.lowering = 'native'
  config.log_steps = 1
  config.eval_every_epochs = config.checkpoint_every_epochs = 1.0
  return config


def completed(config):
  config, weights = trained.complete(config)
  model = experiment.make_model(config, CLASSES)
  variables = experiment.initial_variables(config, model, weights)
  source = experiment.open_source(config, 'train')
  return config, model, variables, source


def of(config):
  return embeddings.of_source(*completed(config))


def test_they_are_what_the_network_gives(config, capsys):
  whole, model, variables, source = completed(config)
  found = embeddings.of_source(whole, model, variables, source)
  assert found.values.shape == (len(CLASSES), 256)
  assert found.fields['label'].tolist() == list(range(len(CLASSES)))
  assert found.ok.all()
  batch = next(experiment.eval_batches(whole, source, sharding.make_mesh()))
  expected = model.apply(variables, batch['image'], method='embed')
  np.testing.assert_allclose(found.values[:4], expected, rtol=1e-3, atol=1e-5)
  assert f'{len(CLASSES)} images of train: computed for' in capsys.readouterr().out


def test_they_are_kept_and_used(config, capsys, monkeypatch):
  first = of(config)
  capsys.readouterr()
  monkeypatch.setattr(embeddings, '_computed', lambda *_: pytest.fail('computed again'))
  again = of(config)
  np.testing.assert_array_equal(first.values, again.values)
  assert 'all kept from an earlier run' in capsys.readouterr().out


def test_a_photo_that_changed_is_computed_alone(config, capsys, photos, tmp_path):
  own = tmp_path / 'photos'
  shutil.copytree(photos, own)
  config.data.dir = str(own)
  first = of(config)
  one, other = (own / 'train' / name / f'{name}.png' for name in CLASSES[:2])
  one.write_bytes(other.read_bytes())
  os.utime(one, ns=(1, 1))
  capsys.readouterr()
  again = of(config)
  assert 'computed for 1 in' in capsys.readouterr().out
  assert not np.array_equal(first.values[0], again.values[0])
  np.testing.assert_allclose(again.values[0], again.values[1], rtol=1e-5)
  np.testing.assert_array_equal(first.values[1:], again.values[1:])


def test_photos_that_change_places_are_computed_anew(config, photos, tmp_path):
  """Equal names, sizes and times; what the cache keeps is of the other photo."""
  own = tmp_path / 'photos'
  shutil.copytree(photos, own)
  config.data.dir = str(own)
  one, other = (own / 'train' / name for name in CLASSES[:2])
  length = max(path.stat().st_size for path in (own / 'train').glob('*/*'))
  for folder in (one, other):
    (path,) = folder.iterdir()
    path = path.rename(folder / 'photo.png')
    # What follows a PNG's end is passed over.
    path.write_bytes(path.read_bytes().ljust(length, b'\0'))
    os.utime(path, ns=(1, 1))
  first = of(config)
  one.rename(own / 'aside')
  other.rename(one)
  (own / 'aside').rename(other)
  again = of(config)
  np.testing.assert_allclose(again.values[:2], first.values[1::-1], rtol=1e-5)
  # The same file with other content, as a program leaves it that sets times back.
  photo = one / 'photo.png'
  photo.write_bytes((other / 'photo.png').read_bytes())
  os.utime(photo, ns=(1, 1))
  np.testing.assert_allclose(of(config).values[0], again.values[1], rtol=1e-5)


def test_other_weights_and_other_ops_are_other_embeddings(config):
  whole, model, variables, source = completed(config)
  paths = {embeddings._path(whole, model, variables, source)}
  paths.add(
    embeddings._path(whole, model, jax.tree.map(lambda v: 2 * v, variables), source)
  )
  whole.resolution = 48
  paths.add(embeddings._path(whole, model, variables, source))
  assert len(paths) == 3


def test_a_damaged_file_counts_as_none(config):
  first = of(config)
  (path,) = (user_cache.folder('embeddings')).glob('*.npz')
  path.write_bytes(path.read_bytes()[:200])
  np.testing.assert_array_equal(first.values, of(config).values)


def test_a_photo_that_cannot_be_read_is_left_out_and_named(config, photos, tmp_path):
  own = tmp_path / 'photos'
  shutil.copytree(photos, own)
  broken = own / 'train' / CLASSES[0] / 'broken.jpg'
  broken.write_bytes(b'no photo')
  config.data.dir = str(own)
  found = of(config)
  assert found.corrupt == [str(broken)]
  batches = found.train_batches(4, seed=0)
  assert batches.corrupt == [str(broken)]
  place = found.names.index(str(broken))
  assert not found.ok[place]
  for _ in range(6):
    for row in next(batches)['image']:
      assert np.any(row), 'the row of a photo that could not be read'
  masks = {
    int(index): mask
    for batch in found.eval_batches(4)
    for index, mask in zip(batch['index'], batch['mask'], strict=True)
  }
  assert masks.pop(-1, 0) == 0
  assert sorted(masks) == list(range(len(CLASSES) + 1))
  assert [n for n, mask in masks.items() if not mask] == [place]


@pytest.fixture
def broken(config, photos, tmp_path):
  """A photo that cannot be read, beside one that can."""
  shutil.copytree(photos, tmp_path / 'own')
  config.data.dir = str(tmp_path / 'own')
  path = tmp_path / 'own' / 'train' / CLASSES[0] / 'broken.png'
  path.write_bytes(b'no photo')
  return path


def test_a_photo_that_can_be_read_again_is(config, broken, monkeypatch):
  monkeypatch.setattr(
    embeddings, '_stamps', lambda source: [(n, '') for n in source.names]
  )
  first = of(config)
  assert first.corrupt == [str(broken)]
  shutil.copy(next(broken.parent.glob(f'{CLASSES[0]}*')), broken)
  again = of(config)
  assert again.ok.all()
  place = again.names.index(str(broken))
  np.testing.assert_allclose(again.values[place], first.values[1 - place], rtol=1e-5)


def test_the_limit_counts_what_an_earlier_run_left_out(config, broken):
  of(config)
  config.data.corrupt_limit = 0
  with pytest.raises(input_pipeline.DataError, match='1 unreadable images, more than'):
    of(config)


def test_a_class_without_a_readable_photo_is_named(config, broken, capsys):
  of(config)
  assert 'warning' not in capsys.readouterr().out
  for path in broken.parent.iterdir():
    path.write_bytes(b'no photo')
  of(config)
  line = f'warning: no image of {CLASSES[0]} in train can be read\n'
  assert line in capsys.readouterr().out


def test_numbers_that_are_not_finite_are_neither_used_nor_kept(config):
  whole, model, variables, source = completed(config)
  wrong = jax.tree.map(lambda value: np.full_like(value, np.nan), variables)
  for _ in range(2):
    with pytest.raises(TrainingError, match=r'not finite for .*: are its weights'):
      embeddings.of_source(whole, model, wrong, source)
  assert not list(user_cache.folder('embeddings').glob('*'))


def test_photos_of_which_none_can_be_read_are_one_line(config, tmp_path):
  for name in CLASSES:
    path = tmp_path / 'broken' / 'train' / name / 'broken.jpg'
    path.parent.mkdir(parents=True)
    path.write_bytes(b'no photo')
  config.data.dir = str(tmp_path / 'broken')
  with pytest.raises(TrainingError, match=r'none of the 6 images of train can be read'):
    of(config)


def made(count):
  return embeddings.Embeddings(
    np.arange(count, dtype=np.float32)[:, None],
    {'label': np.arange(count, dtype=np.int32)},
    np.ones(count, bool),
    tuple(map(str, range(count))),
  )


def test_batches_are_a_function_of_the_step():
  kept = made(10)
  straight = kept.train_batches(4, seed=1)
  batches = [next(straight)['label'] for _ in range(8)]
  for step in range(8):
    np.testing.assert_array_equal(
      next(kept.train_batches(4, 1, step))['label'], batches[step]
    )
  flat = np.concatenate(batches)
  for epoch in range(3):
    assert sorted(flat[10 * epoch : 10 * epoch + 10]) == list(range(10))
  assert not np.array_equal(flat[:10], flat[10:20])


@pytest.mark.parametrize(
  ('fields', 'expected'),
  [
    ({}, True),
    ({'model.trained': 'head'}, False),
    ({'data.train_ops': '{contract}|flip'}, False),
    ({'data.batch_ops': 'mixup(0.2)'}, False),
  ],
)
def test_they_suffice_where_nothing_is_drawn(config, fields, expected):
  config, _ = trained.complete(config)
  config.update_from_flattened_dict(fields)
  if 'flip' in config.data.train_ops:
    config.data.train_ops = 'flip|{contract}'
  assert embeddings.suffice(config) == expected


def test_too_many_are_refused_in_one_line(config, monkeypatch):
  monkeypatch.setattr(embeddings, '_MOST_BYTES', 1000)
  with pytest.raises(TrainingError, match=r'of \d+ images of train need .* GiB'):
    of(config)


@pytest.mark.heavy
def test_a_run_on_them_resumes_and_is_a_run_of_the_whole_network(config, tmp_path):
  train_job.train(config, tmp_path / 'straight')
  run = trained.load_run(tmp_path / 'straight')
  _, _, variables, _ = completed(config)
  body, trunk = run.variables['params']['backbone'], variables['params']['backbone']
  jax.tree.map(np.testing.assert_array_equal, body, trunk)
  cut = tmp_path / 'cut'
  shutil.copytree(tmp_path / 'straight', cut)
  first, last = sorted((cut / 'checkpoints').iterdir(), key=lambda p: int(p.name))
  shutil.rmtree(last)
  train_job.train(config, cut)
  resumed = trained.load_run(cut)
  assert resumed.step == run.step > int(first.name)
  jax.tree.map(np.testing.assert_array_equal, resumed.variables, run.variables)
  images = np.zeros((2, 32, 32, 3), np.float32)
  assert run.model.apply(run.variables, images).shape == (2, len(CLASSES))


@pytest.mark.heavy
def test_the_classifier_learns_first(config, tmp_path, capsys):
  config.model.trained = 'last 2'
  config.data.train_ops = 'flip|{contract}'
  config.head_first.epochs = 2.0
  folder = tmp_path / 'run'
  train_job.train(config, folder)
  assert 'first the classifier alone, for 2 epochs:' in capsys.readouterr().out
  head = trained.load_run(folder / train_job.HEAD_FOLDER)
  assert head.config.model.trained == 'classifier'
  _, _, variables, _ = completed(config)
  trunk = variables['params']['backbone']
  jax.tree.map(
    np.testing.assert_array_equal, head.variables['params']['backbone'], trunk
  )
  whole = trained.load_run(folder)
  for name, values in whole.variables['params']['backbone'].items():
    same = all(
      np.array_equal(a, b)
      for a, b in zip(
        jax.tree.leaves(values), jax.tree.leaves(trunk[name]), strict=True
      )
    )
    assert same != whole.model.learns(('backbone', name)), name
  # The same command again trains nothing.
  train_job.train(config, folder)
  out = capsys.readouterr().out
  assert 'nothing to train' in out
  assert 'first the classifier' not in out


@pytest.mark.heavy
def test_the_classifier_learns_from_the_photos_of_its_run_alone(
  config, photos, tmp_path, capsys, monkeypatch
):
  """A kill after the classifier, then photos go: the seed puts others aside."""
  for name in CLASSES:
    for n in range(10):
      path = tmp_path / 'own' / name / f'{n}.png'
      path.parent.mkdir(parents=True, exist_ok=True)
      shutil.copy(photos / 'train' / name / f'{name}.png', path)
  config.data.dir = str(tmp_path / 'own')
  config.model.trained, config.data.train_ops = 'last 2', 'flip|{contract}'
  config.head_first.epochs, config.steps = 1.0, 1
  folder = tmp_path / 'run'

  def recorded():
    return [run_data.recorded(place) for place in (folder / 'head', folder)]

  with monkeypatch.context() as patch:
    for said in ('embeddings of', 'nothing to train'):  # the classifier once alone
      patch.setattr(train_job, 'to_learn', of_the_first_run(TO_LEARN))
      with pytest.raises(KeyboardInterrupt):
        train_job.train(config, folder)
      assert said in capsys.readouterr().out
  before, _ = recorded()
  for name in before.evaluation.names[::2]:
    (tmp_path / 'own' / name).unlink()
  train_job.train(config, folder)
  assert 'the photos are others than when it began' in capsys.readouterr().out
  head, whole = recorded()
  assert run_data.same(head, whole)
  assert set(whole.evaluation.names) & set(before.train.names), 'the case that is meant'
  assert not set(whole.evaluation.names) & set(head.train.names)


TO_LEARN = train_job.to_learn


def of_the_first_run(to_learn):
  """`to_learn` that a kill interrupts when the second run asks."""
  called = []

  def first(*arguments):
    called.append(arguments)
    if len(called) > 1:
      raise KeyboardInterrupt
    return to_learn(*arguments)

  return first
