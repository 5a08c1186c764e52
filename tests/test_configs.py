"""All configs make sense without being run."""

import importlib
import json
import pathlib

import pytest
from ml_collections import ConfigDict

from configs import common, finetune
from mobilenet import config_files, experiment, trained
from mobilenet.models import counting, zoo
from mobilenet.sweeps import items as sweep_items
from mobilenet.training.errors import TrainingError
from mobilenet.training.optimizer import make_optimizer
from mobilenet.training.plan import make_plan
from mobilenet.training.schedules import make_schedule
from mobilenet.weights.contract import Contract
from mobilenet.weights.own_file import Weights

FILES = sorted((pathlib.Path(__file__).parents[1] / 'configs').glob('[!_]*.py'))
# What others share.
SHARED = ('common', 'detection', 'embeddings', 'segmentation')
NAMES = [file.stem for file in FILES if file.stem not in SHARED]
# Their network and its size are those of weights.
OF_WEIGHTS = ('dogs', 'finetune', 'qat', 'transfer')


def module(name):
  return importlib.import_module(f'configs.{name}')


def load(name, arg=None):
  return module(name).get_config(arg)


def check(config):
  """Everything that a run reads of a config before it opens data."""
  config.lock()
  model = experiment.make_model(config, ('',) * 10)
  plan = make_plan(config, num_examples=1_281_167)
  schedule = make_schedule(
    config.schedule,
    total_steps=plan.total_steps,
    steps_per_epoch=plan.steps_per_epoch,
    batch_size=config.batch_size,
  )
  make_optimizer(config.optimizer, schedule)
  experiment.check_ops(config)
  json.dumps(config.to_dict())
  return model


def with_weights(config):
  """The config as it is after small weights are read."""
  model = {'name': 'mobilenet_v1', 'width': 0.25, 'num_classes': 5, 'padding': 'torch'}
  contract = Contract(mean=(0.4, 0.5, 0.6), resolution=160)
  return experiment.with_weights(config, Weights('small', model, {}, contract, None))


@pytest.mark.parametrize('name', [name for name in NAMES if name not in OF_WEIGHTS])
def test_a_config_can_be_run(name):
  check(load(name))


@pytest.mark.parametrize('kind', finetune.KINDS)
def test_every_kind_of_picture_has_its_augmentation(kind):
  ready = with_weights(load('finetune', f'kind={kind}'))
  check(ready)
  text = experiment.ops(ready, 'train_ops')
  assert ('flip' in text or 'turn' in text) == (kind in ('natural', 'microscopy'))
  with pytest.raises(ValueError, match=r'kind=photo: natural, xray'):
    load('finetune', 'kind=photo')


def test_fine_tuning_takes_from_weights_what_it_does_not_say():
  config = load('finetune')
  with pytest.raises(TrainingError, match=r'set --config\.init=FILE'):
    experiment.check_ops(config)
  ready = with_weights(config)
  model = check(ready)
  assert model.network.style.padding == 'torch'
  assert (ready.model.name, ready.model.width) == ('mobilenet_v1', 0.25)
  assert (ready.resolution, ready.contract.resolution) == (160, 160)
  assert (ready.new_head, ready.model.dropout) == (True, 0.2)
  assert experiment.ops(ready, 'train_ops') == (
    'inception_crop(160, area=(0.25, 1))|flip|color|'
    'normalize((0.4, 0.5, 0.6), (0.5, 0.5, 0.5))'
  )


def test_a_rounded_network_starts_as_the_fine_tuned_one_ends():
  ready = with_weights(load('qat', 'kind=sign'))
  model = check(ready)
  assert not model.network.style.norm
  assert (ready.new_head, ready.head_first.epochs) == (False, 0)
  fine_tuned = with_weights(load('finetune', 'kind=sign'))
  for name in ('train_ops', 'eval_ops'):
    assert experiment.ops(ready, name) == experiment.ops(fine_tuned, name)


@pytest.mark.parametrize(
  'name', [n for n in NAMES if n.startswith(('v', 'sh', 'sq', 'mnas'))], ids=lambda n: n
)
def test_quick_keeps_the_experiment(name):
  full, quick = load(name), load(name, 'quick')
  check(quick)
  assert quick.data.name == 'made'
  for field in ('optimizer', 'loss', 'ema_decay'):
    assert quick.to_dict()[field] == full.to_dict()[field]
  assert quick.data.train_ops == full.data.train_ops
  assert quick.schedule.name == full.schedule.name


@pytest.mark.parametrize(
  ('name', 'arg'),
  [
    *(('v4', f'size={size}') for size in module('v4').TABLE_10),
    ('desk', 'data=folder'),
    ('squeezenet', 'digits'),
    ('squeezenet', 'model=squeezenet_1_0_complex_bypass'),
    ('mnasnet', 'model=mnasnet_b1'),
    ('mnasnet', 'model=mnasnet_small,width=0.75'),
    ('shufflenet_v1', 'digits'),
    ('shufflenet_v1', 'groups=8,width=0.25'),
    ('shufflenet_v2', 'digits,width=0.5'),
  ],
)
def test_arguments_make_other_experiments(name, arg):
  check(load(name, arg))
  assert load(name, arg).to_dict() != load(name).to_dict() or arg == 'size=conv_small'


def test_v4_is_its_table():
  """A column, and what the columns have in common; 2404.10518, Table 10."""
  config = load('v4', 'size=hybrid_large')
  assert (config.batch_size, config.epochs, config.resolution) == (16384, 500, 384)
  assert (config.schedule.learning_rate, config.schedule.end_factor) == (0.01, 0.001)
  assert (config.optimizer.b1, config.optimizer.weight_decay) == (0.9, 0.2)
  assert config.ema_decay is None
  assert load('v4').ema_decay == 0.9999
  with pytest.raises(ValueError, match='size=tiny: one of conv_small'):
    load('v4', 'size=tiny')


@pytest.mark.parametrize(
  ('arg', 'epochs', 'train_size', 'shown'),
  [
    ('', 3600, 224, 'resize_small(256, '),
    ('model=mobilenet_v3_large', 3600, 224, 'resize_small(236, '),
    ('model=mobilenet_v4_conv_small', 2400, 224, 'resize_small(256, '),
    ('model=mobilenet_v2', 600, 176, 'resize_small(232, '),
    ('model=mobilenet_v3_large,recipe=torchvision', 600, 176, 'resize_small(232, '),
    ('data=folder', 50, 96, 'resize_small(110, '),
    ('recipe=torchvision,data=folder,epochs=7', 7, 75, 'resize_small(99, '),
    ('model=mobilenet_v2,quick', 4, 50, 'resize_small(66, '),
  ],
)
def test_modern_recipes_have_their_lengths_and_sizes(arg, epochs, train_size, shown):
  config = load('modern', arg)
  check(config)
  assert config.epochs == epochs
  assert f'inception_crop({train_size},' in experiment.ops(config, 'train_ops')
  assert shown in experiment.ops(config, 'eval_ops')
  # A weight file can say how its images are prepared.
  assert trained.contract_of_run(config).resolution == config.resolution
  assert config.batch_size % config.data.repeats == 0


def test_mnasnet_is_evaluated_on_the_middle():
  """Of a short side 32 px longer, as in the authors' code; a file can say so."""
  for arg, side, shown in (
    ('', 224, 256),
    ('resolution=96', 96, 128),
    ('quick', 64, 96),
  ):
    config = load('mnasnet', arg)
    check(config)
    assert experiment.ops(config, 'eval_ops').startswith(
      f'resize_small({shown})|central_crop({side})|'
    )
    contract = trained.contract_of_run(config)
    assert (contract.resolution, contract.crop_fraction) == (side, side / shown)


def test_torchvisions_recipe_is_its_command():
  """pytorch/vision#5560."""
  config = load('modern', 'model=mobilenet_v2')
  assert (config.batch_size, config.data.repeats) == (8 * 128, 4)
  assert (config.schedule.learning_rate, config.schedule.warmup_epochs) == (0.5, 5)
  assert (config.loss.l2, config.loss.label_smoothing) == (2e-5, 0.1)
  assert 'trivialaug|erase(0.1' in config.data.train_ops
  # --model-ema: 0.99998 every 32 steps, corrected by batch and epochs.
  every_32 = 1 - (1 - 0.99998) * 1024 * 32 / 600
  assert config.ema_decay**32 == pytest.approx(every_32, abs=1e-5)
  small = load('modern', 'model=mobilenet_v2,data=folder')
  assert (config.model.init, small.model.init) == ('fan_out', None)
  assert small.schedule.learning_rate / 0.5 == small.batch_size / config.batch_size


@pytest.mark.parametrize(
  ('name', 'arg', 'message'),
  [
    ('modern', 'recipe=ra5', 'recipe=ra5: ra4, torchvision$'),
    ('modern', 'data=flowers', 'data=flowers: imagenet2012, folder$'),
    ('dogs', 'stage=dirty', 'stage=dirty: noisy, clean$'),
    ('dogs', 'data=cats', 'data=cats: folder, stanford_dogs$'),
    (
      'dogs',
      'stage=clean,model=mobilenet_v1',
      'has the network of the first, --config',
    ),
    ('dogs', 'width=0.5', 'width=0.5: weights have their own width'),
  ],
)
def test_arguments_that_no_recipe_has(name, arg, message):
  with pytest.raises(ValueError, match=message):
    load(name, arg)


def test_width_and_resolution_reach_the_model():
  config = load('v1', 'width=0.5,resolution=160')
  parameters, multiply_adds = counting.count(check(config), config.resolution)
  # Of 1,000 classes 10 are left, each of 512 weights and a bias.
  assert multiply_adds == 76_524_800 - 990 * 512
  assert parameters == 1_331_592 - 990 * 513


def test_the_docstring_of_a_config_holds_its_command():
  for file in FILES:
    if file.stem not in SHARED:
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


SWEEPS = {
  'attributes': {'grid': 6, 'seeds': 3},
  'compare': {'trunks': 8, 'all': 11},
  'deeplab_v2': {'widths': 2, 'learning_rates': 3, 'seeds': 3},
  'desk': {'grid': 17, 'questions': 6, 'seeds': 3},
  'detect_folder': {'learning_rates': 3, 'seeds': 3, 'folds': 5},
  'distill': {'seeds': 3, 'shares': 3, 'features': 3, 'temperatures': 3},
  'dogs': {'seeds': 3, 'learning_rates': 4},
  'embed_folder': {'learning_rates': 3, 'losses': 3, 'seeds': 3, 'folds': 5},
  'finetune': {'learning_rates': 3, 'seeds': 3, 'folds': 5},
  'folder': {'seeds': 3, 'learning_rates': 4, 'folds': 5},
  'lraspp_v3': {'seeds': 3, 'learning_rates': 3},
  'mnasnet': {'grid': 5, 'learning_rates': 4, 'seeds': 3},
  'mobile_face_net': {'losses': 3, 'learning_rates': 3, 'seeds': 3},
  'modern': {'seeds': 3, 'learning_rates': 3},
  'places': {'learning_rates': 3, 'cells': 3, 'seeds': 3},
  'qat': {'learning_rates': 3, 'seeds': 3},
  'quickstart': {'seeds': 3, 'learning_rates': 5},
  'segment_folder': {'learning_rates': 3, 'seeds': 3, 'folds': 5},
  'shufflenet_v1': {'grid': 15, 'learning_rates': 3, 'seeds': 3},
  'shufflenet_v2': {'grid': 4, 'learning_rates': 3, 'seeds': 3},
  'ssd_v1': {'widths': 4, 'learning_rates': 3, 'seeds': 3},
  'ssdlite_v2': {'widths': 3, 'learning_rates': 4, 'seeds': 3},
  'ssdlite_v3': {'seeds': 3, 'learning_rates': 4},
  'ssdlite_v4': {'seeds': 3, 'learning_rates': 4},
  'tag_folder': {'learning_rates': 3, 'seeds': 3, 'folds': 5, 'shares': 2},
  'staleness': {'delays': 21, 'learning_rates': 6, 'seeds': 3},
  'transfer': {'folds': 5, 'seeds': 3, 'learning_rates': 3},
  'squeezenet': {'models': 4, 'learning_rates': 3, 'seeds': 3},
  'v1': {'grid': 16, 'learning_rates': 5, 'seeds': 3},
  'v1_faces': {'table_14': 4, 'seeds': 3},
  'v2': {'grid': 22, 'learning_rates': 4, 'seeds': 3},
  'v3_large': {'grid': 10, 'learning_rates': 4, 'seeds': 3},
  'v3_small': {'grid': 10, 'learning_rates': 4, 'seeds': 3},
  'v4': {'seeds': 3, 'learning_rates': 3},
}


@pytest.mark.parametrize('name', SWEEPS)
def test_every_sweep_can_be_run(name, tmp_path):
  """Names are folders, fields exist, and every item is another run."""
  argument = str(FILES[0].parent / f'{name}.py')
  for sweep, size in SWEEPS[name].items():
    _, pairs = config_files.load_sweep(argument, sweep)
    assert len(pairs) == size
    items = sweep_items.make_items(argument, pairs, load(name), {}, tmp_path)
    assert len({json.dumps(item.config) for item in items}) == size
    for item in items:
      config = ConfigDict(item.config)
      check(with_weights(config) if name in OF_WEIGHTS else config)
  default, _ = config_files.load_sweep(argument, None)
  assert default == next(iter(SWEEPS[name]))
  known = ', '.join(SWEEPS[name])
  with pytest.raises(ValueError, match=f'(did you mean seeds. )?there are {known}$'):
    config_files.load_sweep(argument, 'sead')


def test_no_sweep_is_untested():
  assert {n for n in NAMES if hasattr(module(n), 'sweep')} == set(SWEEPS)
  with pytest.raises(ValueError, match=r'v3_minimalistic\.py has no sweep'):
    config_files.load_sweep(str(FILES[0].parent / 'v3_minimalistic.py'), None)


def test_a_grid_names_its_items():
  items = list(common.grid({'model.width': (1.0, 0.75), 'resolution': (224, 128)}))
  assert [name for name, _ in items] == [
    'w1.0_r224',
    'w1.0_r128',
    'w0.75_r224',
    'w0.75_r128',
  ]
  assert items[3][1] == {'model.width': 0.75, 'resolution': 128}
  assert [name for name, _ in common.seeds(2)] == ['seed0', 'seed1']
  assert [name for name, _ in common.learning_rates(0.01, 1e-5)] == [
    'lr0.01',
    'lr1e-05',
  ]
  overrides = {
    'model.name': 'mobilenet_v1',
    'loss.l2': 4e-5,
    'data.train_ops': 'a|b(1)',
  }
  assert common.item_name(overrides) == 'mobilenet_v1_l2=4e-05_train_ops=a-b-1'


def test_items_with_given_weights_have_the_recipes_for_them():
  """Each is trained as configs/transfer.py and configs/finetune.py train it."""
  compare = module('compare')
  for make, recipe in ((compare.frozen, 'transfer'), (compare.finetuned, 'finetune')):
    name, overrides = make('v1.pth', 'mobilenet_v1', 0.25, resolution=160)
    assert name.startswith('mobilenet_v1_w0.25_f')
    item = config_files.override(load('compare'), overrides)
    assert item.init == 'v1.pth'
    theirs, ours = load(recipe).to_dict(), item.to_dict()
    for config in (theirs, ours):
      config['data'].pop('eval_ops')  # the weights set it
    for field in ('epochs', 'new_head', 'batch_size', 'optimizer', 'schedule', 'data'):
      assert ours[field] == theirs[field], field
    assert ours['model']['trained'] == theirs['model']['trained']
    check(with_weights(item))


def test_networks_without_norms_take_smaller_steps():
  for name, overrides in config_files.load_sweep(
    str(FILES[0].parent / 'compare.py'), 'all'
  )[1]:
    norm = zoo.create(overrides['model.name'], width=overrides['model.width'])
    has_norm = norm.network.style.norm
    assert has_norm == ('schedule.learning_rate' not in overrides), name
