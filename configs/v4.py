"""MobileNetV4 on ImageNet (https://arxiv.org/abs/2404.10518v2).

    python main.py --config=configs/v4.py
    python main.py --config=configs/v4.py:size=conv_medium
    python main.py --config=configs/v4.py:size=hybrid_large

size: conv_small, conv_medium, conv_large, hybrid_medium or hybrid_large, each with the
recipe of its column of Table 10 and its native resolution.
Published top-1 (Table 6): 73.8 %, 79.9, 82.9, 80.7 and 83.4, in that order.
Not run here: conv_small's 9,600 epochs of ImageNet are 3,000,000 steps of batch 4096.

The table leaves BatchNorm's momentum and epsilon open. They come from TF Model Garden:
0.95 and 1e-6 for conv_small, 0.997 and 0.001 for the others. The two sources disagree
on conv_large (Model Garden has a flat stochastic depth of 0.2); this is the paper's.
The paper applies either CutMix or Mixup to a batch; here each has half the probability.
"""

from configs import common

MEDIUM = {
  'resolution': 256,
  'batch_size': 4096,
  'schedule.learning_rate': 0.004,
  'schedule.warmup_epochs': 5.0,
  'epochs': 500.0,
  'optimizer.weight_decay': 0.1,
  'optimizer.b1': 0.9,
  'optimizer.eps': 1e-7,
  'model.dropout': 0.2,
  'model.stochastic_depth': 0.075,
  'model.norm_momentum': 0.997,
  'model.norm_epsilon': 1e-3,
}
HYBRID_MEDIUM = MEDIUM | {
  'batch_size': 16384,
  'schedule.learning_rate': 0.016,
  'schedule.warmup_epochs': 20.0,
}
LARGE = HYBRID_MEDIUM | {
  'resolution': 384,
  'schedule.learning_rate': 0.004,
  'optimizer.weight_decay': 0.2,
  'model.stochastic_depth': 0.35,
  'data.batch_ops': 'mixup(0.8, prob=0.15)|cutmix(1.0, prob=0.15)',
}
HYBRID_LARGE = LARGE | {'schedule.learning_rate': 0.01, 'schedule.end_factor': 0.001}
SMALL = {
  'resolution': 224,
  'batch_size': 4096,
  'schedule.learning_rate': 0.002,
  'schedule.warmup_epochs': 5.0,
  'epochs': 9600.0,
  'optimizer.weight_decay': 0.01,
  'optimizer.b1': 0.6,
  'optimizer.eps': 1e-6,
  'ema_decay': 0.9999,
  'loss.l2': 1e-5,
  'model.dropout': 0.3,
  'model.norm_momentum': 0.95,
  'model.norm_epsilon': 1e-6,
}
# The columns of Table 10, with their RandAugment.
TABLE_10 = {
  'conv_small': (SMALL, 'randaug(2, 9, prob=0.5)'),
  'conv_medium': (MEDIUM, 'randaug(2, 15, prob=0.7)'),
  'conv_large': (LARGE, 'randaug(2, 15)'),
  'hybrid_medium': (HYBRID_MEDIUM, 'randaug(2, 15, prob=0.7)'),
  'hybrid_large': (HYBRID_LARGE, 'randaug(2, 15)'),
}


def get_config(arg=None):
  arg = common.parse_arg(arg, size='conv_small', width=1.0, resolution=0, quick=False)
  if arg['size'] not in TABLE_10:
    raise ValueError(
      f'config argument size={arg["size"]}: one of {", ".join(TABLE_10)}'
    )
  column, randaug = TABLE_10[arg['size']]
  config = common.base()
  config.model.name = f'mobilenet_v4_{arg["size"]}'
  config.model.width = arg['width']
  config.data.train_ops = (
    f'inception_crop({{resolution}})|flip|{randaug}|value_range(-1, 1)'
  )
  config.optimizer.name = 'adamw'
  config.loss.label_smoothing = 0.1
  config.update_from_flattened_dict(column)
  config.resolution = arg['resolution'] or config.resolution
  return common.quick(config) if arg['quick'] else config


def sweep(name='seeds'):
  return common.choose(
    name,
    seeds=common.seeds(3),
    learning_rates=common.learning_rates(0.001, 0.002, 0.004),
  )
