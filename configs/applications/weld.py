"""Defects of welds in X-ray patches, four classes.

    python main.py --config=configs/applications/weld.py --config.data.dir=riawelc \
      --config.init=mobilenet_v2-b0353104.pth

Data: RIAWELC, 24,407 patches of 227 x 227 grey pixels: cracks, lack of penetration,
porosity, no defect. Many patches come from one radiograph.

Measured against: a frozen MobileNet with a hidden layer of 128 units, 97.69 %, beside
Xception, VGG16, VGG19 and ResNet-50 (Pan et al., IEEE Access 2020), on other data.
`--job=compare` makes such a study.

What matters: patches of one radiograph on one side of the split (`data.group`), all
turns and mirror images mean the same, few pixels carry the defect: no small crops.
docs/applications/weld.md says more.
"""

from configs import finetune


def get_config(arg=None):
  config = finetune.get_config(arg)
  config.data.train_ops = (
    'inception_crop({resolution}, area=(0.8, 1), aspect=(0.95, 1.05))|turn|'
    'color(saturation=(1, 1), contrast=(0.8, 1.25))|{normalize}'
  )
  config.loss.balance = 0.5
  return config


sweep = finetune.sweep
