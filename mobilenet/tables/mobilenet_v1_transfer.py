"""Tables 10 to 12 and 14 of MobileNetV1: breeds, places and faces.

https://arxiv.org/abs/1704.04861v1
"""

from mobilenet.tables.quality import ATTRIBUTES, DOGS, FACES, PLACES
from mobilenet.tables.rows import Row, Table

PAPER = 'arXiv:1704.04861'
V1 = 'mobilenet_v1'
BREEDS = (('num_classes', 120),)

STANFORD_DOGS = (
  Row('Inception V3', None, 1.0, 299, '23.2', '5000', '84.0'),
  Row('1.0 MobileNet-224', V1, 1.0, 224, '3.3', '569', '83.3', '224 px',
      options=BREEDS),
  Row('0.75 MobileNet-224', V1, 0.75, 224, '1.9', '325', '81.9', '224 px',
      options=BREEDS),
  Row('1.0 MobileNet-192', V1, 1.0, 192, '3.3', '418', '81.9', '192 px',
      options=BREEDS),
  Row('0.75 MobileNet-192', V1, 0.75, 192, '1.9', '239', '80.5', '192 px',
      options=BREEDS),
)  # fmt: skip

# The paper's table has a row for each distance.
PLANET = (
  Row('Im2GPS', None, quality='51.9', other='35.4 32.1 21.9 2.5'),
  Row('PlaNet', None, 1.0, 299, '52', '5.74G', '77.6', other='64.0 51.1 31.7 11.0'),
  Row('PlaNet MobileNet', V1, 1.0, 224, '13', '0.58G', '79.3',
      other='60.3 45.2 31.7 11.4', trunk=True),
)  # fmt: skip

FACE_ATTRIBUTES = (
  Row('1.0 MobileNet-224', V1, 1.0, 224, '3.2', '568', '88.7', '224 px', trunk=True),
  Row('0.5 MobileNet-224', V1, 0.5, 224, '0.8', '149', '88.1', '224 px', trunk=True),
  Row('0.25 MobileNet-224', V1, 0.25, 224, '0.2', '45', '87.2', '224 px', trunk=True),
  Row('1.0 MobileNet-128', V1, 1.0, 128, '3.2', '185', '88.1', '128 px', trunk=True),
  Row('0.5 MobileNet-128', V1, 0.5, 128, '0.8', '48', '87.7', '128 px', trunk=True),
  Row('0.25 MobileNet-128', V1, 0.25, 128, '0.2', '15', '86.4', '128 px', trunk=True),
  Row('Baseline', None, parameters='7.5', multiply_adds='1600', quality='86.9'),
)

FACENET = (
  Row('FaceNet', None, parameters='7.5', multiply_adds='1600', quality='83'),
  Row('1.0 MobileNet-160', V1, 1.0, 160, '4.9', '286', '79.4', '160 px', trunk=True),
  Row('1.0 MobileNet-128', V1, 1.0, 128, '5.5', '185', '78.3', '128 px', trunk=True),
  Row('0.75 MobileNet-160', V1, 0.75, 160, '3.4', '166', '75.2', '160 px', trunk=True),
  Row('0.75 MobileNet-128', V1, 0.75, 128, '3.8', '108', '72.5', '128 px', trunk=True),
)
STUDENTS = tuple(row.label for row in FACENET[1:])

TRUNK = 'Counted is the trunk, without a head, which the paper does not describe.'

TABLES = {
  'v1/10': Table(
    'Stanford Dogs',
    f'{PAPER}, Table 10',
    STANFORD_DOGS,
    quality=DOGS,
    remark='Counted with 120 classes. The networks were trained on noisy photos of the '
    'web first, then on the training split: see configs/dogs.py.',
  ),
  'v1/11': Table(
    'Where a photo was taken (PlaNet)',
    f'{PAPER}, Table 11',
    PLANET,
    other=(
      'within 750 km (%)',
      'within 200 km (%)',
      'within 25 km (%)',
      'within 1 km (%)',
    ),
    quality=PLACES,
    published='published (Im2GPS test set)',
    remark='The paper has the distances as rows: continent 2,500 km, country 750 km, '
    'region 200 km, city 25 km, street 1 km. Parameters and multiply-adds are from its '
    'text.',
    notes={
      'The paper counts 3 M parameters of the trunk and 10 M of the last layer; the '
      'trunk is counted here. With a multiply-add for each of the 10 M it has 578 M. '
      'The text prints "0.58 Million mult-adds", a misprint for 580 M. How many cells '
      'the last layer has, the paper does not say.': ('PlaNet MobileNet',),
    },
  ),
  'v1/12': Table(
    'Face attributes',
    f'{PAPER}, Table 12',
    FACE_ATTRIBUTES,
    quality=ATTRIBUTES,
    remark=f'{TRUNK} Students of the baseline, on photos that are not public.',
    notes={
      'The text of the paper prints 75 million parameters, the table 7.5.': (
        'Baseline',
      ),
      'The definition has 40.8 M at 224 px and 13.3 M at 128 px. A head is no reason: '
      'dense layers take as many multiply-adds as they have parameters, and the '
      'parameters leave none over.': ('0.25 MobileNet-224', '0.25 MobileNet-128'),
    },
  ),
  'v1/14': Table(
    'Face embeddings',
    f'{PAPER}, Table 14',
    FACENET,
    quality=FACES,
    remark=f"{TRUNK} Students of FaceNet's embeddings, on photos that are not public.",
    notes={
      'The rest of the parameters is the head. It has more of them at 128 px than at '
      '160 px, so it is no dense layer on the last map.': STUDENTS,
      'Printed as a second "0.75 MobileNet-128"; the multiply-adds are of 160 px.': (
        '0.75 MobileNet-160',
      ),
      'The definition has 289.7 M without any head, more than is printed.': (
        '1.0 MobileNet-160',
      ),
      'The definition has 106.0 M; the head may be the rest.': ('0.75 MobileNet-128',),
    },
  ),
}
