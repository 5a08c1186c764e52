"""MobileNetV3-Small on ImageNet (https://arxiv.org/abs/1905.02244v5).

    python main.py --config=configs/v3_small.py
    python main.py --config=configs/v3_small.py:width=0.75,resolution=160

Published top-1 at 224 px: width 1.25 70.4 %, 1.0 67.5 (Table 3 prints 67.4), 0.75 65.4,
0.5 58.0, 0.35 49.8; width 1.0 at 256 px 68.5, 160 62.8, 128 57.3, 96 51.7 (Table 9).
Not run here: 1,000 epochs of ImageNet are 313,000 steps of batch 4096.

Recipe: V3's, see `v3_large.v3_recipe`.
"""

from configs import common
from configs.v3_large import published_points, v3_recipe


def get_config(arg=None):
  arg = common.parse_arg(arg, width=1.0, resolution=224, quick=False)
  config = v3_recipe(common.base(), arg)
  config.model.name = 'mobilenet_v3_small'
  return common.quick(config) if arg['quick'] else config


def sweep(name='grid'):
  yield from common.choose(
    name,
    grid=published_points(),
    learning_rates=common.learning_rates(0.025, 0.05, 0.1, 0.2),
    seeds=common.seeds(3),
  )
