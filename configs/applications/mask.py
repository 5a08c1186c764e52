"""Faces with and without a mask.

    python main.py --config=configs/applications/mask.py --config.data.dir=masks \
      --config.init=mobilenet_v2-b0353104.pth
    python main.py --job=eval --workdir=runs/mask --data_dir=masks_from_elsewhere

Data: any folder of cropped faces, such as Kaggle's "Face Mask 12K": Train, Validation
and Test with WithMask and WithoutMask.

Measured against: no paper; demonstrations report 99 % and more on their own photos. A
model of 99.3 % was measured at 76.7 % on another set, with a recall of 57 %.

What matters: a second folder from elsewhere, which alone says what the model is worth,
and the recall of faces without a mask. Copies of a face in both splits are found by
--job=check_data. docs/applications/mask.md says more.
"""

from configs import finetune


def get_config(arg=None):
  config = finetune.get_config(arg)
  config.resolution = 128
  config.report.positive = 'WithoutMask'
  return config


sweep = finetune.sweep
