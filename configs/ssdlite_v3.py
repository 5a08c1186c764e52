"""SSDLite on MobileNetV3 for COCO (https://arxiv.org/abs/1905.02244v5, section 6.3).

    python main.py --config=configs/ssdlite_v3.py
    python main.py --config=configs/ssdlite_v3.py:size=small,reduced=false

Published, mAP at 320 px (Table 6): Large 22.0, with half of the channels between C4 and
C5 (`reduced`) 22.0; Small 16.0 and 16.1. Not run here: 400,000 steps of batch 512, for
Small 800,000.

Recipe: TensorFlow's ssdlite_mobilenet_v3_{large,small}_320x320_coco, from scratch:
momentum 0.9, a cosine from 0.4 after 2,000 steps from 0.13333, focal loss, L2 4e-5.
"""

from configs import common, detection


def get_config(arg=None):
  arg = common.parse_arg(
    arg, size='large', reduced=True, width=1.0, resolution=320, quick=False
  )
  config = detection.base()
  tail = '_reduced' if arg['reduced'] else ''
  config.model.name = f'ssdlite_mobilenet_v3_{arg["size"]}{tail}'
  config.model.width = arg['width']
  config.resolution = arg['resolution']
  detection.on_coco(
    config,
    batch_size=512,
    steps=800_000 if arg['size'] == 'small' else 400_000,
    learning_rate=0.4,
    warmup_steps=2000,
    warmup_from=0.13333,
  )
  return detection.quick(config) if arg['quick'] else config


def sweep(name='seeds'):
  yield from common.choose(
    name,
    seeds=common.seeds(3),
    learning_rates=common.learning_rates(0.1, 0.2, 0.4, 0.8),
  )
