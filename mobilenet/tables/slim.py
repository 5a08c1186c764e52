"""The tables of TF-slim's model pages: networks that were published with weights."""

from mobilenet.tables.rows import Row, Table

V1, V2 = 'mobilenet_v1', 'mobilenet_v2'
LARGE, SMALL = 'mobilenet_v3_large', 'mobilenet_v3_small'
LARGE_MINI = 'mobilenet_v3_large_minimalistic'
SMALL_MINI = 'mobilenet_v3_small_minimalistic'
EDGETPU = 'mobilenet_edgetpu'
PAGES = 'tensorflow/models, research/slim/nets'

GRID_V1 = (
  Row('v1_1.0_224', V1, 1.0, 224, '4.24', '569', '70.9', '1.0', '89.9 69.7 89.5'),
  Row('v1_1.0_192', V1, 1.0, 192, '4.24', '418', '70.0', '1.0', '89.2 69.0 88.9'),
  Row('v1_1.0_160', V1, 1.0, 160, '4.24', '291', '68.0', '1.0', '87.7 67.3 87.7'),
  Row('v1_1.0_128', V1, 1.0, 128, '4.24', '186', '65.2', '1.0', '85.8 64.0 85.5'),
  Row('v1_0.75_224', V1, 0.75, 224, '2.59', '317', '68.4', '0.75', '88.2 67.9 88.1'),
  Row('v1_0.75_192', V1, 0.75, 192, '2.59', '233', '67.2', '0.75', '87.3 66.2 87.1'),
  Row('v1_0.75_160', V1, 0.75, 160, '2.59', '162', '65.3', '0.75', '86.0 63.9 85.5'),
  Row('v1_0.75_128', V1, 0.75, 128, '2.59', '104', '62.1', '0.75', '83.9 59.8 82.8'),
  Row('v1_0.5_224', V1, 0.5, 224, '1.34', '150', '63.3', '0.5', '84.9 62.2 84.5'),
  Row('v1_0.5_192', V1, 0.5, 192, '1.34', '110', '61.7', '0.5', '83.6 60.4 83.2'),
  Row('v1_0.5_160', V1, 0.5, 160, '1.34', '77', '59.1', '0.5', '81.9 57.7 81.3'),
  Row('v1_0.5_128', V1, 0.5, 128, '1.34', '49', '56.3', '0.5', '79.4 54.9 78.9'),
  Row('v1_0.25_224', V1, 0.25, 224, '0.47', '41', '49.8', '0.25', '74.2 48.2 73.8'),
  Row('v1_0.25_192', V1, 0.25, 192, '0.47', '34', '47.7', '0.25', '72.3 45.8 71.9'),
  Row('v1_0.25_160', V1, 0.25, 160, '0.47', '21', '45.5', '0.25', '70.3 43.5 69.1'),
  Row('v1_0.25_128', V1, 0.25, 128, '0.47', '14', '41.5', '0.25', '66.3 39.9 65.8'),
)

GRID_V2 = (
  Row('v2_1.4_224', V2, 1.4, 224, '6.06', '582', '75.0', '1.4', '92.5 138.0'),
  Row('v2_1.3_224', V2, 1.3, 224, '5.34', '509', '74.4', '1.3', '92.1 123.0'),
  Row('v2_1.0_224', V2, 1.0, 224, '3.47', '300', '71.8', '1.0', '91.0 73.8'),
  Row('v2_1.0_192', V2, 1.0, 192, '3.47', '221', '70.7', '1.0', '90.1 55.1'),
  Row('v2_1.0_160', V2, 1.0, 160, '3.47', '154', '68.8', '1.0', '89.0 40.2'),
  Row('v2_1.0_128', V2, 1.0, 128, '3.47', '99', '65.3', '1.0', '86.9 27.6'),
  Row('v2_1.0_96', V2, 1.0, 96, '3.47', '56', '60.3', '1.0', '83.2 17.6'),
  Row('v2_0.75_224', V2, 0.75, 224, '2.61', '209', '69.8', '0.75', '89.6 55.8'),
  Row('v2_0.75_192', V2, 0.75, 192, '2.61', '153', '68.7', '0.75', '88.9 41.6'),
  Row('v2_0.75_160', V2, 0.75, 160, '2.61', '107', '66.4', '0.75', '87.3 30.4'),
  Row('v2_0.75_128', V2, 0.75, 128, '2.61', '69', '63.2', '0.75', '85.3 21.9'),
  Row('v2_0.75_96', V2, 0.75, 96, '2.61', '39', '58.8', '0.75', '81.6 14.2'),
  Row('v2_0.5_224', V2, 0.5, 224, '1.95', '97', '65.4', '0.5', '86.4 28.7'),
  Row('v2_0.5_192', V2, 0.5, 192, '1.95', '71', '63.9', '0.5', '85.4 21.1'),
  Row('v2_0.5_160', V2, 0.5, 160, '1.95', '50', '61.0', '0.5', '83.2 14.9'),
  Row('v2_0.5_128', V2, 0.5, 128, '1.95', '32', '57.7', '0.5', '80.8 9.9'),
  Row('v2_0.5_96', V2, 0.5, 96, '1.95', '18', '51.2', '0.5', '75.8 6.4'),
  Row('v2_0.35_224', V2, 0.35, 224, '1.66', '59', '60.3', '0.35', '82.9 19.7'),
  Row('v2_0.35_192', V2, 0.35, 192, '1.66', '43', '58.2', '0.35', '81.2 14.6'),
  Row('v2_0.35_160', V2, 0.35, 160, '1.66', '30', '55.7', '0.35', '79.1 10.5'),
  Row('v2_0.35_128', V2, 0.35, 128, '1.66', '20', '50.8', '0.35', '75.0 6.9'),
  Row('v2_0.35_96', V2, 0.35, 96, '1.66', '11', '45.5', '0.35', '70.4 4.5'),
)

ROWS_V3 = (
  Row('Large dm=1', LARGE, 1.0, 224, '5.4', '217', '75.2', 'Large', '51.2 61 44'),
  Row('Large dm=1 (8-bit)', LARGE, 1.0, 224, '5.4', '217', '73.9', other='44 42.5 32'),
  Row('Large dm=0.75', LARGE, 0.75, 224, '4.0', '155', '73.3', 'Large', '39.8 48 34'),
  Row('Small dm=1', SMALL, 1.0, 224, '2.9', '66', '67.5', 'Small', '15.8 19.4 14.4'),
  Row('Small dm=1 (8-bit)', SMALL, 1.0, 224, '2.9', '66', '64.9', other='15.5 15 10.7'),
  Row(
    'Small dm=0.75', SMALL, 0.75, 224, '2.4', '44', '65.4', 'Small', '12.8 15.9 11.6'
  ),
  Row(
    'Large mini', LARGE_MINI, 1.0, 224, '3.9', '209', '72.3', 'Large mini', '44.1 51 35'
  ),
  Row(
    'Large mini (8-bit)', LARGE_MINI, 1.0, 224, '3.9', '209', '71.3', other='37 35 27'
  ),
  Row(
    'Small mini',
    SMALL_MINI,
    1.0,
    224,
    '2.0',
    '65',
    '61.9',
    'Small mini',
    '12.2 15.1 11',
  ),
  Row(
    'EdgeTPU dm=0.75',
    EDGETPU,
    0.75,
    224,
    '2.9',
    '624',
    '73.5',
    'EdgeTPU',
    '- - - 3.1 13.8',
  ),
  Row(
    'EdgeTPU dm=1', EDGETPU, 1.0, 224, '4.0', '990', '75.6', 'EdgeTPU', '- - - 3.6 20.6'
  ),
)

STALE = (
  '2.9 M and 66 M (2.4 M and 44 M at 0.75) are of an older Small, whose hidden layer '
  'had 1,280 instead of 1,024; the code beside the page gives the counted numbers.'
)

TABLES = {
  'slim/v1': Table(
    'MobileNetV1, width and resolution',
    f'{PAGES}/mobilenet_v1.md',
    GRID_V1,
    other=('top-5', 'uint8 top-1', 'uint8 top-5'),
    legend='width',
    remark='Parameters are for 1,001 classes in print, for 1,000 counted. The uint8 '
    'columns are networks trained with simulated quantisation.',
    notes={
      'The page is 2.6 % below its own definition at width 0.75; the paper prints 325 '
      'M at 224 px.': ('v1_0.75_224', 'v1_0.75_192', 'v1_0.75_160', 'v1_0.75_128'),
      '34 M is wrong: the definition gives 30.2 M.': ('v1_0.25_192',),
    },
  ),
  'slim/v2': Table(
    'MobileNetV2, width and resolution',
    f'{PAGES}/mobilenet/README.md',
    GRID_V2,
    other=('top-5', 'Pixel 1 CPU (ms)'),
    legend='width',
    notes={
      'The page leaves BatchNorm out of its parameters, for 1,001 classes: 3.47 M at '
      'width 1.0, 2.61 M at 0.75, 1.66 M at 0.35.': tuple(
        row.label for row in GRID_V2 if row.width in (1.0, 0.75, 0.35)
      ),
    },
  ),
  'slim/v3': Table(
    'MobileNetV3, its minimalistic kind and EdgeTPU',
    f'{PAGES}/mobilenet/README.md',
    ROWS_V3,
    other=(
      'Pixel 1 (ms)',
      'Pixel 2 (ms)',
      'Pixel 3 (ms)',
      'Pixel 4 EdgeTPU (ms)',
      'Pixel 4 CPU (ms)',
    ),
    remark='8-bit rows and those of EdgeTPU are published quantised; counts and '
    'results of ours are of the floating-point networks with the same definition. '
    'mini: minimalistic, without squeeze-and-excite, h-swish and 5x5 kernels.',
    ours='ours (float)',
    notes={
      STALE: ('Small dm=1', 'Small dm=1 (8-bit)', 'Small dm=0.75'),
      '65 M is wrong: the definition gives 52.3 M.': ('Small mini',),
    },
  ),
}
