"""ShuffleNet V2 on ImageNet, or on the digits (https://arxiv.org/abs/1807.11164).

    python main.py --config=configs/shufflenet_v2.py
    python main.py --config=configs/shufflenet_v2.py:width=0.5
    python main.py --config=configs/shufflenet_v2.py:digits

width: 0.5, 1, 1.5 or 2. Published top-1 (Table 8): 60.3 %, 69.4, 72.6 and 74.9.
Not run here: 300,000 iterations of batch 1024 are 240 epochs.
Measured here: 97.6 % of the 1,000 test digits (averaged weights, 20 epochs, 64 px).

Recipe: V1's, as the paper says; see `shufflenet_v1.shufflenet_recipe`.
"""

from configs import common
from configs.shufflenet_v1 import shufflenet_recipe


def get_config(arg=None):
  arg = common.parse_arg(arg, width=1.0, resolution=0, digits=False, quick=False)
  config = shufflenet_recipe(common.base(), arg)
  config.model.name = 'shufflenet_v2'
  config.model.width = arg['width']
  return common.quick(config, width=0.5) if arg['quick'] else config


def sweep(name='grid'):
  return common.choose(
    name,
    grid=common.grid({'model.width': (0.5, 1.0, 1.5, 2.0)}),
    learning_rates=common.learning_rates(0.125, 0.25, 0.5),
    seeds=common.seeds(3),
  )
