"""Where a photo was taken: PlaNet (https://arxiv.org/abs/1602.05314) with a MobileNet.

    python main.py --config=configs/places.py --config.data.dir=photos
    python main.py --config=configs/places.py:most=200,fewest=20 \
      --config.data.dir=photos

`photos` holds images and a CSV of their latitudes and longitudes; without a CSV the
images' own EXIF tells. docs/places.md says what may be done with such a network.

The photos for training make the classes: a cell of the globe is split while it has more
than `most` of them and dropped with fewer than `fewest`. PlaNet has 10,000 and 50, for
91 million photos; few photos need small numbers, such as a tenth of all and 10.

Published (https://arxiv.org/abs/1704.04861, Table 11): the share of photos in % that
are placed within so many km.

                            2500   750   200    25     1
    Im2GPS                  51.9  35.4  32.1  21.9   2.5
    PlaNet                  77.6  64.0  51.1  31.7  11.0
    PlaNet on MobileNetV1   79.3  60.3  45.2  31.7  11.4

Not run here: the photos are not public. The paper says nothing of how it was trained.
The recipe is ours, of configs/folder.py, without changes of colour: these tell deserts
from meadows. The metric that counts is the share within 200 km, the middle of the
five: `--config.places.metric_km=25` takes another, for photos of one country.
"""

from configs import common


def base():
  """`common.base` for the task of places; the network stays to be named."""
  config = common.base()
  config.task = 'places'
  config.places = common.ConfigDict()
  config.places.metric_km = 200  # or 1, 25, 750, 2500: the share that counts
  config.data.annotations = ''  # the CSV; '' takes the only one of the folder, or EXIF
  config.data.cells = common.ConfigDict()
  config.data.cells.most = 10_000  # photos of a cell that is not split
  config.data.cells.fewest = 50  # photos of a cell that is kept
  config.data.cells.lowest_level = 2  # of S2: cells 2,300 km wide
  config.data.cells.highest_level = 30
  return config


def get_config(arg=None):
  arg = common.parse_arg(
    arg,
    model='mobilenet_v1',
    width=1.0,
    resolution=224,
    most=10_000,
    fewest=50,
    epochs=50.0,
    quick=False,
  )
  config = common.photos(base())
  config.model.name = arg['model']
  config.model.width = arg['width']
  config.model.norm_momentum = 0.97
  config.resolution = arg['resolution']
  config.data.name = 'places'
  config.data.train_ops = (
    'inception_crop({resolution}, area=(0.25, 1))|flip|value_range(-1, 1)'
  )
  config.data.cells.most = arg['most']
  config.data.cells.fewest = arg['fewest']
  config.epochs = arg['epochs']
  common.adamw(config, 0.002)
  config.schedule.warmup_epochs = min(3.0, 0.06 * arg['epochs'])
  config.ema_decay = 0.99
  config.log_steps = 50
  config.eval_every_epochs = config.checkpoint_every_epochs = max(
    1.0, arg['epochs'] / 10
  )
  return quick(config) if arg['quick'] else config


def quick(config):
  """A minute on made photos whose colours tell their place."""
  config = common.quick(config)
  config.data.name = 'made_places'
  config.data.cells.most, config.data.cells.fewest = 40, 3
  return config


def sweep(name='learning_rates'):
  yield from common.choose(
    name,
    learning_rates=common.learning_rates(0.0005, 0.001, 0.002),
    cells=common.grid({'data.cells.most': (1_000, 3_000, 10_000)}),
    seeds=common.seeds(3),
  )
