"""Tables 6 to 8 of MobileNetV3 (https://arxiv.org/abs/1905.02244v5): boxes, pixels."""

from mobilenet.tables.quality import CITYSCAPES, COCO
from mobilenet.tables.rows import Row, Table

PAPER = 'arXiv:1905.02244v5'

V2, LARGE = 'ssdlite_mobilenet_v2', 'ssdlite_mobilenet_v3_large'
SMALL, MNASNET = 'ssdlite_mobilenet_v3_small', 'ssdlite_mnasnet_a1'
BOTH = (('num_classes', 90),)  # and the background: COCO's ids have gaps
OLD = (('num_classes', 80),)  # those of V2's own table

DETECTION = (
  Row('V1', 'ssdlite_mobilenet_v1', 1.0, 320, '5.1', '1.3G', '22.2', other='228',
      options=OLD),
  Row('V2', V2, 1.0, 320, '4.3', '0.80G', '22.1', 'V2', '162', options=OLD),
  Row('MnasNet', MNASNET, 1.0, 320, '4.88', '0.84G', '23.0', 'MnasNet', '174',
      options=BOTH),
  Row('V3', LARGE, 1.0, 320, '4.97', '0.62G', '22.0', other='137', options=BOTH),
  Row('V3, reduced', f'{LARGE}_reduced', 1.0, 320, '3.22', '0.51G', '22.0',
      other='119', options=BOTH),
  Row('V2 0.35', V2, 0.35, 320, '0.93', '0.16G', '13.7', 'V2', '66', options=BOTH),
  Row('V2 0.5', V2, 0.5, 320, '1.54', '0.27G', '16.6', 'V2', '79', options=BOTH),
  Row('MnasNet 0.35', MNASNET, 0.35, 320, '1.02', '0.18G', '15.6', 'MnasNet', '68',
      options=BOTH),
  Row('MnasNet 0.5', MNASNET, 0.5, 320, '1.68', '0.29G', '18.5', 'MnasNet', '85',
      options=BOTH),
  Row('V3-Small', SMALL, 1.0, 320, '2.49', '0.21G', '16.0', other='52', options=BOTH),
  Row('V3-Small, reduced', f'{SMALL}_reduced', 1.0, 320, '1.77', '0.16G', '16.1',
      other='43', options=BOTH),
)  # fmt: skip

STREET = (1025, 2049)  # px: a picture with the row and the column that DeepLab adds
PIXELS = (('num_classes', 19),)
LR_LARGE, LR_SMALL = 'lraspp_mobilenet_v3_large', 'lraspp_mobilenet_v3_small'
WIDE = (*PIXELS, ('filters', 256))
AT_32 = (*PIXELS, ('output_stride', 32))

VALIDATION = (
  Row('1 V2, R-ASPP', 'raspp_mobilenet_v2', 1.0, STREET, '2.11', '21.29G', '72.84',
      other='no 256 3.90 1.02', options=PIXELS),
  Row('2 V2, R-ASPP', None, 1.0, STREET, '1.15', '13.68G', '72.56',
      other='yes 256 3.03 0.793'),
  Row('3 V2, LR-ASPP', None, 1.0, STREET, '1.02', '12.83G', '72.97',
      other='yes 256 2.98 0.786'),
  Row('4 V2, LR-ASPP', None, 1.0, STREET, '0.98', '12.57G', '72.74',
      other='yes 128 2.89 0.766'),
  Row('5 V3, R-ASPP', 'raspp_mobilenet_v3_large', 1.0, STREET, '3.60', '18.43G',
      '72.64', 'V3', 'no 256 3.55 0.906', options=PIXELS),
  Row('6 V3, R-ASPP', 'raspp_mobilenet_v3_large_reduced', 1.0, STREET, '1.76',
      '11.24G', '71.91', 'V3', 'yes 256 2.60 0.668', options=PIXELS),
  Row('7 V3, LR-ASPP', LR_LARGE, 1.0, STREET, '1.63', '10.33G', '72.37', 'V3',
      'yes 256 2.55 0.659', options=WIDE),
  Row('8 V3, LR-ASPP', LR_LARGE, 1.0, STREET, '1.51', '9.74G', '72.36', 'V3',
      'yes 128 2.47 0.657', options=PIXELS),
  Row('9 V2 0.5, LR-ASPP', None, 0.5, STREET, '0.28', '4.00G', '68.57',
      other='yes 128 1.59 0.415'),
  Row('10 V2 0.35, LR-ASPP', None, 0.35, STREET, '0.16', '2.54G', '66.83',
      other='yes 128 1.27 0.354'),
  Row('11 V3-Small, LR-ASPP', LR_SMALL, 1.0, STREET, '0.47', '2.90G', '68.38',
      other='yes 128 1.21 0.327', options=PIXELS),
)  # fmt: skip

TEST = (
  Row('V3-Large, OS 16', LR_LARGE, 1.0, STREET, '', '9.74G', '72.6', 'Large',
      '16 2.48 2.47 0.657', options=PIXELS),
  Row('V3-Large, OS 32', LR_LARGE, 1.0, STREET, '', '7.74G', '72.0', 'Large',
      '32 1.98 2.06 0.534', options=AT_32),
  Row('V3-Small, OS 16', LR_SMALL, 1.0, STREET, '', '2.90G', '69.4', 'Small',
      '16 0.74 1.21 0.327', options=PIXELS),
  Row('V3-Small, OS 32', LR_SMALL, 1.0, STREET, '', '2.06G', '68.3', 'Small',
      '32 0.53 1.03 0.275', options=AT_32),
  Row('ESPNetv2', None, 1.0, STREET, '', '', '66.2', 'ESPNet', '- 2.7 - -'),
  Row('CCC2', None, 1.0, STREET, '', '', '62.0', other='- 3.15 - -'),
  Row('ESPNetv1', None, 1.0, STREET, '', '', '60.3', 'ESPNet', '- 4.5 - -'),
)  # fmt: skip

COUNTED = (
  'Counted for 19 classes and a picture of 1025 x 2049 px: 1024 x 2048 with the row '
  'and the column that DeepLab adds.'
)
LESS = (
  'Of the multiply-adds ours are the convolutions alone, and fewer; the less a network '
  'computes, the larger the difference. What else the paper counts, it does not say: '
  'enlarging maps and pooling would be of that kind.'
)

TABLES = {
  'v3/6': Table(
    'Detection on COCO',
    f'{PAPER}, Table 6',
    DETECTION,
    other=('Pixel 1 (ms)',),
    quality=COCO,
    published='published (test)',
    ours='ours (val2017)',
    norms=False,
    remark='SSDLite at 320 px. "Reduced" halves the channels of the layers between the '
    'maps of stride 16 and 32. Counted parameters leave BatchNorm out, and the outputs '
    'for each anchor are 91: only so do they have the printed digits.',
    notes={
      "Repeated from V2's paper: counted with its 81 outputs. It has 0.8 G for V2.": (
        'V1', 'V2',
      ),
      '0.62 G is printed for 613 M of convolutions and squeeze-and-excite.': ('V3',),
      'The paper does not say which MnasNet. Counted is A1, which comes within 1 % of '
      'the printed parameters and does not have their digits.': (
        'MnasNet', 'MnasNet 0.35', 'MnasNet 0.5',
      ),
    },
  ),
  'v3/7': Table(
    'Segmentation on Cityscapes, validation set',
    f'{PAPER}, Table 7',
    VALIDATION,
    other=('half of the last channels (RF2)', 'filters (F)', 'Pixel 3 (s)',
           'Pixel 3, half size (s)'),
    quality=CITYSCAPES,
    remark=COUNTED,
    notes={
      LESS: ('5 V3, R-ASPP', '6 V3, R-ASPP', '7 V3, LR-ASPP', '8 V3, LR-ASPP',
             '11 V3-Small, LR-ASPP'),
      'Not counted: no config of a V2 trunk with half of the last channels is public, '
      'and halving them as in V3 gives other parameters in row 3.': (
        '2 V2, R-ASPP', '3 V2, LR-ASPP', '4 V2, LR-ASPP', '9 V2 0.5, LR-ASPP',
        '10 V2 0.35, LR-ASPP',
      ),
    },
  ),
  'v3/8': Table(
    'Segmentation on Cityscapes, test set',
    f'{PAPER}, Table 8',
    TEST,
    other=('output stride', 'multiply-adds, half size (G)', 'Pixel 3 (s)',
           'Pixel 3, half size (s)'),
    quality=CITYSCAPES,
    published='published (test)',
    ours='ours (validation)',
    remark=f'{COUNTED} The paper prints no parameters here.',
    notes={
      LESS: ('V3-Large, OS 16', 'V3-Large, OS 32', 'V3-Small, OS 16',
             'V3-Small, OS 32'),
    },
    axes=('multiply-adds', 'multiply-adds, half size (G)'),
  ),
}  # fmt: skip
