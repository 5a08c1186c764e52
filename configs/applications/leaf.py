"""Diseases of tomato leaves, ten classes; from the laboratory to the field.

    python main.py --config=configs/applications/leaf.py --config.data.dir=tomato \
      --config.init=mobilenet_v2-b0353104.pth
    python main.py --job=eval --workdir=runs/leaf --data_dir=tomato_in_the_field

Data: PlantVillage's ten Tomato___* folders, copied into one folder. All 38 classes are
in TFDS: --config.data.name=plant_village --config.data.train_split='train[:80%]'
--config.data.eval_split='train[80%:]'.

Measured against: MobileNetV2, 99.30 % (arXiv 2109.02394). V3 trained on PlantVillage
reached 92.6 % on photos of the field.

What matters: PlantVillage's photos were taken on a few backgrounds, which a network can
learn instead of the disease. Keep photos from a field as a second folder, and believe
that number. docs/applications/leaf.md says more.
"""

from configs import finetune


def get_config(arg=None):
  config = finetune.get_config(arg, kind='microscopy')  # a leaf has no upper side
  config.loss.balance = 0.5
  return config


sweep = finetune.sweep
