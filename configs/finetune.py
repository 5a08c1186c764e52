"""Other people's ImageNet weights, fine-tuned on your own photos.

    python main.py --config=configs/finetune.py --config.data.dir=photos \
      --config.init=mobilenet_v2-b0353104.pth

The network, its width and how images are prepared are read from the weight file; the
classifier is new. It learns first, alone, on what the frozen network makes of the
photos, which takes seconds; then the whole network learns. `trained=last 3` trains the
last three rows of the network instead of all.

`kind` chooses what is drawn of a photo, since not every change leaves its meaning:

  natural     crops, mirror images, colours
  xray        small crops and turns, contrast; no mirror images: the heart is left
  sign        hand signs, text, digits: crops, small turns, colours; no mirror images
  microscopy  crops, mirror images, quarter turns, colours; for satellite pictures too

`--job=import` makes a workdir from the weights as they are. configs/transfer.py leaves
the network as it is and trains the classifier alone.
"""

from ml_collections.config_dict import placeholder

from configs import common

KINDS = {
  'natural': 'inception_crop({resolution}, area=(0.25, 1))|flip|color',
  'xray': (
    'inception_crop({resolution}, area=(0.7, 1), aspect=(0.9, 1.1))|rotate(7)|'
    'color(saturation=(1, 1), contrast=(0.8, 1.25))'
  ),
  'sign': (
    'inception_crop({resolution}, area=(0.6, 1), aspect=(0.8, 1.25))|rotate(10)|color'
  ),
  'microscopy': (
    'inception_crop({resolution}, area=(0.4, 1), aspect=(0.9, 1.1))|turn|color'
  ),
}


def get_config(arg=None, kind='natural'):
  arg = common.parse_arg(arg, epochs=10.0, kind=kind, trained='all')
  config = common.base()
  config.new_head = True
  config.head_first.epochs = 15.0
  config.resolution = placeholder(int)  # the weights' own
  config.model.dropout = 0.2
  config.model.norm_momentum = 0.9  # few steps
  config.model.trained = arg['trained']
  common.photos(config)
  config.data.train_ops = f'{drawn(arg["kind"])}|{{normalize}}'
  config.data.eval_ops = '{contract}'
  config.batch_size = 32
  config.epochs = arg['epochs']
  common.adamw(config, 0.0005)
  config.schedule.warmup_epochs = 0.5
  config.ema_decay = 0.99
  config.log_steps = 20
  return config


def drawn(kind):
  """The op string of a kind of picture.

  Raises:
    ValueError: there is no such kind.
  """
  if kind not in KINDS:
    raise ValueError(f'config argument kind={kind}: {", ".join(KINDS)}')
  return KINDS[kind]


def sweep(name='learning_rates'):
  yield from common.choose(
    name,
    learning_rates=common.learning_rates(0.0002, 0.0005, 0.001),
    seeds=common.seeds(3),
    folds=common.folds(),
  )
