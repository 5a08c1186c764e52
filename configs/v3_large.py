"""MobileNetV3-Large on ImageNet (https://arxiv.org/abs/1905.02244v5).

    python main.py --config=configs/v3_large.py
    python main.py --config=configs/v3_large.py:width=0.75
    python main.py --config=configs/v3_large.py:quick

Published top-1 at 224 px: width 1.25 76.6 %, 1.0 75.2, 0.75 73.3, 0.5 68.8, 0.35 64.2;
width 1.0 at 256 px 76.0, 192 73.7, 160 71.7, 128 68.4, 96 63.3 (Tables 3 and 9).
Not run here: 1,000 epochs of ImageNet are 313,000 steps of batch 4096.

Recipe: see `v3_recipe`.
"""

from configs import common


def get_config(arg=None):
  arg = common.parse_arg(arg, width=1.0, resolution=224, quick=False)
  config = v3_recipe(common.base(), arg)
  config.model.name = 'mobilenet_v3_large'
  return common.quick(config) if arg['quick'] else config


def sweep(name='grid'):
  yield from common.choose(
    name,
    grid=published_points(),
    learning_rates=common.learning_rates(0.025, 0.05, 0.1, 0.2),
    seeds=common.seeds(3),
  )


def published_points():
  """Table 9: the widths at 224 px, and the resolutions at width 1.0."""
  widths, resolutions = (1.25, 1.0, 0.75, 0.5, 0.35), (256, 192, 160, 128, 96)
  yield from common.grid({'model.width': widths, 'resolution': (224,)})
  yield from common.grid({'model.width': (1.0,), 'resolution': resolutions})


def v3_recipe(config, arg):
  """The recipe of section 6.1, for all of V3.

  The paper gives TensorFlow's RMSprop with momentum 0.9, batch 4096, learning rate 0.1
  with "decay rate of 0.01 every 3 epochs" (read as times 0.99), dropout 0.8 (of
  keeping), L2 1e-5, Inception preprocessing, averages 0.9999 and BatchNorm 0.99. It
  leaves the rest open, which comes from TF Model Garden's MobileNetV3-Small: eps 0.002,
  label smoothing 0.1, a warm-up of 1,560 steps from 0.001 of the rate, 1,000 epochs.
  """
  config.model.width = arg['width']
  config.model.dropout = 0.2
  config.model.norm_momentum = 0.99
  config.resolution = arg['resolution']
  config.data.train_ops = 'inception_crop({resolution})|flip|color|value_range(-1, 1)'
  config.batch_size = 4096
  config.eval_batch_size = 1024
  config.epochs = 1000.0
  config.optimizer.eps = 0.002
  config.schedule.name = 'exponential'
  config.schedule.learning_rate = 0.1
  config.schedule.warmup_epochs = 5.0
  config.schedule.warmup_from = 0.0001
  config.schedule.decay_rate = 0.99
  config.schedule.decay_every_epochs = 3.0
  config.loss.l2 = 1e-5
  config.loss.label_smoothing = 0.1
  config.ema_decay = 0.9999
  return config
