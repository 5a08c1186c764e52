"""DeepLabV3 on MobileNetV2 for PASCAL VOC (https://arxiv.org/abs/1801.04381, 6.3).

    python main.py --config=configs/deeplab_v2.py --config.init=mobilenet_v2.pth \
      --config.data.dir=VOCdevkit/VOC2012
    python main.py --config=configs/deeplab_v2.py:aspp=true

Published mIoU of VOC 2012's validation set at stride 16 (Table 7): 75.32 without the
pyramid, 2.75 G multiply-adds; 75.7 with it. Both started from COCO's pixels and used
an augmented training set of 10,582 pictures; VOC 2012 itself has 1,464 with masks, in
the folders of its archive (TFDS has no masks of VOC). Not run here.

Recipe: DeepLab's: crops of 513 px at scales of 0.5 to 2, SGD with momentum 0.9, a
polynomial of power 0.9 from 0.007, L2 4e-5; evaluated on whole pictures that are padded
to 513 px.
"""

from configs import common, segmentation

VOC_TRAIN = 1_464


def get_config(arg=None):
  arg = common.parse_arg(arg, aspp=False, width=1.0, resolution=513, quick=False)
  config = segmentation.base()
  config.model.name = f'{"deeplab" if arg["aspp"] else "raspp"}_mobilenet_v2'
  config.model.width = arg['width']
  config.resolution = arg['resolution']
  config.data.name = 'masks'
  config.data.eval_split = 'val'
  segmentation.scaled_crops(config, 0.5, 2.0)
  config.data.eval_ops = 'pad({resolution})|value_range(-1, 1)'
  segmentation.deeplab(config, batch_size=16, steps=30_000, examples=VOC_TRAIN)
  return segmentation.quick(config) if arg['quick'] else config


def sweep(name='widths'):
  yield from common.choose(
    name,
    widths=common.grid({'model.width': (1.0, 0.5)}),
    learning_rates=common.learning_rates(0.0035, 0.007, 0.014),
    seeds=common.seeds(3),
  )
