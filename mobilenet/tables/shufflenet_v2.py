"""Tables 5, 6 and 8 of ShuffleNet V2 (https://arxiv.org/abs/1807.11164)."""

from mobilenet.tables.rows import Row, Table

PAPER = 'arXiv:1807.11164'
MB_V1, MB_V2 = 'mobilenet_v1', 'mobilenet_v2'
G3, SHUFFLE = 'shufflenet_v1_g3', 'shufflenet_v2'
THEIRS = 'MobileNet v2 (theirs)'

SCALES = (
  Row('ShuffleNet v2 0.5x', SHUFFLE, 0.5, 224, '1.4', '41', '60.3', 'ShuffleNet v2'),
  Row('ShuffleNet v2 1x', SHUFFLE, 1.0, 224, '2.3', '146', '69.4', 'ShuffleNet v2'),
  Row('ShuffleNet v2 1.5x', SHUFFLE, 1.5, 224, '3.5', '299', '72.6', 'ShuffleNet v2'),
  Row('ShuffleNet v2 2x', SHUFFLE, 2.0, 224, '7.4', '591', '74.9', 'ShuffleNet v2'),
)

LARGER = (
  Row('ShuffleNetV2-50', None, 1.0, 224, '', '2.3G', '77.2'),
  Row('ShuffleNetV1-50 (our impl.)', None, 1.0, 224, '', '2.3G', '74.8'),
  Row('ResNet-50', 'resnet50', 1.0, 224, '', '3.8G', '76.0'),
  Row('SE-ShuffleNetV2-164 (residual)', None, 1.0, 224, '', '12.7G', '81.44'),
  Row('SENet', None, 1.0, 224, '', '20.7G', '81.32'),
)

COMPLEXITY = (
  Row(
    'ShuffleNet v2 0.5x',
    SHUFFLE,
    0.5,
    224,
    '',
    '41',
    '60.3',
    'ShuffleNet v2',
    '417 57.0',
  ),
  Row(
    'ShuffleNet v2 1x',
    SHUFFLE,
    1.0,
    224,
    '',
    '146',
    '69.4',
    'ShuffleNet v2',
    '341 24.4',
  ),
  Row(
    'ShuffleNet v2 1.5x',
    SHUFFLE,
    1.5,
    224,
    '',
    '299',
    '72.6',
    'ShuffleNet v2',
    '255 11.8',
  ),
  Row(
    'ShuffleNet v2 2x', SHUFFLE, 2.0, 224, '', '591', '74.9', 'ShuffleNet v2', '217 6.7'
  ),
  Row('0.25 MobileNet v1', MB_V1, 0.25, 224, '', '41', '50.6', 'MobileNet v1'),
  Row('0.4 MobileNet v2 (our impl.)', None, 0.4, 224, '', '43', '56.6', THEIRS),
  Row('0.15 MobileNet v2 (our impl.)', MB_V2, 0.15, 224, '', '39', '44.9', THEIRS),
  Row('ShuffleNet v1 0.5x (g=3)', G3, 0.5, 224, '', '38', '56.8', 'ShuffleNet v1'),
  Row('0.5 MobileNet v1', MB_V1, 0.5, 224, '', '149', '63.7', 'MobileNet v1'),
  Row('0.75 MobileNet v2 (our impl.)', None, 0.75, 224, '', '145', '67.9', THEIRS),
  Row('0.6 MobileNet v2 (our impl.)', MB_V2, 0.6, 224, '', '141', '66.7', THEIRS),
  Row('ShuffleNet v1 1x (g=3)', G3, 1.0, 224, '', '140', '67.4', 'ShuffleNet v1'),
  Row('0.75 MobileNet v1', MB_V1, 0.75, 224, '', '325', '68.4', 'MobileNet v1'),
  Row('1.0 MobileNet v2', MB_V2, 1.0, 224, '', '300', '72.0', 'MobileNet v2'),
  Row('1.0 MobileNet v2 (our impl.)', MB_V2, 1.0, 224, '', '301', '71.7', THEIRS),
  Row('ShuffleNet v1 1.5x (g=3)', G3, 1.5, 224, '', '292', '71.5', 'ShuffleNet v1'),
  Row('1.0 MobileNet v1', MB_V1, 1.0, 224, '', '569', '70.6', 'MobileNet v1'),
  Row('1.4 MobileNet v2', MB_V2, 1.4, 224, '', '585', '74.7', 'MobileNet v2'),
  Row('1.4 MobileNet v2 (our impl.)', MB_V2, 1.4, 224, '', '587', '73.3', THEIRS),
  Row('ShuffleNet v1 2x (g=3)', G3, 2.0, 224, '', '524', '73.7', 'ShuffleNet v1'),
  Row('ShuffleNetV2 2x + SE', None, 1.0, 224, '', '597', '75.4'),
  Row('NASNet-A (our impl.)', None, 1.0, 224, '', '564', '74.0'),
  Row('PNASNet-5 (our impl.)', None, 1.0, 224, '', '588', '74.2'),
)

ERRORS = 'The paper prints errors; top-1 is 100 less the error.'
COUNTED = (
  'The definition has 1.1 to 1.3 % fewer multiply-adds in convolutions and the dense '
  'layer than printed; torchvision publishes 40, 145, 296 and 583 M, as counted.'
)
REDUCED = (
  'Starred in the paper for a reduced resolution that it does not name: not counted.'
)
OWN = "The authors' own implementation, whose rounding of widths is not printed."

TABLES = {
  'shufflenet_v2/5': Table(
    'Scales',
    f'{PAPER}, Table 5 (top-1: Table 8)',
    SCALES,
    remark=ERRORS,
    notes={
      COUNTED: ('ShuffleNet v2 0.5x', 'ShuffleNet v2 1.5x', 'ShuffleNet v2 2x'),
    },
  ),
  'shufflenet_v2/6': Table(
    'Large networks',
    f'{PAPER}, Table 6',
    LARGER,
    remark=ERRORS,
    notes={
      '3.8 G is the ResNet-50 of its paper, which strides in 1x1 convolutions; counted '
      'is the usual one of today, which strides in 3x3.': ('ResNet-50',),
    },
  ),
  'shufflenet_v2/8': Table(
    'Against other networks at four sizes',
    f'{PAPER}, Table 8',
    COMPLEXITY,
    other=('GPU (batches/s)', 'ARM (images/s)'),
    remark=f'{ERRORS} "Our impl." is the paper\'s word: MobileNetV2 trained by the '
    'authors of ShuffleNet. Networks of other families are partly left out.',
    notes={
      COUNTED: ('ShuffleNet v2 0.5x', 'ShuffleNet v2 1.5x', 'ShuffleNet v2 2x'),
      REDUCED: ('0.4 MobileNet v2 (our impl.)', '0.75 MobileNet v2 (our impl.)'),
      OWN: ('0.15 MobileNet v2 (our impl.)', '0.6 MobileNet v2 (our impl.)'),
      "140 M is the class of size; ShuffleNet's own paper prints 137 M.": (
        'ShuffleNet v1 1x (g=3)',
      ),
      "The authors' released weights have 61.1.": ('ShuffleNet v2 0.5x',),
    },
  ),
}
