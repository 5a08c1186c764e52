"""All configs make sense without being run."""

import importlib
import json
import pathlib

import pytest

import input_pipeline
from mobilenet.models import counting, zoo
from mobilenet.training.optimizer import make_optimizer
from mobilenet.training.plan import make_plan
from mobilenet.training.schedules import make_schedule

FILES = sorted((pathlib.Path(__file__).parents[1] / 'configs').glob('[!_]*.py'))
NAMES = [file.stem for file in FILES if file.stem != 'common']


def load(name, arg=None):
  return importlib.import_module(f'configs.{name}').get_config(arg)


def check(config):
  """Everything that a run reads of a config before it opens data."""
  config.lock()
  model = zoo.create(num_classes=10, **config.model)
  plan = make_plan(config, num_examples=1_281_167)
  schedule = make_schedule(
    config.schedule,
    total_steps=plan.total_steps,
    steps_per_epoch=plan.steps_per_epoch,
    batch_size=config.batch_size,
  )
  make_optimizer(config.optimizer, schedule)
  for field in ('train_ops', 'eval_ops', 'batch_ops'):
    ops = config.data[field].replace('{resolution}', str(config.resolution))
    input_pipeline.check_ops(ops, field.removesuffix('_ops'))
  json.dumps(config.to_dict())
  return model


@pytest.mark.parametrize('name', NAMES)
def test_a_config_can_be_run(name):
  check(load(name))


@pytest.mark.parametrize(
  'name', [n for n in NAMES if n.startswith('v')], ids=lambda n: n
)
def test_quick_keeps_the_experiment(name):
  full, quick = load(name), load(name, 'quick')
  check(quick)
  assert quick.data.name == 'made'
  for field in ('optimizer', 'loss', 'ema_decay'):
    assert quick.to_dict()[field] == full.to_dict()[field]
  assert quick.data.train_ops == full.data.train_ops
  assert quick.schedule.name == full.schedule.name


def test_width_and_resolution_reach_the_model():
  config = load('v1', 'width=0.5,resolution=160')
  parameters, multiply_adds = counting.count(check(config), config.resolution)
  # Of 1,000 classes 10 are left, each of 512 weights and a bias.
  assert multiply_adds == 76_524_800 - 990 * 512
  assert parameters == 1_331_592 - 990 * 513


def test_the_docstring_of_a_config_holds_its_command():
  for file in FILES:
    if file.stem != 'common':
      assert f'--config=configs/{file.name}' in file.read_text(), file.name


@pytest.mark.parametrize(
  ('arg', 'message'),
  [
    ('widht=1', "'widht' does not exist; did you mean width"),
    ('zzz', 'there are width, resolution'),
    ('width=a', 'width is a number'),
    ('resolution=1.5', 'a whole number'),
    ('quick=maybe', 'quick is true or false'),
  ],
)
def test_wrong_arguments(arg, message):
  with pytest.raises(ValueError, match=message):
    load('v2', arg)
