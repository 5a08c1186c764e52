"""Searches around MobileNetV4-Conv-Small: which depthwise convolutions, how wide, deep.

    python main.py --job=search --strategy=supernet --config=configs/search_v4.py

V4's own second stage (2404.10518, section 4) chose the two depthwise convolutions of
each bottleneck, at an expansion of 4. Data and the rest are those of
configs/search_v3_small.py.
"""

from configs import common
from configs.search_v3_small import recipe


def get_config(arg=None):
  arg = common.parse_arg(arg, data='digits', width=1.0, resolution=0, epochs=0.0)
  config = recipe(arg)
  config.model.name = 'mobilenet_v4_conv_small'
  config.search.space.start = (0, 3, 5)
  config.search.space.middle = (0, 3, 5)
  config.search.space.expand = (2, 3, 4, 6)
  config.search.space.width_of_stage = (0.5, 0.75, 1.0)
  config.search.space.depth = 'first'
  return config
