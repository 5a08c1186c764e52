"""Tables 4 to 9 and 13 of MobileNetV1 (https://arxiv.org/abs/1704.04861v1)."""

from mobilenet.tables.quality import COCO
from mobilenet.tables.rows import Row, Table

PAPER = 'arXiv:1704.04861'
V1 = 'mobilenet_v1'

CONV = (
  Row('Conv MobileNet', 'mobilenet_v1_full_conv', 1.0, 224, '29.3', '4866', '71.7'),
  Row('MobileNet', V1, 1.0, 224, '4.2', '569', '70.6'),
)

SHALLOW = (
  Row('0.75 MobileNet', V1, 0.75, 224, '2.6', '325', '68.4'),
  Row('Shallow MobileNet', 'mobilenet_v1_shallow', 1.0, 224, '2.9', '307', '65.3'),
)

WIDTH = (
  Row('1.0 MobileNet-224', V1, 1.0, 224, '4.2', '569', '70.6', 'width'),
  Row('0.75 MobileNet-224', V1, 0.75, 224, '2.6', '325', '68.4', 'width'),
  Row('0.5 MobileNet-224', V1, 0.5, 224, '1.3', '149', '63.7', 'width'),
  Row('0.25 MobileNet-224', V1, 0.25, 224, '0.5', '41', '50.6', 'width'),
)

RESOLUTION = (
  Row('1.0 MobileNet-224', V1, 1.0, 224, '4.2', '569', '70.6', 'resolution'),
  Row('1.0 MobileNet-192', V1, 1.0, 192, '4.2', '418', '69.1', 'resolution'),
  Row('1.0 MobileNet-160', V1, 1.0, 160, '4.2', '290', '67.2', 'resolution'),
  Row('1.0 MobileNet-128', V1, 1.0, 128, '4.2', '186', '64.4', 'resolution'),
)

POPULAR = (
  Row('1.0 MobileNet-224', V1, 1.0, 224, '4.2', '569', '70.6'),
  Row('GoogleNet', 'googlenet_2014', 1.0, 224, '6.8', '1550', '69.8'),
  Row('VGG 16', 'vgg16', 1.0, 224, '138', '15300', '71.5'),
)

SMALLER = (
  Row('0.50 MobileNet-160', V1, 0.5, 160, '1.32', '76', '60.2'),
  Row('Squeezenet', 'squeezenet_1_0', 1.0, 224, '1.25', '1700', '57.5'),
  Row('AlexNet', 'alexnet_2012', 1.0, 224, '60', '720', '57.2'),
)

COCO_OUTPUTS = (('num_classes', 90),)  # and the background: COCO's ids have gaps

DETECTION = (
  Row('SSD 300, deeplab-VGG', None, 1.0, 300, '33.1', '34.9G', '21.1'),
  Row('SSD 300, Inception V2', None, 1.0, 300, '13.7', '3.8G', '22.0'),
  Row('SSD 300, MobileNet', 'ssd_mobilenet_v1', 1.0, 300, '6.8', '1.2G', '19.3',
      options=COCO_OUTPUTS),
  Row('Faster-RCNN 300, VGG', None, 1.0, 300, '138.5', '64.3G', '22.9'),
  Row('Faster-RCNN 300, Inception V2', None, 1.0, 300, '13.3', '118.2G', '15.4'),
  Row('Faster-RCNN 300, MobileNet', None, 1.0, 300, '6.1', '25.2G', '16.4'),
  Row('Faster-RCNN 600, VGG', None, 1.0, 600, '138.5', '149.6G', '25.7'),
  Row('Faster-RCNN 600, Inception V2', None, 1.0, 600, '13.3', '129.6G', '21.9'),
  Row('Faster-RCNN 600, MobileNet', None, 1.0, 600, '6.1', '30.5G', '19.8'),
)  # fmt: skip

# A count within 1 % of print, or rounded to it, needs no note.
TABLES = {
  'v1/4': Table(
    'Depthwise separable against full convolution', f'{PAPER}, Table 4', CONV
  ),
  'v1/5': Table('Narrow against shallow', f'{PAPER}, Table 5', SHALLOW),
  'v1/6': Table('Width multiplier', f'{PAPER}, Table 6', WIDTH),
  'v1/7': Table('Resolution', f'{PAPER}, Table 7', RESOLUTION),
  'v1/8': Table(
    'Against popular networks',
    f'{PAPER}, Table 8',
    POPULAR,
    notes={
      'The GoogLeNet counted is that of its paper (1409.4842), without the auxiliary '
      'classifiers. 6.8 M is the sum of its Table 1 in units of 1,024, whose first row '
      "is too small; 1,550 M is neither its sum (1,502 M) nor the definition's.": (
        'GoogleNet',
      ),
      '15,300 M are the convolutions of VGG-16 (15,347 M counted); its three dense '
      'layers are another 124 M.': ('VGG 16',),
    },
  ),
  'v1/9': Table(
    'The smaller against popular networks',
    f'{PAPER}, Table 9',
    SMALLER,
    notes={
      '1,700 M are FLOPs, two to a multiply-add, beside the multiply-adds of the other '
      'rows; the paper\'s "22 times less" computation is 11 times.': ('Squeezenet',),
      'The AlexNet counted is the published one of 2012, two towers, hence half the '
      'connections in three of its layers.': ('AlexNet',),
    },
  ),
  'v1/13': Table(
    'Detection on COCO',
    f'{PAPER}, Table 13',
    DETECTION,
    quality=COCO,
    published='published (minival)',
    ours='ours (val2017)',
    remark='minival is 8,000 pictures of the validation set of 2014; val2017 is 5,000 '
    'of the same set. Faster-RCNN takes 300 proposals.',
    notes={
      'Counted with 91 outputs for each anchor: 90 ids of COCO and the background.': (
        'SSD 300, MobileNet',
      ),
    },
  ),
}
