"""Skin lesions under the dermatoscope, seven classes.

    python main.py --config=configs/applications/skin.py --config.data.dir=ham10000 \
      --config.data.group=ham10000_lesions.csv --config.init=mobilenet_v2-b0353104.pth

Data: HAM10000 (Tschandl et al. 2018), 10,015 pictures of 7,470 lesions; its makers give
two folders and a table. docs/applications/skin.md has the script that sorts them into
class folders and writes which pictures show the same lesion.

Measured against: MobileNetV2 in an Android app, 70 % over the classes and 95 % for
"suspicious or not" (core.ac.uk 97853240).

What matters: two thirds of the pictures are moles (nv), so accuracy says little; the
same lesion from several distances must stay on one side; turned pictures mean the same.
It is no diagnosis.
"""

from configs import finetune


def get_config(arg=None):
  config = finetune.get_config(arg, kind='microscopy')
  config.loss.balance = 0.5
  return config


sweep = finetune.sweep
