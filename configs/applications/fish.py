"""Fish in underwater video, 23 species, for weak hardware.

    python main.py --config=configs/applications/fish.py \
      --config.data.dir=fish_image --config.init=mobilenet_v2-b0353104.pth

Data: Fish4Knowledge's ground truth, 27,370 pictures, fish_image/fish_01 ... fish_23,
named fish_<track>_<fish>.png. Pictures of one track show one fish some frames apart.

Measured against: M-MobileNet, at most 97 % on 37,462 pictures of another set (arXiv
2401.02278); MobileNetV2 with transfer learning, 98.18 % on 330 pictures of 5 species.

What matters: tracks on one side of the split (else nearly the same picture is on both),
very unbalanced species, small blurred pictures. docs/applications/fish.md says more.
"""

from configs import finetune


def get_config(arg=None):
  config = finetune.get_config(arg)
  config.resolution = 128  # the pictures are small
  config.data.group = r'fish_(\d+)_\d+\.'
  config.loss.balance = 0.5  # at 1 a species of a dozen pictures would rule
  return config


sweep = finetune.sweep
