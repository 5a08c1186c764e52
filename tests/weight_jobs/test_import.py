"""Import: one preparation in all that uses a workdir, and all of it or nothing."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file

import input_pipeline
from configs import finetune, folder, v1
from input_pipeline import photos as photo_files
from mobilenet import experiment, trained
from mobilenet.jobs import export as export_job
from mobilenet.jobs import import_weights, predict
from mobilenet.reports import prediction
from mobilenet.training import workdir
from mobilenet.training.errors import TrainingError
from mobilenet.weights import dense, exporting, official, own_file
from mobilenet.weights.sources import TIMM
from tests.weights.keras_writer import headed_config, layer_config, write_model
from tests.weights.made_weights import (
  CLASSES,
  lively,
  made,
  of_source,
  same_variables,
  source,
  their_file,
)

CONTRACT = "resize_small(73, 'bicubic', antialias=True)|central_crop(64)"
SLIMS = 'central_fraction(0.875)|resize(64)|value_range(-1, 1)'


def asked(init, make=v1.get_config, arg='width=0.25,resolution=64', **fields):
  config = make(arg)
  config.init = str(init)
  config.update_from_flattened_dict(fields)
  return config


def imported(config, run, capsys):
  """(what the line on images says, the other lines)."""
  import_weights.import_weights(config, run)
  lines = capsys.readouterr().out.splitlines()
  (images,) = (line for line in lines if line.startswith('images: '))
  return images.removeprefix('images: ').partition(';')[0], lines


def predicted_with(run, photo, monkeypatch):
  """The ops that --job=predict gives its photos."""

  class Seen(Exception):
    pass

  def see(model, task, variables, paths, ops, batch_size, **_):
    raise Seen(ops)

  monkeypatch.setattr(prediction, 'predict_photos', see)
  with pytest.raises(Seen) as seen:
    predict.predict(run, [str(photo)])
  return seen.value.args[0]


@pytest.mark.parametrize(
  ('make', 'arg'),
  [(v1.get_config, 'width=0.25,resolution=64'), (finetune.get_config, None)],
)
def test_the_printed_preparation_is_the_one_that_is_used(
  make, arg, weight_file, photos, tmp_path, capsys, monkeypatch
):
  config = asked(weight_file, make, arg, resolution=64)
  images, _ = imported(config, tmp_path / 'run', capsys)
  assert images == f'{CONTRACT}|value_range(-1, 1)'
  run = trained.load_run(tmp_path / 'run')
  assert experiment.ops(run.config, 'eval_ops') == images
  photo = photos / 'val' / 'ash' / 'ash.png'
  used = predicted_with(tmp_path / 'run', photo, monkeypatch)
  assert used == input_pipeline.parse_ops(images, 'eval')
  saved = trained.to_weights(run).contract
  assert saved == dataclasses.replace(TIMM, mean=(0.5,) * 3, std=(0.5,) * 3)


def test_a_segmenter_goes_in_and_out(tmp_path, capsys):
  of = dense.SOURCES[1]
  style = {'padding': 'torch', 'norm_epsilon': 1e-3}
  weights = made(of.network, num_classes=2, contract=of.contract, **style)
  names = tmp_path / 'names.txt'
  names.write_text('sky\nearth\n')
  theirs, again = tmp_path / 'a.safetensors', tmp_path / 'b.safetensors'
  exporting.export(weights, 'torchvision', theirs)
  run = tmp_path / 'run'
  config = finetune.get_config()
  config.init = str(theirs)
  import_weights.import_weights(config, run, str(names))
  lines = capsys.readouterr().out.splitlines()
  assert lines[1].startswith('3,218,308 parameters')
  assert lines[1].endswith('2 classes (sky, earth)')
  export_job.export_weights(run, 'torchvision', again)
  assert theirs.read_bytes() != again.read_bytes()  # the names of the classes
  there, back = load_file(theirs), load_file(again)
  assert there.keys() == back.keys()
  assert all(np.array_equal(there[name], back[name]) for name in there)
  loaded = trained.load_run(run)
  images = jax.ShapeDtypeStruct((1, 64, 64, 3), np.float32)
  logits = jax.eval_shape(loaded.model.apply, loaded.variables, images)
  assert logits.shape[-1] == 2
  stored = trained.to_weights(loaded)
  assert stored.class_names == ('sky', 'earth')
  # It looks at whole pictures, whatever the size of the file's was.
  assert (stored.contract.mean, stored.contract.std) == (
    of.contract.mean,
    of.contract.std,
  )
  assert (stored.contract.resize, stored.contract.crop_fraction) == ('squash', 1)
  with pytest.raises(TrainingError, match='is a network for segmentation, the config'):
    trained.complete(config)


def test_any_recipe_trains_on_pixels_that_the_weights_understand(weights):
  other = dataclasses.replace(weights.contract, mean=(0.4, 0.5, 0.6))
  weights = dataclasses.replace(weights, contract=other)
  ends = {
    'flip|value_range(-1, 1)': 'flip|normalize((0.4, 0.5, 0.6), (0.5, 0.5, 0.5))',
    'flip | bgr | normalize()': 'flip | normalize((0.4, 0.5, 0.6), (0.5, 0.5, 0.5))',
    'flip': 'flip|normalize((0.4, 0.5, 0.6), (0.5, 0.5, 0.5))',
    '': 'normalize((0.4, 0.5, 0.6), (0.5, 0.5, 0.5))',
    'flip|{normalize}': 'flip|normalize((0.4, 0.5, 0.6), (0.5, 0.5, 0.5))',
  }
  for given, wanted in ends.items():
    config = asked('', **{'data.train_ops': given})
    ready = experiment.with_weights(config, weights)
    found = experiment.ops(ready, 'train_ops')
    assert input_pipeline.parse_ops(found) == input_pipeline.parse_ops(wanted)
  ready = experiment.with_weights(asked('', folder.get_config, 'model='), weights)
  assert experiment.ops(ready, 'train_ops') == (
    'inception_crop(96, area=(0.25, 1))|flip|color|'
    'normalize((0.4, 0.5, 0.6), (0.5, 0.5, 0.5))'
  )


def test_a_config_keeps_its_own_ops_only_where_it_says_so(
  weight_file, photos, tmp_path, capsys, monkeypatch
):
  config = asked(weight_file, **{'data.own_ops': True})
  images, lines = imported(config, tmp_path / 'run', capsys)
  assert images == SLIMS
  assert [line for line in lines if line.startswith('warning: ')] == [
    f'warning: data.own_ops keeps {SLIMS!r} for evaluation, the weights want '
    f'{CONTRACT + "|value_range(-1, 1)"!r}'
  ]
  photo = photos / 'val' / 'ash' / 'ash.png'
  used = predicted_with(tmp_path / 'run', photo, monkeypatch)
  assert used == input_pipeline.parse_ops(SLIMS, 'eval')
  run = trained.load_run(tmp_path / 'run')
  assert trained.to_weights(run).contract.eval_ops() == SLIMS


def test_own_ops_that_are_the_contracts_are_not_warned_of(
  weight_file, tmp_path, capsys
):
  own = {'data.own_ops': True, 'data.eval_ops': '{contract}'}
  _, lines = imported(asked(weight_file, **own), tmp_path / 'run', capsys)
  assert not [line for line in lines if line.startswith('warning: ')]


def test_a_network_trained_from_scratch_comes_back(tmp_path, capsys):
  """Its config leaves padding and epsilon to the network."""
  weights = made('mobilenet_v1', width=0.25, padding=None, norm_epsilon=None)
  own_file.save(tmp_path / 'mine.safetensors', weights)
  config = asked(tmp_path / 'mine.safetensors')
  _, lines = imported(config, tmp_path / 'run', capsys)
  assert lines[2].endswith('; padding tf, BatchNorm epsilon 0.001')
  run = trained.load_run(tmp_path / 'run')
  assert same_variables(run.variables, weights.variables)


@pytest.mark.parametrize(
  ('fields', 'message'),
  [
    ({'contract.resize': 'crop'}, 'contract resize is'),
    ({'model.hidden_width': 16}, r'- params/head/hidden/bias \(16,\)'),
    ({'data.own_ops': True, 'data.eval_ops': 'flipp'}, 'flip'),
  ],
)
def test_what_does_not_fit_is_told_before_anything_is_written(
  fields, message, weight_file, tmp_path
):
  with pytest.raises(ValueError, match=message):
    import_weights.import_weights(asked(weight_file, **fields), tmp_path / 'run')
  assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('there', [True, False])
def test_a_write_that_fails_leaves_nothing_behind(
  there, weight_file, tmp_path, monkeypatch
):
  run = tmp_path / 'run'
  if there:
    run.mkdir()
    (run / 'notes.txt').write_text('mine')

  def full(*arguments):
    raise TrainingError('cannot write: the disk is full')

  with monkeypatch.context() as patch:
    patch.setattr(workdir, 'write_config', full)
    with pytest.raises(TrainingError, match='the disk is full'):
      import_weights.import_weights(asked(weight_file), run)
  left = [path.name for path in tmp_path.rglob('*')]
  assert sorted(left) == (['notes.txt', 'run'] if there else [])
  import_weights.import_weights(asked(weight_file), run)
  names = {path.name for path in run.iterdir()}
  made = {'config.json', 'classes.json', 'classes.blake2b', own_file.FILE}
  assert names - {'notes.txt'} == made
  assert json.loads((run / 'config.json').read_text())['data']['own_ops'] is False


@pytest.fixture(scope='module')
def binary(tmp_path_factory):
  """A Keras V1 with one sigmoid on it, and its kernel and bias."""
  of = source('keras.applications', 'mobilenet_v1')
  arrays = their_file(lively(of_source(of, width=0.25)), of).tensors
  arrays = {n: v for n, v in arrays.items() if not n.startswith('conv_preds')}
  rng = np.random.default_rng(0)
  kernel = rng.normal(0, 0.3, (256, 1)).astype(np.float32)
  head = {'dense/kernel': kernel, 'dense/bias': np.float32([0.2])}
  dense = layer_config('dense', 'Dense', activation='sigmoid')
  path = tmp_path_factory.mktemp('binary') / 'cats_or_dogs.h5'
  write_model(path, arrays | head, headed_config(dense, size=64))
  return path, kernel, 0.2


def test_one_sigmoid_predicts_its_own_probabilities(binary, photos, tmp_path, capsys):
  path, kernel, bias = binary
  (tmp_path / 'names.txt').write_text('cat\ndog\n')
  config = asked(path, finetune.get_config, None)
  names = str(tmp_path / 'names.txt')
  import_weights.import_weights(config, tmp_path / 'run', names)
  out = capsys.readouterr().out
  assert ' at 64 px, 2 classes (cat, dog)\n' in out
  assert (
    'note: its one output, a sigmoid, is the probability of class 1, and the rest that '
    'of class 0; of two folders Keras has the one that is second by name as class 1\n'
  ) in out
  run = trained.load_run(tmp_path / 'run')
  paths = [photos / 'val' / name / f'{name}.png' for name in CLASSES]
  predict.predict(tmp_path / 'run', list(map(str, paths)), out=tmp_path)
  told = json.loads((tmp_path / 'predictions.json').read_text())
  told = [{row['class']: row['probability'] for row in p['predictions']} for p in told]
  ops = input_pipeline.parse_ops(experiment.ops(run.config, 'eval_ops'), 'eval')
  images = [photo_files.prepare(photo_files.read_photo(path), ops) for path in paths]

  def features(variables, images):
    return run.model.apply(variables, images, method='features')[0]

  pooled = np.mean(jax.jit(features)(run.variables, np.stack(images)), axis=(1, 2))
  wanted = 1 / (1 + np.exp(-(pooled @ kernel + bias)[:, 0]))
  assert np.ptp(wanted) > 0.05, 'photos that make no difference would prove nothing'
  np.testing.assert_allclose([row['dog'] for row in told], wanted, atol=1e-4)
  np.testing.assert_allclose([row['cat'] for row in told], 1 - wanted, atol=1e-4)


def test_what_is_assumed_is_told_field_by_field(binary, tmp_path, capsys):
  _, lines = imported(asked(binary[0]), tmp_path / 'one', capsys)
  told = [line for line in lines if 'note: assumed' in line]
  assert told == [
    'note: assumed, since the file does not say it: mean (0.5, 0.5, 0.5), std (0.5, '
    '0.5, 0.5), resize squash, crop_fraction 1.0, interpolation bilinear, antialias '
    'False, channel_order rgb; set what is otherwise with --config.contract.mean=...'
  ]
  fields = {'mean': (0, 0, 0), 'std': (1, 1, 1), 'antialias': True}
  fields |= {'resize': 'short_side', 'channel_order': 'rgb'}
  given = {f'contract.{name}': value for name, value in fields.items()}
  _, lines = imported(asked(binary[0], **given), tmp_path / 'two', capsys)
  assert [line for line in lines if 'note: assumed' in line] == [
    'note: assumed, since the file does not say it: crop_fraction 1.0, interpolation '
    'bilinear; set what is otherwise with --config.contract.crop_fraction=...'
  ]


def test_a_known_file_leaves_nothing_to_assume(weight_file, monkeypatch):
  digest = official.sha256(weight_file)[:8]
  known = official.Official(f'https://example.org/v1-{digest}.pth', 'timm')
  assert trained.load_weights(str(weight_file)).assumed
  monkeypatch.setattr(official, 'OFFICIAL', (known,))
  assert trained.load_weights(str(weight_file)).assumed == ()


def test_an_activation_that_is_assumed_may_be_set(weights, tmp_path, capsys):
  tensors = exporting._tensors(weights, source('timm', 'mobilenet_v1'))
  tensors = {n: v for n, v in tensors.items() if not n.startswith('classifier')}
  for name, shape in {'fc1': (8, 256), 'fc2': (3, 8)}.items():
    tensors[f'{name}.weight'] = np.ones(shape, np.float32)
    tensors[f'{name}.bias'] = np.ones(shape[0], np.float32)
  path = tmp_path / 'mine.safetensors'
  exporting.torch_file.write_safetensors(path, tensors)
  _, lines = imported(asked(path), tmp_path / 'one', capsys)
  assert 'note: taken for a hidden layer and the classifier: fc1, fc2' in lines
  assert (
    'note: assumed, since the file does not say it: hidden_act relu; set what is '
    'otherwise with --config.model.hidden_act=...'
  ) in lines
  given = {'model.hidden_act': 'gelu'}
  _, lines = imported(asked(path, **given), tmp_path / 'two', capsys)
  assert not [line for line in lines if 'hidden_act' in line]
  assert trained.load_run(tmp_path / 'two').model.network.head.act == 'gelu'
