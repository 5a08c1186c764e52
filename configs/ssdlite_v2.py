"""SSDLite on MobileNetV2 for COCO (https://arxiv.org/abs/1801.04381, section 6.2).

    python main.py --config=configs/ssdlite_v2.py
    python main.py --config=configs/ssdlite_v2.py --config.init=mobilenet_v2.pth

Published: 22.1 mAP at 320 px, 4.3 M parameters (Table 6; with 80 classes and the
background ours has 4,337,013). Not run here: 50,000 steps of batch 512.

Recipe: the paper trained asynchronously with TensorFlow's Object Detection API. This is
that project's synchronous one (ssd_mobilenet_v2_320x320_coco17_tpu-8): momentum 0.9, a
cosine from 0.08 after 2,000 steps from 0.013333, focal loss, L2 4e-5. Other copies of
that file have ten times the rate, which does not train.
"""

from configs import common, detection


def get_config(arg=None):
  arg = common.parse_arg(arg, width=1.0, resolution=320, quick=False)
  config = detection.base()
  config.model.name = 'ssdlite_mobilenet_v2'
  config.model.width = arg['width']
  config.resolution = arg['resolution']
  detection.on_coco(
    config,
    batch_size=512,
    steps=50_000,
    learning_rate=0.08,
    warmup_steps=2000,
    warmup_from=0.013333,
  )
  return detection.quick(config) if arg['quick'] else config


def sweep(name='widths'):
  yield from common.choose(
    name,
    widths=common.grid({'model.width': (1.0, 0.5, 0.35)}),  # V3's Table 6
    learning_rates=common.learning_rates(0.02, 0.04, 0.08, 0.16),
    seeds=common.seeds(3),
  )
