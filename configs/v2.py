"""MobileNetV2 on ImageNet (https://arxiv.org/abs/1801.04381).

    python main.py --config=configs/v2.py
    python main.py --config=configs/v2.py:width=1.4
    python main.py --config=configs/v2.py:width=0.35,resolution=96

Published top-1 at 224 px: width 1.0 72.0 % (Table 4; TF-slim's checkpoint 71.8), 1.4
74.7 (Table 4), 0.75 69.8, 0.5 65.4, 0.35 60.3 (TF-slim).
Not run here: 420 epochs of ImageNet are 700,000 steps of batch 768.

Recipe: the paper's, as TF-slim gives it for 8 averaged GPUs. Batch 8 x 96, learning
rate 8 x 0.045, times 0.98 every 2.5 epochs, RMSprop 0.9 / 0.9 with eps 1, L2 4e-5 but
not on depthwise kernels, dropout 0.2, label smoothing 0.1, averages 0.9999. The
published run's BatchNorm sees 96 images at a time; here it sees the global batch.
The paper's own run had 16 asynchronous workers: see configs/staleness.py.
"""

from configs import common


def get_config(arg=None):
  arg = common.parse_arg(arg, width=1.0, resolution=224, quick=False)
  config = common.base()
  config.model.name = 'mobilenet_v2'
  config.model.width = arg['width']
  config.model.dropout = 0.2
  config.resolution = arg['resolution']
  config.data.train_ops = (
    'inception_crop({resolution}, area=(0.05, 1))|flip|color|value_range(-1, 1)'
  )
  config.batch_size = 768
  config.epochs = 420.0
  config.optimizer.eps = 1.0
  config.schedule.name = 'exponential'
  config.schedule.learning_rate = 0.36
  config.schedule.decay_rate = 0.98
  config.schedule.decay_every_epochs = 2.5
  config.loss.l2 = 4e-5
  config.loss.label_smoothing = 0.1
  config.ema_decay = 0.9999
  return common.quick(config) if arg['quick'] else config


def sweep(name='grid'):
  yield from common.choose(
    name,
    grid=_published(),
    learning_rates=common.learning_rates(0.09, 0.18, 0.36, 0.72),
    seeds=common.seeds(3),
  )


def _published():
  """TF-slim's 22 checkpoints: widths above 1.0 at 224 px only."""
  yield from common.grid({'model.width': (1.4, 1.3), 'resolution': (224,)})
  yield from common.grid(
    {'model.width': (1.0, 0.75, 0.5, 0.35), 'resolution': (224, 192, 160, 128, 96)}
  )
