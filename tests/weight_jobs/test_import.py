"""Import: one preparation in all that uses a workdir, and all of it or nothing."""

import dataclasses
import json

import pytest

import input_pipeline
from configs import finetune, folder, v1
from mobilenet import experiment, trained, trained_jobs
from mobilenet.reports import prediction
from mobilenet.training import workdir
from mobilenet.training.errors import TrainingError
from mobilenet.weights import own_file
from mobilenet.weights.sources import TIMM
from tests.weights.made_weights import made, same_variables

CONTRACT = "resize_small(73, 'bicubic', antialias=True)|central_crop(64)"
SLIMS = 'central_fraction(0.875)|resize(64)|value_range(-1, 1)'


def asked(init, make=v1.get_config, arg='width=0.25,resolution=64', **fields):
  config = make(arg)
  config.init = str(init)
  config.update_from_flattened_dict(fields)
  return config


def imported(config, run, capsys):
  """(what the line on images says, the other lines)."""
  trained_jobs.import_weights(config, run)
  lines = capsys.readouterr().out.splitlines()
  (images,) = (line for line in lines if line.startswith('images: '))
  return images.removeprefix('images: ').partition(';')[0], lines


def predicted_with(run, photo, monkeypatch):
  """The ops that --job=predict gives its photos."""

  class Seen(Exception):
    pass

  def see(model, variables, paths, ops, batch_size):
    raise Seen(ops)

  monkeypatch.setattr(prediction, 'predict_photos', see)
  with pytest.raises(Seen) as seen:
    trained_jobs.predict(run, [str(photo)])
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
    trained_jobs.import_weights(asked(weight_file, **fields), tmp_path / 'run')
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
      trained_jobs.import_weights(asked(weight_file), run)
  left = [path.name for path in tmp_path.rglob('*')]
  assert sorted(left) == (['notes.txt', 'run'] if there else [])
  trained_jobs.import_weights(asked(weight_file), run)
  names = {path.name for path in run.iterdir()}
  assert names - {'notes.txt'} == {'config.json', 'classes.json', own_file.FILE}
  assert json.loads((run / 'config.json').read_text())['data']['own_ops'] is False
