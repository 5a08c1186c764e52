"""Tables 2 to 6 of ShuffleNet (https://arxiv.org/abs/1707.01083)."""

from mobilenet.tables.rows import Row, Table

PAPER = 'arXiv:1707.01083'
V1 = 'mobilenet_v1'
G1, G2, G3 = 'shufflenet_v1_g1', 'shufflenet_v1_g2', 'shufflenet_v1_g3'
G4, G8 = 'shufflenet_v1_g4', 'shufflenet_v1_g8'

GROUPS = (
  Row('ShuffleNet 1x (g = 1)', G1, 1.0, 224, '', '143', '66.4', 'g = 1'),
  Row('ShuffleNet 1x (g = 2)', G2, 1.0, 224, '', '140', '67.3', 'g = 2'),
  Row('ShuffleNet 1x (g = 3)', G3, 1.0, 224, '', '137', '67.4', 'g = 3'),
  Row('ShuffleNet 1x (g = 4)', G4, 1.0, 224, '', '133', '67.2', 'g = 4'),
  Row('ShuffleNet 1x (g = 8)', G8, 1.0, 224, '', '137', '67.6', 'g = 8'),
  Row('ShuffleNet 0.5x (g = 1)', G1, 0.5, 224, '', '38', '54.9', 'g = 1'),
  Row('ShuffleNet 0.5x (g = 2)', G2, 0.5, 224, '', '38', '55.6', 'g = 2'),
  Row('ShuffleNet 0.5x (g = 3)', G3, 0.5, 224, '', '38', '56.8', 'g = 3'),
  Row('ShuffleNet 0.5x (g = 4)', G4, 0.5, 224, '', '38', '58.4', 'g = 4'),
  Row('ShuffleNet 0.5x (g = 8)', G8, 0.5, 224, '', '38', '57.7', 'g = 8'),
  Row('ShuffleNet 0.25x (g = 1)', G1, 0.25, 224, '', '13', '42.9', 'g = 1'),
  Row('ShuffleNet 0.25x (g = 2)', G2, 0.25, 224, '', '13', '43.2', 'g = 2'),
  Row('ShuffleNet 0.25x (g = 3)', G3, 0.25, 224, '', '13', '45.0', 'g = 3'),
  Row('ShuffleNet 0.25x (g = 4)', G4, 0.25, 224, '', '13', '45.8', 'g = 4'),
  Row('ShuffleNet 0.25x (g = 8)', G8, 0.25, 224, '', '13', '47.3', 'g = 8'),
)

SHUFFLE = (
  Row('ShuffleNet 1x (g = 3)', G3, 1.0, 224, '', '', '67.4', 'g = 3', '65.5'),
  Row('ShuffleNet 1x (g = 8)', G8, 1.0, 224, '', '', '67.6', 'g = 8', '62.4'),
  Row('ShuffleNet 0.5x (g = 3)', G3, 0.5, 224, '', '', '56.8', 'g = 3', '54.3'),
  Row('ShuffleNet 0.5x (g = 8)', G8, 0.5, 224, '', '', '57.7', 'g = 8', '51.9'),
  Row('ShuffleNet 0.25x (g = 3)', G3, 0.25, 224, '', '', '45.0', 'g = 3', '43.7'),
  Row('ShuffleNet 0.25x (g = 8)', G8, 0.25, 224, '', '', '47.3', 'g = 8', '43.5'),
)

STRUCTURES = (
  Row('VGG-like (140 MFLOPs)', None, 1.0, 224, '', '140', '49.3', 'VGG-like'),
  Row('ResNet (140 MFLOPs)', None, 1.0, 224, '', '140', '62.7', 'ResNet'),
  Row('Xception-like (140 MFLOPs)', None, 1.0, 224, '', '140', '66.4', 'Xception-like'),
  Row('ResNeXt (140 MFLOPs)', None, 1.0, 224, '', '140', '66.7', 'ResNeXt'),
  Row('ShuffleNet 1x (g = 8)', G8, 1.0, 224, '', '140', '67.6', 'ShuffleNet'),
  Row('ResNet (38 MFLOPs)', None, 1.0, 224, '', '38', '51.2', 'ResNet'),
  Row('Xception-like (38 MFLOPs)', None, 1.0, 224, '', '38', '54.9', 'Xception-like'),
  Row('ResNeXt (38 MFLOPs)', None, 1.0, 224, '', '38', '54.0', 'ResNeXt'),
  Row('ShuffleNet 0.5x (g = 4)', G4, 0.5, 224, '', '38', '58.4', 'ShuffleNet'),
  Row('ResNet (13 MFLOPs)', None, 1.0, 224, '', '13', '36.3', 'ResNet'),
  Row('Xception-like (13 MFLOPs)', None, 1.0, 224, '', '13', '42.9', 'Xception-like'),
  Row('ResNeXt (13 MFLOPs)', None, 1.0, 224, '', '13', '34.8', 'ResNeXt'),
  Row('ShuffleNet 0.25x (g = 8)', G8, 0.25, 224, '', '13', '47.3', 'ShuffleNet'),
)

MOBILENET = (
  Row('1.0 MobileNet-224', V1, 1.0, 224, '', '569', '70.6', 'MobileNet'),
  Row('ShuffleNet 2x (g = 3)', G3, 2.0, 224, '', '524', '73.7', 'ShuffleNet'),
  Row('ShuffleNet 2x (with SE, g = 3)', None, 1.0, 224, '', '527', '75.3'),
  Row('0.75 MobileNet-224', V1, 0.75, 224, '', '325', '68.4', 'MobileNet'),
  Row('ShuffleNet 1.5x (g = 3)', G3, 1.5, 224, '', '292', '71.5', 'ShuffleNet'),
  Row('0.5 MobileNet-224', V1, 0.5, 224, '', '149', '63.7', 'MobileNet'),
  Row('ShuffleNet 1x (g = 8)', G8, 1.0, 224, '', '140', '67.6', 'ShuffleNet'),
  Row('0.25 MobileNet-224', V1, 0.25, 224, '', '41', '50.6', 'MobileNet'),
  Row('ShuffleNet 0.5x (g = 4)', G4, 0.5, 224, '', '38', '58.4', 'ShuffleNet'),
  Row('ShuffleNet 0.5x (shallow, g = 3)', None, 1.0, 224, '', '40', '57.2'),
)

POPULAR = (
  Row('VGG-16', 'vgg16', 1.0, 224, '', '15300', '71.5'),
  Row('ShuffleNet 2x (g = 3)', G3, 2.0, 224, '', '524', '73.7', 'ShuffleNet'),
  Row('GoogleNet', 'googlenet_2014', 1.0, 224, '', '1500', '68.7'),
  Row('ShuffleNet 1x (g = 8)', G8, 1.0, 224, '', '140', '67.6', 'ShuffleNet'),
  Row('AlexNet', 'alexnet_2012', 1.0, 224, '', '720', '57.2'),
  Row('SqueezeNet', 'squeezenet_1_0', 1.0, 227, '', '833', '57.5'),
  Row('ShuffleNet 0.5x (g = 4)', G4, 0.5, 224, '', '38', '58.4', 'ShuffleNet'),
)

ERRORS = 'The paper prints errors; top-1 is 100 less the error.'
SIZE_CLASS = '140 M is the class of size; Table 2 prints 137 M for the same network.'
SCALED = (
  'The paper prints one number for all groups and neither widths nor stems below 1x: '
  'widths are rounded here so that the groups divide them; at 8 groups the stem has 16 '
  "channels at 0.5x, as in the authors' code, and 8 at 0.25x."
)

TABLES = {
  'shufflenet_v1/2': Table(
    'Number of groups and scale',
    f'{PAPER}, Table 2',
    GROUPS,
    remark=f'{ERRORS} Multiply-adds of 1x are those of its Table 1.',
    notes={
      'Table 1 prints 133 M; its own widths give 134.3 M.': ('ShuffleNet 1x (g = 4)',),
      SCALED: (
        'ShuffleNet 0.5x (g = 4)',
        'ShuffleNet 0.5x (g = 8)',
        'ShuffleNet 0.25x (g = 8)',
      ),
    },
  ),
  'shufflenet_v1/3': Table(
    'With and without channel shuffle',
    f'{PAPER}, Table 3',
    SHUFFLE,
    other=('top-1 without shuffle',),
    remark=f'{ERRORS} Top-1 is with shuffle; the counts are the same without.',
  ),
  'shufflenet_v1/4': Table(
    'Against other structures of the same size',
    f'{PAPER}, Table 4',
    STRUCTURES,
    remark=ERRORS,
    notes={
      SIZE_CLASS: ('ShuffleNet 1x (g = 8)',),
      SCALED: ('ShuffleNet 0.5x (g = 4)', 'ShuffleNet 0.25x (g = 8)'),
    },
  ),
  'shufflenet_v1/5': Table(
    'Against MobileNet',
    f'{PAPER}, Table 5',
    MOBILENET,
    remark=ERRORS,
    notes={
      SIZE_CLASS: ('ShuffleNet 1x (g = 8)',),
      SCALED: ('ShuffleNet 0.5x (g = 4)',),
    },
  ),
  'shufflenet_v1/6': Table(
    'Against popular networks',
    f'{PAPER}, Table 6',
    POPULAR,
    remark=ERRORS,
    notes={
      SIZE_CLASS: ('ShuffleNet 1x (g = 8)',),
      SCALED: ('ShuffleNet 0.5x (g = 4)',),
      '15,300 M are the convolutions of VGG-16 (15,347 M counted); its three dense '
      'layers are another 124 M.': ('VGG-16',),
      "As Table 1 of GoogLeNet's paper adds up, whose first row has 34 M where 118 M "
      "are done; the accuracy is that of Caffe's copy.": ('GoogleNet',),
      'Counted at 227 px, which gives the printed number.': ('SqueezeNet',),
    },
  ),
}
