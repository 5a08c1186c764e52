"""Tables 1 to 5 and 9 of MobileNetV3 (https://arxiv.org/abs/1905.02244v5)."""

from mobilenet.tables import mnasnet
from mobilenet.tables.rows import Architecture, Row, Table

PAPER = 'arXiv:1905.02244v5'
LARGE, SMALL = 'mobilenet_v3_large', 'mobilenet_v3_small'
V2 = 'mobilenet_v2'
PHONES = ('Pixel 1 (ms)', 'Pixel 2 (ms)', 'Pixel 3 (ms)')

# The lines of the figure of the grid.
LARGE_WIDTH, LARGE_PX = 'large, width', 'large, resolution'
SMALL_WIDTH, SMALL_PX = 'small, width', 'small, resolution'
BOTH_LARGE = f'{LARGE_WIDTH} | {LARGE_PX}'
BOTH_SMALL = f'{SMALL_WIDTH} | {SMALL_PX}'

FLOAT = (
  Row('V3-Large 1.0', LARGE, 1.0, 224, '5.4', '219', '75.2', 'Large', '51 61 44'),
  Row('V3-Large 0.75', LARGE, 0.75, 224, '4.0', '155', '73.3', 'Large', '39 46 40'),
  Row('MnasNet-A1', mnasnet.A1, 1.0, 224, '3.9', '315', '75.2', other='71 86 61'),
  Row('Proxyless', None, 1.0, 224, '4.0', '320', '74.6', other='72 84 60'),
  Row('V2 1.0', V2, 1.0, 224, '3.4', '300', '72.0', 'V2', '64 76 56'),
  Row('V3-Small 1.0', SMALL, 1.0, 224, '2.5', '56', '67.4', 'Small', '15.8 19.4 14.4'),
  Row(
    'V3-Small 0.75', SMALL, 0.75, 224, '2.0', '44', '65.4', 'Small', '12.8 15.6 11.7'
  ),
  Row(
    'Mnas-small',
    mnasnet.SMALL,
    1.0,
    224,
    '1.9',
    '65.1',
    '64.9',
    other='20.3 24.2 17.2',
  ),
  Row('V2 0.35', V2, 0.35, 224, '1.6', '59.2', '60.8', 'V2', '16.6 19.6 13.9'),
)

# Rows of FLOAT, with the exponent of the reward that each search had.
SEARCHED = (
  Row('MnasNet-A1', mnasnet.A1, 1.0, 224, '3.9', '315', '75.2', 'Large', '71 -0.07'),
  Row('V3-Large 1.0', LARGE, 1.0, 224, '5.4', '219', '75.2', 'Large', '51 -0.07'),
  Row('Mnas-small', mnasnet.SMALL, 1.0, 224, '1.9', '65.1', '64.9', 'Small', '20.3 -'),
  Row('V3-Small 1.0', SMALL, 1.0, 224, '2.5', '56', '67.4', 'Small', '15.8 -0.15'),
)

QUANTISED = (
  Row('V3-Large 1.0', LARGE, 1.0, 224, '', '', '73.8', other='44 42.5 31.7'),
  Row('V2 1.0', V2, 1.0, 224, '', '', '70.9', other='52 48.3 37.0'),
  Row('V3-Small 1.0', SMALL, 1.0, 224, '', '', '64.9', other='15.5 14.9 10.7'),
  Row('V2 0.35', V2, 0.35, 224, '', '', '57.2', other='16.7 15.6 11.9'),
)

NON_LINEARITY = (
  Row('V3-Large 1.0', LARGE, 1.0, 224, '', '', '75.2', other='51.4 57.5'),
  Row(
    'ReLU', LARGE, 1.0, 224, '', '', '74.5', other='50.5 50.5', differs='activations'
  ),
  Row(
    'h-swish @16',
    LARGE,
    1.0,
    224,
    '',
    '',
    '75.4',
    other='53.5 68.9',
    differs='activations',
  ),
  Row(
    'h-swish @112',
    LARGE,
    1.0,
    224,
    '',
    '',
    '75.0',
    other='51 54.4',
    differs='activations',
  ),
)

GRID = (
  Row('large 224/1.25', LARGE, 1.25, 224, '7.5', '356', '76.6', LARGE_WIDTH, '77.0'),
  Row('large 224/1.0', LARGE, 1.0, 224, '5.4', '217', '75.2', BOTH_LARGE, '51.2'),
  Row('large 224/0.75', LARGE, 0.75, 224, '4.0', '155', '73.3', LARGE_WIDTH, '39.8'),
  Row('large 224/0.5', LARGE, 0.5, 224, '2.6', '69', '68.8', LARGE_WIDTH, '21.7'),
  Row('large 224/0.35', LARGE, 0.35, 224, '2.2', '40', '64.2', LARGE_WIDTH, '15.1'),
  Row('large 256/1.0', LARGE, 1.0, 256, '5.4', '282', '76.0', LARGE_PX, '65.6'),
  Row('large 192/1.0', LARGE, 1.0, 192, '5.4', '160', '73.7', LARGE_PX, '38.0'),
  Row('large 160/1.0', LARGE, 1.0, 160, '5.4', '112', '71.7', LARGE_PX, '27.8'),
  Row('large 128/1.0', LARGE, 1.0, 128, '5.4', '73', '68.4', LARGE_PX, '17.8'),
  Row('large 96/1.0', LARGE, 1.0, 96, '5.4', '43', '63.3', LARGE_PX, '12.5'),
  Row('small 224/1.25', SMALL, 1.25, 224, '3.6', '91', '70.4', SMALL_WIDTH, '23.6'),
  Row('small 224/1.0', SMALL, 1.0, 224, '2.5', '57', '67.5', BOTH_SMALL, '15.8'),
  Row('small 224/0.75', SMALL, 0.75, 224, '2.0', '44', '65.4', SMALL_WIDTH, '12.8'),
  Row('small 224/0.5', SMALL, 0.5, 224, '1.6', '21', '58.0', SMALL_WIDTH, '7.7'),
  Row('small 224/0.35', SMALL, 0.35, 224, '1.4', '12', '49.8', SMALL_WIDTH, '5.7'),
  Row('small 256/1.0', SMALL, 1.0, 256, '2.5', '74', '68.5', SMALL_PX, '20.0'),
  Row('small 160/1.0', SMALL, 1.0, 160, '2.5', '30', '62.8', SMALL_PX, '8.6'),
  Row('small 128/1.0', SMALL, 1.0, 128, '2.5', '20', '57.3', SMALL_PX, '5.8'),
  Row('small 96/1.0', SMALL, 1.0, 96, '2.5', '12', '51.7', SMALL_PX, '4.4'),
)

TABLE_9_PRINTS = (
  'Table 9 of the same paper prints 217 M, which is what the definition gives.'
)
V2_WITHOUT_NORM = (
  '3.4 M leaves BatchNorm out: 3.47 M without its scales and shifts, cut off.'
)
SMALL_075 = (
  '44 M is printed for 43.4 M of the definition, whose rounding of widths fits the '
  'parameters of the same row.'
)

TABLES = {
  'v3/1': Architecture(
    'MobileNetV3-Large',
    f'{PAPER}, Table 1',
    LARGE,
    parameters='5.4',
    multiply_adds='219',
    notes=(
      'Totals as Table 3 of the paper prints them; Table 9 prints 217 M.',
      'The first version on arXiv has another last stage.',
    ),
  ),
  'v3/2': Architecture(
    'MobileNetV3-Small',
    f'{PAPER}, Table 2',
    SMALL,
    parameters='2.5',
    multiply_adds='56',
    notes=(
      'Totals as Table 3 of the paper prints them; Table 9 prints 57 M.',
      'The paper prints squeeze-and-excite in the 1x1 convolution to 576 as well; no '
      'code has it, and the totals fit only without.',
    ),
  ),
  'v3/3': Table(
    'Floating-point performance on ImageNet',
    f'{PAPER}, Table 3',
    FLOAT,
    other=PHONES,
    notes={
      TABLE_9_PRINTS: ('V3-Large 1.0',),
      mnasnet.COUNTED_A1: ('MnasNet-A1',),
      mnasnet.COUNTED_SMALL: ('Mnas-small',),
      V2_WITHOUT_NORM: ('V2 1.0',),
      SMALL_075: ('V3-Small 0.75',),
      "TF-slim's page prints 60.3 for the same network.": ('V2 0.35',),
    },
  ),
  'v3/search': Table(
    'What the search began with and found',
    f'{PAPER}, Table 3 and sections 4 and 5',
    SEARCHED,
    other=('Pixel 1 (ms)', 'w of the reward'),
    remark='Networks are sampled for the reward accuracy x (latency / target)^w. Then '
    'NetAdapt cuts what was found. Each of its proposals narrows an expansion, or the '
    'bottlenecks of one width, and saves 1 % of the first latency or more; all are '
    'fine-tuned for 10,000 steps, and that with the most accuracy for a millisecond is '
    'kept. The paper prints no network from before NetAdapt, nor from before the '
    'changes by hand.',
    notes={
      'By hand: the last stage behind the pool saves 7 ms and 30 M multiply-adds, a '
      'stem of 16 channels with h-swish instead of 32 saves 2 ms and 10 M.': (
        'V3-Large 1.0',
      ),
      "Large begins with MnasNet-A1, and so has its search's w.": ('V3-Large 1.0',),
      'Small has a search of its own, with another w because accuracy changes faster '
      'with latency in small networks.': ('V3-Small 1.0',),
      TABLE_9_PRINTS: ('V3-Large 1.0',),
      mnasnet.COUNTED_A1: ('MnasNet-A1',),
      mnasnet.COUNTED_SMALL: ('Mnas-small',),
    },
    axes=('Pixel 1 (ms)', 'multiply-adds'),
  ),
  'v3/4': Table(
    'Quantised performance on ImageNet',
    f'{PAPER}, Table 4',
    QUANTISED,
    other=PHONES,
    remark='Published are 8-bit networks; counts and results of ours are of the '
    'floating-point networks with the same definition. The paper prints no counts '
    'here and does not say how it quantised.',
    published='published (uint8)',
    ours='ours (float)',
  ),
  'v3/5': Table(
    'Effect of the non-linearities',
    f'{PAPER}, Table 5',
    NON_LINEARITY,
    other=('Pixel 1 (ms)', 'Pixel 1, h-swish not optimised (ms)'),
    remark='h-swish @N: h-swish in layers of N channels and more, ReLU below; the '
    'network itself has N = 80. Counts are the same for all. The paper prints none.',
    axes=('Pixel 1 (ms)', 'Pixel 1, h-swish not optimised (ms)'),
  ),
  'v3/9': Table(
    'Width multiplier and resolution',
    f'{PAPER}, Table 9 (appendix A)',
    GRID,
    other=('Pixel 1 (ms)',),
    notes={
      '7.5 M fits a last layer kept at 1,280 channels (7.55 M), 356 M one widened to '
      '1,600, as here and in Keras; for Small 1.25 only the widened one fits.': (
        'large 224/1.25',
      ),
      '2.2 M and 40 M are printed for 2.13 M and 39.5 M of the definition.': (
        'large 224/0.35',
      ),
      'Table 3 of the same paper prints 67.4 and 56 M.': ('small 224/1.0',),
      SMALL_075: ('small 224/0.75',),
      '74 M is printed for 73.2 M of the definition.': ('small 256/1.0',),
    },
  ),
}
