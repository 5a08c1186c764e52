"""Chest X-rays: pneumonia or normal.

    python main.py --config=configs/applications/xray.py \
      --config.data.dir=chest_xray/train --config.init=mobilenet_v2-b0353104.pth
    python main.py --job=eval --workdir=runs/xray --data_dir=chest_xray/test

Data: Kermany et al., Cell 2018 (Mendeley Data, rscbjbr9sj): chest_xray/train, /val and
/test with NORMAL and PNEUMONIA, 5,856 pictures. Its val/ holds 16: we split train/ by
patient instead.

Measured against: MobileNetV2 with transfer learning, 94.2 % (VGG16: 96.8 %), as
reported by a comparison on such pictures (ewadirect 12520).

What matters: no mirror images, patients on one side of the split, class weights, and
the sensitivity for pneumonia rather than accuracy. docs/applications/xray.md says more.
"""

from configs import finetune


def get_config(arg=None):
  config = finetune.get_config(arg, kind='xray')
  config.data.group = r'(?:person|IM-)\d+'  # NORMAL2-IM-0501-0001.jpeg
  config.loss.balance = 1.0
  config.report.positive = 'PNEUMONIA'
  return config


sweep = finetune.sweep
