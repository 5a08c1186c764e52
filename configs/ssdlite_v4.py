"""SSDLite on MobileNetV4 for COCO; the paper (2404.10518) has RetinaNet instead.

    python main.py --config=configs/ssdlite_v4.py
    python main.py --config=configs/ssdlite_v4.py:size=medium

Nothing is published for these detectors: V4's own (its Table 7) have a feature pyramid
of 256 channels, of which no config is public. The recipe is that of V3's SSDLite.
"""

from configs import common, detection


def get_config(arg=None):
  arg = common.parse_arg(arg, size='small', width=1.0, resolution=320, quick=False)
  config = detection.base()
  config.model.name = f'ssdlite_mobilenet_v4_conv_{arg["size"]}'
  config.model.width = arg['width']
  config.resolution = arg['resolution']
  detection.on_coco(
    config,
    batch_size=512,
    steps=400_000,
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
