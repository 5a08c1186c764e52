"""LR-ASPP on MobileNetV3 for Cityscapes (https://arxiv.org/abs/1905.02244v5, 6.4).

    python main.py --config=configs/lraspp_v3.py --config.data.dir=$TFDS
    python main.py --config=configs/lraspp_v3.py:size=small

Published mIoU of the validation set, with 128 filters and half of the last block's
channels (Table 7): Large 72.36, Small 68.38. Not run here: Cityscapes must be asked
for, and the training takes days of several GPUs.

Recipe: DeepLab's for this model, from scratch: crops of 769 px at scales of 0.5 to 2,
SGD with momentum 0.9, a polynomial of power 0.9. It does not print rate and length for
V3; 0.007 is its rate for other networks, and 90,000 steps of batch 16 are our choice.
Evaluation is on whole pictures of 1024 x 2048 px, with a row and a column added, as
DeepLab's.
"""

from configs import common, segmentation

CITYSCAPES_TRAIN = 2_975


def get_config(arg=None):
  arg = common.parse_arg(arg, size='large', width=1.0, resolution=769, quick=False)
  config = segmentation.base()
  config.model.name = f'lraspp_mobilenet_v3_{arg["size"]}'
  config.model.width = arg['width']
  config.resolution = arg['resolution']
  config.data.name = 'cityscapes/semantic_segmentation'
  segmentation.scaled_crops(config, 0.5, 2.0)
  config.data.eval_ops = 'pad((1025, 2049))|value_range(-1, 1)'
  segmentation.deeplab(config, batch_size=16, steps=90_000, examples=CITYSCAPES_TRAIN)
  return segmentation.quick(config) if arg['quick'] else config


def sweep(name='seeds'):
  yield from common.choose(
    name,
    seeds=common.seeds(3),
    learning_rates=common.learning_rates(0.0035, 0.007, 0.014),
  )
