"""Searches around MobileNetV3-Small: kernels, expansions, squeezes, widths and depths.

    python main.py --job=search --strategy=supernet --config=configs/search_v3_small.py

On the embedded digits, at 48 px. `data=folder` searches on your own photos at 96 px:

    python main.py --job=search --strategy=supernet \\
      --config=configs/search_v3_small.py:data=folder --config.data.dir=photos

`--job=train` trains the network of the table itself. docs/search.md says what the
fields of `search` mean.
"""

from ml_collections import ConfigDict

from configs import common

DATA = ('digits', 'folder')


def get_config(arg=None):
  arg = common.parse_arg(arg, data='digits', width=1.0, resolution=0, epochs=0.0)
  config = recipe(arg)
  config.model.name = 'mobilenet_v3_small'
  config.search.space.kernel = (3, 5)
  config.search.space.expand = (2, 3, 4, 6)
  config.search.space.se = (0, 0.25)
  config.search.space.width_of_stage = (0.5, 0.75, 1.0)
  config.search.space.depth = 'first'
  return config


def recipe(arg):
  """Everything but the network: that of configs/folder.py, fewer epochs for digits."""
  if arg['data'] not in DATA:
    raise ValueError(f'config argument data={arg["data"]}: {" or ".join(DATA)}')
  config = common.base()
  if arg['data'] == 'digits':
    common.trained_on_digits(config, learning_rate=0.003, epochs=8.0)
    config.batch_size = 64
    config.resolution, config.search = 48, search(epochs=20.0)
  else:
    common.photos(config)
    common.adamw(config, 0.003)
    config.schedule.warmup_epochs = 3.0
    config.ema_decay = 0.99
    config.epochs = 50.0
    config.eval_every_epochs = config.checkpoint_every_epochs = 10.0
    config.resolution, config.search = 96, search(epochs=100.0)
  config.model.width = arg['width']
  config.model.dropout = 0.1
  config.model.norm_momentum = 0.97
  config.resolution = arg['resolution'] or config.resolution
  config.epochs = arg['epochs'] or config.epochs
  return config


def search(epochs):
  """The section `search`: how the shared weights are trained, and what follows."""
  section = ConfigDict()
  section.epochs = epochs  # of the shared weights; networks alone train config.epochs
  section.random_per_step = 1  # networks in a step besides the largest and the smallest
  section.held_out = 0.2  # share of the training photos that choose
  section.most_held_out = 1000  # of these photos, at most
  section.recalibration_images = 512  # by which norms are measured anew
  section.generations = 10
  section.population = 32
  section.seeds = 2  # of which each network is trained alone
  section.family = (0.35, 0.5, 0.75, 1.0)  # widths of the base network, to compare with
  section.space = ConfigDict()
  for name in ('kernel', 'expand', 'se', 'start', 'middle', 'width_of_stage'):
    section.space[name] = ()
  section.space.depth = 'none'
  return section
