"""Tables 2, 4, 6 and 7 of MobileNetV2 (https://arxiv.org/abs/1801.04381)."""

from mobilenet.tables.quality import COCO, VOC
from mobilenet.tables.rows import Architecture, Row, Table

PAPER = 'arXiv:1801.04381'
V1, V2 = 'mobilenet_v1', 'mobilenet_v2'
SHUFFLE = 'shufflenet_v1_g3'

PERFORMANCE = (
  Row('MobileNetV1', V1, 1.0, 224, '4.2', '575', '70.6', other='113'),
  Row('ShuffleNet (1.5)', SHUFFLE, 1.5, 224, '3.4', '292', '71.5', 'ShuffleNet'),
  Row('ShuffleNet (x2)', SHUFFLE, 2.0, 224, '5.4', '524', '73.7', 'ShuffleNet'),
  Row('NasNet-A', None, 1.0, 224, '5.3', '564', '74.0', other='183'),
  Row('MobileNetV2', V2, 1.0, 224, '3.4', '300', '72.0', 'MobileNetV2', '75'),
  Row('MobileNetV2 (1.4)', V2, 1.4, 224, '6.9', '585', '74.7', 'MobileNetV2', '143'),
)

COCO_OUTPUTS = (('num_classes', 80),)  # and the background

DETECTION = (
  Row('SSD300', None, 1.0, 300, '36.1', '35.2G', '23.2'),
  Row('SSD512', None, 1.0, 512, '36.1', '99.5G', '26.8'),
  Row('YOLOv2', None, parameters='50.7', multiply_adds='17.5G', quality='21.6'),
  Row('MNet V1 + SSDLite', 'ssdlite_mobilenet_v1', 1.0, 320, '5.1', '1.3G', '22.2',
      other='270', options=COCO_OUTPUTS),
  Row('MNet V2 + SSDLite', 'ssdlite_mobilenet_v2', 1.0, 320, '4.3', '0.8G', '22.1',
      other='200', options=COCO_OUTPUTS),
)  # fmt: skip

PYRAMID, WITHOUT = 'deeplab_mobilenet_v2', 'raspp_mobilenet_v2'
AT_16, AT_8 = (('num_classes', 21),), (('num_classes', 21), ('output_stride', 8))
SCALES = 'several scales'

SEGMENTATION = (
  Row('MNet V1, OS 16, ASPP', None, 1.0, 513, '11.15', '14.25G', '75.29', 'V1',
      '16 yes no'),
  Row('MNet V1, OS 8, ASPP, MF', None, 1.0, 513, '11.15', '941.9G', '78.56', 'V1',
      '8 yes yes'),
  Row('MNet V2, OS 16, ASPP', PYRAMID, 1.0, 513, '4.52', '5.8G', '75.70', 'V2, ASPP',
      '16 yes no', options=AT_16),
  Row('MNet V2, OS 8, ASPP, MF', PYRAMID, 1.0, 513, '4.52', '387G', '78.42', 'V2, ASPP',
      '8 yes yes', differs=SCALES, options=AT_8),
  Row('MNet V2, OS 16', WITHOUT, 1.0, 513, '2.11', '2.75G', '75.32', 'V2',
      '16 no no', options=AT_16),
  Row('MNet V2, OS 8, MF', WITHOUT, 1.0, 513, '2.11', '152.6G', '77.33', 'V2',
      '8 no yes', differs=SCALES, options=AT_8),
  Row('ResNet-101, OS 16, ASPP', None, 1.0, 513, '58.16', '81.0G', '80.49',
      'ResNet-101', '16 yes no'),
  Row('ResNet-101, OS 8, ASPP, MF', None, 1.0, 513, '58.16', '4870.6G', '82.70',
      'ResNet-101', '8 yes yes'),
)  # fmt: skip

TABLES = {
  'v2/2': Architecture(
    'MobileNetV2',
    f'{PAPER}, Table 2',
    V2,
    parameters='3.4',
    multiply_adds='300',
    notes=(
      'Totals as Table 4 of the paper prints them; 3.4 M leaves BatchNorm out, '
      'without which the count is 3.47 M.',
      'The text of the paper speaks of 19 bottleneck layers, this table has 17.',
    ),
  ),
  'v2/4': Table(
    'Performance on ImageNet',
    f'{PAPER}, Table 4',
    PERFORMANCE,
    other=('Pixel 1 CPU (ms)',),
    notes={
      "V1's own paper prints 569 M, which is what its definition gives.": (
        'MobileNetV1',
      ),
      '3.4 M leaves BatchNorm out: 3.47 M without its scales and shifts, cut off.': (
        'MobileNetV2',
      ),
      '6.9 M is not what the definition gives: 6.11 M, 6.06 M without BatchNorm, which '
      "TF-slim's page prints for the same network.": ('MobileNetV2 (1.4)',),
    },
  ),
  'v2/6': Table(
    'Detection on COCO',
    f'{PAPER}, Table 6',
    DETECTION,
    other=('Pixel 1 CPU (ms)',),
    quality=COCO,
    published='published (test-dev)',
    ours='ours (val2017)',
    notes={
      'Counted with 81 outputs for each anchor: 80 classes and the background. With '
      'the 91 of the released configs V1 has 5.25 M, V2 4.50 M.': (
        'MNet V1 + SSDLite',
        'MNet V2 + SSDLite',
      ),
    },
  ),
  'v2/7': Table(
    'Segmentation on PASCAL VOC',
    f'{PAPER}, Table 7',
    SEGMENTATION,
    other=('output stride', 'ASPP', 'several scales, mirrored (MF)'),
    quality=VOC,
    remark="DeepLabV3 on the validation set of 2012, after training on COCO's pixels "
    'too. V2 is cut before its 1,280 channels; without ASPP, a 1x1 convolution and '
    'the pooled image remain. Counted for one picture of 513 px and 21 classes.',
    notes={
      'The parameters agree, the multiply-adds do not: the definition has 5.36 G at '
      '513 px, where the network without ASPP has what its row prints.': (
        'MNet V2, OS 16, ASPP',
      ),
      'Published multiply-adds are of all scales and of the mirrored pictures, counted '
      "are those of one pass. DeepLabV3's six scales (0.5 to 1.75), also mirrored, are "
      '17.4 times as much: 153 G without ASPP, 330 G with it.': (
        'MNet V2, OS 8, ASPP, MF',
        'MNet V2, OS 8, MF',
      ),
    },
  ),
}
