"""MnasNet (https://arxiv.org/abs/1807.11626): its authors' page, and what PyTorch has.

The tables of the paper itself are not here: they could not be read.
"""

from mobilenet.tables.rows import Row, Table

A1, B1, SMALL = 'mnasnet_a1', 'mnasnet_b1', 'mnasnet_small'

GRID = (
  Row('A1 1.4 224', A1, 1.4, 224, '6.1', '591.5', '77.2', '1.4', '93.5 135'),
  Row('A1 1.0 224', A1, 1.0, 224, '3.9', '315.2', '75.2', '1.0', '92.5 78'),
  Row('A1 0.75 224', A1, 0.75, 224, '2.9', '226.7', '73.3', '0.75', '91.3 61'),
  Row('A1 0.5 224', A1, 0.5, 224, '2.1', '105.2', '68.9', '0.5', '88.4 32'),
  Row('A1 0.35 224', A1, 0.35, 224, '1.7', '63.2', '64.1', '0.35', '85.1 22'),
  Row('A1 1.4 192', A1, 1.4, 192, '6.1', '435.1', '76.1', '1.4', '93.0 99'),
  Row('A1 1.0 192', A1, 1.0, 192, '3.9', '232.0', '74.0', '1.0', '91.6 57'),
  Row('A1 0.75 192', A1, 0.75, 192, '2.9', '166.9', '72.1', '0.75', '90.5 45'),
  Row('A1 0.5 192', A1, 0.5, 192, '2.1', '77.6', '67.2', '0.5', '87.4 24'),
  Row('A1 0.35 192', A1, 0.35, 192, '1.7', '46.8', '62.4', '0.35', '83.8 17'),
  Row('A1 1.4 160', A1, 1.4, 160, '6.1', '302.8', '74.8', '1.4', '92.1 72'),
  Row('A1 1.0 160', A1, 1.0, 160, '3.9', '161.6', '72.0', '1.0', '90.5 41'),
  Row('A1 0.75 160', A1, 0.75, 160, '2.9', '116.4', '70.1', '0.75', '89.3 33'),
  Row('A1 0.5 160', A1, 0.5, 160, '2.1', '54.4', '64.9', '0.5', '85.8 18'),
  Row('A1 0.35 160', A1, 0.35, 160, '1.7', '32.9', '52.3', '0.35', '81.5 13'),
  Row('A1 1.4 128', A1, 1.4, 128, '6.1', '194.5', '72.5', '1.4', '90.6 49'),
  Row('A1 1.0 128', A1, 1.0, 128, '3.9', '104.1', '69.3', '1.0', '88.9 29'),
  Row('A1 0.75 128', A1, 0.75, 128, '2.9', '75.0', '67.0', '0.75', '87.3 23'),
  Row('A1 0.5 128', A1, 0.5, 128, '2.1', '35.3', '60.8', '0.5', '83.0 12'),
  Row('A1 0.35 128', A1, 0.35, 128, '1.7', '21.6', '54.8', '0.35', '78.1 8.5'),
  Row('A1 1.4 96', A1, 1.4, 96, '6.1', '110.3', '68.6', '1.4', '88.1 32'),
  Row('A1 1.0 96', A1, 1.0, 96, '3.9', '59.3', '64.4', '1.0', '85.8 18'),
  Row('A1 0.75 96', A1, 0.75, 96, '2.9', '42.9', '62.1', '0.75', '84.0 17'),
  Row('A1 0.5 96', A1, 0.5, 96, '2.1', '20.5', '54.7', '0.5', '78.1 7.4'),
  Row('A1 0.35 96', A1, 0.35, 96, '1.7', '12.7', '49.3', '0.35', '73.4 5.4'),
)
ON_THE_PAGE = (*GRID, Row('Small', SMALL, 1.0, 224, '2.0', '68', '66'))

OF_TORCHVISION, OF_TIMM = 'B1, torchvision', 'A1, timm'
WITH_WEIGHTS = (
  Row('mnasnet0_5', B1, 0.5, 224, '2.218512', '0.104G', '67.734', OF_TORCHVISION,
      '87.490'),
  Row('mnasnet0_75', B1, 0.75, 224, '3.170208', '0.215G', '71.180', OF_TORCHVISION,
      '90.496'),
  Row('mnasnet1_0', B1, 1.0, 224, '4.383312', '0.314G', '73.456', OF_TORCHVISION,
      '91.510'),
  Row('mnasnet1_3', B1, 1.3, 224, '6.282256', '0.526G', '76.506', OF_TORCHVISION,
      '93.522'),
  Row('mnasnet_100.rmsp_in1k', B1, 1.0, 224, '4.38', '', '74.672', other='92.108'),
  Row('semnasnet_075.rmsp_in1k', A1, 0.75, 224, '2.91', '', '73.0', OF_TIMM, '91.124'),
  Row('semnasnet_100.rmsp_in1k', A1, 1.0, 224, '3.89', '', '75.452', OF_TIMM,
      '92.608'),
  Row('mnasnet_small.lamb_in1k', SMALL, 1.0, 224, '2.03', '', '66.204',
      other='86.47'),
)  # fmt: skip

# Of MnasNets in the tables of V3's paper as well.
COUNTED_A1 = (
  "The authors' code has 311.6 M, and the text of their page prints 312 M; its table "
  'prints 315.2.'
)
COUNTED_SMALL = (
  "The authors' code has 2.03 M and 68.3 M, and their page prints 2.0 M and 68 M: this "
  'one is another, or counted in another way.'
)

TABLES = {
  'mnasnet/tpu': Table(
    'MnasNet, width and resolution',
    'tensorflow/tpu, models/official/mnasnet/README.md',
    ON_THE_PAGE,
    other=('top-5', 'Pixel 1 (ms)'),
    legend='width',
    notes={
      'The table of the page is 0.9 to 2.8 % above what the convolutions and the dense '
      'layers of the definition have. Its text prints 312 M for width 1.0 at 224 px, '
      'as counted (311.6 M).': tuple(row.label for row in GRID),
      'A last column without a heading, which repeats top-1 in the other rows, has '
      '59.3 here.': ('A1 0.35 160',),
      'The page prints "~66%".': ('Small',),
    },
  ),
  'mnasnet/pytorch': Table(
    'MnasNets with weights for PyTorch',
    "torchvision 0.29, models/mnasnet.py; timm's results/results-imagenet.csv",
    WITH_WEIGHTS,
    other=('top-5',),
    remark="The first four are torchvision's: 1e100/mnasnet_trainer trained mnasnet0_5 "
    "and mnasnet1_0, torchvision's newer recipe the others. timm prints no "
    'multiply-adds.',
  ),
}
