"""MobileNetV3 minimalistic on ImageNet: no squeeze-and-excite, hard-swish or 5 x 5.

    python main.py --config=configs/v3_minimalistic.py
    python main.py --config=configs/v3_minimalistic.py:size=small

For accelerators and DSPs that lack those operations. The paper does not have it;
TF-slim published it with the V3 checkpoints.
Published top-1 at 224 px: large 72.3 %, small 61.9.
Not run here: 1,000 epochs of ImageNet are 313,000 steps of batch 4096.

Recipe: V3's, see `v3_large.v3_recipe`; TF-slim names no other.
"""

from configs import common
from configs.v3_large import v3_recipe


def get_config(arg=None):
  arg = common.parse_arg(arg, size='large', width=1.0, resolution=224, quick=False)
  config = v3_recipe(common.base(), arg)
  config.model.name = f'mobilenet_v3_{arg["size"]}_minimalistic'
  return common.quick(config) if arg['quick'] else config
