"""Tables 2 and 4 of MobileNetV2 (https://arxiv.org/abs/1801.04381)."""

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
}
