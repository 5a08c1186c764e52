"""The comparison of this folder: seven trunks from scratch, one with given weights.

    python main.py --job=compare --config=docs/results/compare/flowers.py \
      --config.data.dir=flowers

The weight file is torchvision's mobilenet_v2-b0353104.pth, in the current folder.
"""

from configs import compare

WEIGHTS = 'mobilenet_v2-b0353104.pth'


def get_config(arg=None):
  config = compare.get_config(arg or 'resolution=64,epochs=4')
  config.batch_size = 32  # more steps in few epochs
  config.schedule.warmup_epochs = 1.0
  config.ema_decay = 0.98
  return config


def sweep(name='flowers'):
  yield compare.frozen(WEIGHTS, 'mobilenet_v2', resolution=128)
  yield compare.finetuned(WEIGHTS, 'mobilenet_v2', resolution=96, epochs=3.0)
  for name, width in compare.TRUNKS:
    if name != 'resnet50':  # two cores would need as long for it as for all others
      yield compare.scratch(name, width)
