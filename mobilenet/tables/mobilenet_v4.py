"""Tables 1 and 4 to 7 of MobileNetV4 (https://arxiv.org/abs/2404.10518v2)."""

from mobilenet.tables.quality import COCO
from mobilenet.tables.rows import Row, Table

V1, V2, LARGE = 'mobilenet_v1', 'mobilenet_v2', 'mobilenet_v3_large'
CONV_S, CONV_M = 'mobilenet_v4_conv_small', 'mobilenet_v4_conv_medium'
CONV_L, HYBRID_M = 'mobilenet_v4_conv_large', 'mobilenet_v4_hybrid_medium'
HYBRID_L = 'mobilenet_v4_hybrid_large'

# 16-bit floats on GPUs and the iPhone, 8 bits on the others.
DEVICES = (
  'Pixel 6 CPU (ms)',
  'Pixel 8 EdgeTPU (ms)',
  'iPhone 13 CoreML (ms)',
  'Pixel 4 Hexagon (ms)',
  'Pixel 7 GPU (ms)',
  'S23 CPU (ms)',
  'S23 GPU (ms)',
)

SPACES = (
  Row('UIB', None, 1.0, 224, '33.0', '6.2G', '83.3', other='2.68'),
  Row('ConvNext only', None, 1.0, 224, '35.1', '6.9G', '83.2', other='2.69'),
  Row('IB only', None, 1.0, 224, '32.4', '6.1G', '82.3', other='2.61'),
)

STAGES = (
  Row('One stage', None, 1.0, 224, '', '', '81.26', other='74.64 3.85'),
  Row('Two stages', None, 1.0, 224, '', '', '81.48', other='78.24 3.67'),
)

SEARCHED_ON = (
  Row('ImageNet', None, 1.0, 224, '43.5', '7.2G', '82.4', other='72.9 59.2 70.4'),
  Row('JFT, distilled', None, 1.0, 224, '34.4', '6.2G', '82.3', other='74.0 51.0 67.3'),
)

ROWS = (
  Row('MobileNet-V2 0.5x', V2, 0.5, 224, '2.0', '0.1G', '66.0', 'V2',
      '2.4 0.7 0.5 2.9 8.3 1.8 1.9'),
  Row('MobileNet-V3L 0.5x', LARGE, 0.5, 224, '2.7', '0.1G', '69.2',
      other='2.4 0.8 0.45 3.5 9.9 2.0 2.1'),
  Row('MNv4-Conv-S', CONV_S, 1.0, 224, '3.8', '0.2G', '73.8', 'V4 Conv',
      '2.4 0.7 0.6 2.4 8.4 1.8 2.0'),
  Row('MobileNet-V2', V2, 1.0, 224, '3.5', '0.3G', '73.4', 'V2',
      '5.0 0.7 0.7 3.9 13.6 4.1 2.5'),
  Row('MobileNet-V1', V1, 1.0, 224, '4.2', '0.6G', '74.0',
      other='6.1 0.8 0.7 3.2 13.0 4.6 2.1'),
  Row('MobileNet-V2 1.5x', V2, 1.5, 224, '6.8', '0.7G', '76.8', 'V2',
      '9.3 0.9 1.0 5.6 16.4 7.3 3.3'),
  Row('MobileNet-V2 2.0x', V2, 2.0, 224, '11.2', '1.1G', '78.4', 'V2',
      '13.9 1.1 1.5 6.9 19.1 10.6 4.2'),
  Row('MNv4-Conv-M', CONV_M, 1.0, 256, '9.2', '1.0G', '79.9', 'V4 Conv',
      '11.4 1.1 1.1 7.3 18.1 8.6 4.1'),
  Row('MNv4-Hybrid-M', HYBRID_M, 1.0, 256, '10.5', '1.2G', '80.7', 'V4 Hybrid',
      '14.3 1.5 - - 17.9 10.8 5.9'),
  Row('MNv4-Conv-L', CONV_L, 1.0, 384, '31.0', '5.9G', '82.9', 'V4 Conv',
      '59.9 2.4 3.0 20.8 37.6 43.0 13.2'),
  Row('MNv4-Hybrid-L', HYBRID_L, 1.0, 384, '35.9', '7.2G', '83.4', 'V4 Hybrid',
      '87.6 3.8 - - 61.3 61.8 18.1'),
)  # fmt: skip

DETECTION = (
  Row('EfficientFormer L1', None, 1.0, 384, '12.77', '6.54G', '29.5', other='84.3'),
  Row('MobileNet-V1 1.5x', None, 1.5, 384, '9.05', '6.68G', '31.0', other='66.4'),
  Row('MNv4-Conv-M', None, 1.0, 384, '9.79', '5.06G', '32.6', 'V4 Conv', '51.3'),
  Row('MobileNet Multi-AVG 1.5x', None, 1.5, 384, '9.51', '5.42G', '32.7',
      other='58.1'),
  Row('MobileNet-V2 2.0x', None, 2.0, 384, '10.15', '5.81G', '32.9', other='66.4'),
  Row('MobileNet-V3L 2.0x', None, 2.0, 384, '17.92', '4.99G', '33.2', other='59.9'),
  Row('MNv4-Hybrid-M', None, 1.0, 384, '11.15', '5.62G', '34.0', 'V4 Hybrid', '60.5'),
)  # fmt: skip

QUOTED = (
  'No definition with these numbers is public, so that none is counted: all rows are '
  'quotations.'
)

TABLES = {
  'v4/1': Table(
    'Blocks that the search may choose from',
    'arXiv:2404.10518v2, Table 1',
    SPACES,
    other=('Pixel 8 EdgeTPU (ms)',),
    remark=QUOTED,
  ),
  'v4/4': Table(
    'A search in one stage or two',
    'arXiv:2404.10518v2, Table 4',
    STAGES,
    other=('top-1 while training (%)', 'Pixel 6 EdgeTPU (ms)'),
    remark='The first of two stages searches the widths of inverted bottlenecks with '
    'expansion 4 and 3 x 3; the second, which of its two depthwise convolutions each '
    f'block has, 3 x 3 or 5 x 5. {QUOTED}',
    axes=('Pixel 6 EdgeTPU (ms)',),
  ),
  'v4/5': Table(
    'What the search trains on',
    'arXiv:2404.10518v2, Table 5',
    SEARCHED_ON,
    other=('top-1 while training (%)', 'Pixel 4 GPU (ms)', 'Pixel 6 CPU (ms)'),
    remark=QUOTED,
    axes=('Pixel 6 CPU (ms)', 'multiply-adds'),
  ),
  'v4/6': Table(
    'Classification on ImageNet',
    'arXiv:2404.10518v2, Table 6',
    ROWS,
    other=DEVICES,
    remark="Rows of other families are left out. V1, V2 and V3 are the paper's own "
    'new trainings with its recipe. It does not print their resolution; 224 px is '
    'assumed.',
    notes={
      'Printed are binary millions: parameters without BatchNorm over 2^20, '
      'multiply-adds over 2^30.': (
        'MNv4-Conv-M',
        'MNv4-Hybrid-M',
        'MNv4-Conv-L',
        'MNv4-Hybrid-L',
      ),
      'The definition is that of the released code; Table 13 of the paper has other '
      'rows (11.17 M, 1,297 M multiply-adds).': ('MNv4-Hybrid-M',),
    },
  ),
  'v4/7': Table(
    'Detection on COCO',
    'arXiv:2404.10518v2, Table 7',
    DETECTION,
    other=('Pixel 6 CPU (ms)',),
    quality=COCO,
    published='published (val2017)',
    remark='RetinaNet at 384 px with separable convolutions of 256 channels. No config '
    'of these detectors is public, so that none is counted here: all rows are '
    'quotations.',
    notes={
      'The text of the paper has Hybrid-M 1.6 points above Conv-M, this table 1.4.': (
        'MNv4-Hybrid-M',
      ),
    },
  ),
}
