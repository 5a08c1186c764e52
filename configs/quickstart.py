"""MobileNetV3-Small on 5,000 handwritten digits: the whole path in three minutes.

    python main.py --config=configs/quickstart.py

The digits come with an installed package and are split 4,000 / 1,000; nothing is
downloaded. Data set, loop, evaluation and report are the same as for ImageNet.
"""

from configs import common


def get_config(arg=None):
  arg = common.parse_arg(arg, width=0.5, resolution=48, epochs=20.0)
  config = common.base()
  config.model.name = 'mobilenet_v3_small'
  config.model.width = arg['width']
  config.model.dropout = 0.1
  config.model.norm_momentum = 0.9
  config.resolution = arg['resolution']
  common.digits(config)
  config.epochs = arg['epochs']
  config.optimizer.eps = 0.001
  config.schedule.learning_rate = 0.008
  config.schedule.warmup_epochs = 1.0
  config.loss.label_smoothing = 0.1
  config.loss.l2 = 1e-5
  config.ema_decay = 0.99
  config.log_steps = 50
  config.eval_every_epochs = 4.0
  config.checkpoint_every_epochs = 4.0
  return config


def sweep(name='seeds'):
  yield from common.choose(
    name,
    seeds=common.seeds(3),
    learning_rates=common.learning_rates(0.002, 0.004, 0.008, 0.016, 0.032),
  )
