"""ShuffleNet V1 on ImageNet, or on the digits (https://arxiv.org/abs/1707.01083).

    python main.py --config=configs/shufflenet_v1.py
    python main.py --config=configs/shufflenet_v1.py:groups=8,width=0.5
    python main.py --config=configs/shufflenet_v1.py:digits

groups: 1, 2, 3, 4 or 8; width: 0.25, 0.5, 1, 1.5 or 2.
Published top-1 with 3 groups: width 1 67.4 %, 0.5 56.8, 0.25 45.0 (Table 2), 1.5 71.5
and 2 73.7 (Table 5).
Not run here: the paper's 300,000 iterations of batch 1024 are 240 epochs.
Measured here: 97.2 % of the 1,000 test digits (averaged weights, 20 epochs, 64 px).

Recipe: see `shufflenet_recipe`.
"""

from configs import common


def get_config(arg=None):
  arg = common.parse_arg(
    arg, groups=3, width=1.0, resolution=0, digits=False, quick=False
  )
  config = shufflenet_recipe(common.base(), arg)
  config.model.name = f'shufflenet_v1_g{arg["groups"]}'
  config.model.width = arg['width']
  return common.quick(config) if arg['quick'] else config


def sweep(name='grid'):
  return common.choose(
    name,
    grid=common.grid(
      {
        'model.name': tuple(f'shufflenet_v1_g{groups}' for groups in (1, 2, 3, 4, 8)),
        'model.width': (1.0, 0.5, 0.25),
      }
    ),
    learning_rates=common.learning_rates(0.125, 0.25, 0.5),
    seeds=common.seeds(3),
  )


def shufflenet_recipe(config, arg):
  """Section 4 of the V1 paper, for V2 too (section 4 of 1807.11164: "the same").

  Batch 1024, learning rate 0.5 falling linearly to 0, weight decay 4e-5, little scale
  augmentation. Momentum 0.9 and label smoothing 0.1 come from the authors' code, which
  decays weights only. It feeds BGR of 0 to 255; here images have the same value range
  as everywhere. The digits use AdamW.
  """
  if arg['digits']:
    common.trained_on_digits(config, learning_rate=0.003, epochs=20.0)
    config.resolution = arg['resolution'] or 64
    return config
  config.resolution = arg['resolution'] or 224
  config.data.train_ops = (
    'inception_crop({resolution}, area=(0.25, 1))|flip|color|value_range(-1, 1)'
  )
  config.batch_size = 1024
  config.epochs = 240.0
  config.optimizer.name = 'sgd'
  config.optimizer.momentum = 0.9
  config.schedule.name = 'polynomial'
  config.schedule.learning_rate = 0.5
  config.loss.l2 = 4e-5
  config.loss.l2_depthwise = True
  config.loss.label_smoothing = 0.1
  return config
