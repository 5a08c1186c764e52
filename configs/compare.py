"""Which trunk for these photos? Several networks on the same split, in one table.

    python main.py --job=compare --config=configs/compare.py --config.data.dir=photos

`trunks` are light networks and ResNet-50. `all` adds VGG16, VGG19 and Xception, which
need seven times the multiply-adds of all others together. Both start from scratch
with the recipe of configs/folder.py.
Given weights make another question of it, so each item names its own: `frozen` keeps
the network as it is and trains a new classifier (configs/transfer.py), `finetuned`
trains all of it (configs/finetune.py). docs/compare.md shows how to write a list.

The networks of these sweeps share data, split, seed, augmentation and number of epochs.
Networks without batch norm have a smaller learning rate, see `SMALL_STEPS`: large steps
easily end their training. No learning rate is tuned.
"""

from configs import common, finetune, folder, transfer

TRUNKS = (
  ('mobilenet_v1', 1.0),
  ('mobilenet_v2', 1.0),
  ('mobilenet_v3_small', 1.0),
  ('mobilenet_v3_large', 1.0),
  ('mobilenet_v4_conv_small', 1.0),
  ('shufflenet_v2', 1.0),
  ('squeezenet_1_1', 1.0),
  ('resnet50', 1.0),
)
HEAVY = (('vgg16', 1.0), ('vgg19', 1.0), ('xception', 1.0))
SMALL_STEPS = {'squeezenet': 0.001, 'vgg': 0.0002}  # family -> learning rate

# What the recipes for given weights set otherwise than the one from scratch.
_FIELDS = (
  'new_head',
  'head_first.epochs',
  'model.trained',
  'model.norm_momentum',
  'data.train_ops',
  'batch_size',
  'epochs',
  'optimizer.weight_decay',
  'schedule.learning_rate',
  'schedule.warmup_epochs',
)


def get_config(arg=None):
  arg = common.parse_arg(arg, resolution=96, epochs=50.0)
  config = folder.get_config()
  config.model.name = 'mobilenet_v2'  # each item of a sweep names its own
  config.resolution = arg['resolution']
  config.epochs = arg['epochs']
  return config


def scratch(name: str, width: float = 1.0) -> tuple[str, dict]:
  """An item: a network of random values."""
  overrides = {'model.name': name, 'model.width': width}
  item = common.item_name(overrides)
  for family, rate in SMALL_STEPS.items():
    if name.startswith(family):
      overrides['schedule.learning_rate'] = rate
  return item, overrides


def frozen(init: str, name: str, width: float = 1.0, **more) -> tuple[str, dict]:
  """An item: the network of a weight file, of which the classifier alone is trained.

  `more` are fields without a section, such as `epochs=20.0`.
  """
  return _given(transfer.get_config(), 'frozen', init, name, width, more)


def finetuned(init: str, name: str, width: float = 1.0, **more) -> tuple[str, dict]:
  """An item: the network of a weight file, of which all is trained; see `frozen`."""
  return _given(finetune.get_config(), 'finetuned', init, name, width, more)


def _given(recipe, how, init, name, width, more):
  network = {'model.name': name, 'model.width': width}
  values = {field: _value(recipe, field) for field in _FIELDS}
  item = f'{common.item_name(network)}_{how}'
  return item, {**network, 'init': init, **values, **more}


def _value(config, field):
  for part in field.split('.'):
    config = config[part]
  return config


def sweep(name='trunks'):
  return common.choose(
    name,
    trunks=(scratch(*trunk) for trunk in TRUNKS),
    all=(scratch(*trunk) for trunk in (*TRUNKS, *HEAVY)),
  )
