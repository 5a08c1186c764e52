"""SSD on MobileNetV1 for COCO (https://arxiv.org/abs/1704.04861, section 4.6).

    python main.py --config=configs/ssd_v1.py
    python main.py --config=configs/ssd_v1.py:width=0.5

Published: 19.3 mAP at 300 px (Table 13). Not run here: 20,000 steps of batch 1024.

Recipe: the paper gives none. It is that of TensorFlow's Object Detection API for this
network (ssd_mobilenet_v1_300x300_coco14_sync, which reached 20.5): momentum 0.9, a
cosine from 0.9 after 1,000 steps from 0.3, focal loss, L2 4e-5, kernels drawn with a
standard deviation of 0.01 there and 0.09 here.
"""

from configs import common, detection


def get_config(arg=None):
  arg = common.parse_arg(arg, width=1.0, resolution=300, quick=False)
  config = detection.base()
  config.model.name = 'ssd_mobilenet_v1'
  config.model.width = arg['width']
  config.resolution = arg['resolution']
  detection.on_coco(
    config,
    batch_size=1024,
    steps=20_000,
    learning_rate=0.9,
    warmup_steps=1000,
    warmup_from=0.3,
  )
  return detection.quick(config) if arg['quick'] else config


def sweep(name='widths'):
  yield from common.choose(
    name,
    widths=common.grid({'model.width': (1.0, 0.75, 0.5, 0.25)}),
    learning_rates=common.learning_rates(0.2, 0.4, 0.9),
    seeds=common.seeds(3),
  )
