"""Whose networks are held against ours: a table, one row a network at one width.

Nothing is imported here, so that tests are listed without any framework installed.
"""

import dataclasses
from typing import Any


@dataclasses.dataclass(frozen=True)
class Case:
  """One network of one framework.

  constructor: what makes it there.
  network, width, padding: what has to be recognised here.
  sizes: px of the square images.
  arguments: of the constructor.
  files: endings of the framework's own file formats.
  raw: the images are 0..255, because the network scales them itself.
  lowering: of our convolutions, at the first size; XLA's own at the others. The
    default of a CPU takes twice as long to compile.
  """

  framework: str
  constructor: str
  network: str
  width: float = 1.0
  padding: str = 'tf'
  sizes: tuple[int, ...] = (97, 96)
  arguments: dict[str, Any] = dataclasses.field(default_factory=dict, hash=False)
  files: tuple[str, ...] = ('.pth',)
  classes: int = 1000
  raw: bool = False
  lowering: str = 'native'

  def __str__(self):
    more = [
      f'{name}={value}'
      for name, value in self.arguments.items()
      if (name, value) != ('include_preprocessing', False)
    ]
    return '-'.join([self.framework, self.constructor, *more])


ODD, ODD_AND_EVEN, EVEN = (97,), (97, 96), (96,)


def _keras(constructor, network, alpha, sizes, files, padding='tf', **arguments):
  raw = arguments.get('include_preprocessing', False)
  if 'V3' in constructor and not raw:
    arguments['include_preprocessing'] = False
  return Case(
    *('keras', constructor, network, alpha, padding, sizes),
    lowering='auto' if alpha == 1.0 else 'native',
    arguments={'alpha': alpha, **arguments},
    files=files,
    classes=1000 if alpha == 1.0 else 11,
    raw=raw,
  )


def _torchvision(constructor, network=None, width=1.0, sizes=ODD_AND_EVEN, **more):
  scaled = {'width_mult': width} if 'mobilenet' in constructor and width != 1 else {}
  return Case(
    *('torchvision', constructor, network or constructor, width, 'torch', sizes),
    arguments={**scaled, **more.pop('arguments', {})},
    classes=1000 if width == 1.0 else 11,
    **more,
  )


def _timm(constructor, network, width=1.0, sizes=ODD_AND_EVEN, **more):
  return Case(
    *('timm', constructor, network, width),
    padding='tf' if constructor.startswith('tf_') else 'torch',
    sizes=sizes,
    classes=1000 if width == 1.0 else 11,
    **more,
  )


H5, KERAS, WEIGHTS = '.h5', '.keras', '.weights.h5'  # of Keras; whole, whole, arrays

KERAS_CASES = (
  _keras(
    'MobileNet', 'mobilenet_v1', 1.0, ODD_AND_EVEN, (H5, KERAS, WEIGHTS), 'keras_v1'
  ),
  _keras('MobileNet', 'mobilenet_v1', 0.5, ODD, (WEIGHTS,), 'keras_v1'),
  _keras('MobileNetV2', 'mobilenet_v2', 1.0, ODD_AND_EVEN, (H5, KERAS, WEIGHTS)),
  _keras('MobileNetV2', 'mobilenet_v2', 0.35, ODD, (WEIGHTS,)),
  _keras(
    'MobileNetV3Large', 'mobilenet_v3_large', 1.0, ODD_AND_EVEN, (H5, KERAS, WEIGHTS)
  ),
  _keras('MobileNetV3Large', 'mobilenet_v3_large', 0.75, ODD, (WEIGHTS,)),
  _keras(
    *('MobileNetV3Large', 'mobilenet_v3_large', 1.25, ODD, (KERAS,)),
    include_preprocessing=True,
  ),
  _keras('MobileNetV3Small', 'mobilenet_v3_small', 1.0, ODD_AND_EVEN, (WEIGHTS, H5)),
  _keras(
    *('MobileNetV3Small', 'mobilenet_v3_small', 0.75, ODD, (H5, KERAS)),
    include_preprocessing=True,
  ),
  *(
    _keras(
      *(f'MobileNetV3{size}', f'mobilenet_v3_{size.lower()}_minimalistic'),
      *(alpha, sizes, (WEIGHTS, KERAS)),
      minimalistic=True,
    )
    for size in ('Large', 'Small')
    for alpha, sizes in ((1.0, ODD_AND_EVEN), (0.75, ODD))
  ),
)

TORCHVISION_CASES = (
  _torchvision('mobilenet_v2', files=('.pth', '.legacy.pth'), lowering='auto'),
  _torchvision('mobilenet_v2', width=0.5, sizes=ODD),
  _torchvision('mobilenet_v3_large'),
  _torchvision('mobilenet_v3_large', width=0.75, sizes=ODD),
  _torchvision('mobilenet_v3_small'),
  _torchvision('mobilenet_v3_small', width=0.75, sizes=ODD),
  _torchvision('squeezenet1_0', 'squeezenet_1_0'),
  _torchvision('squeezenet1_1', 'squeezenet_1_1'),
  _torchvision('shufflenet_v2_x0_5', 'shufflenet_v2', 0.5, ODD),
  _torchvision('shufflenet_v2_x1_0', 'shufflenet_v2', 1.0, lowering='auto'),
  _torchvision('shufflenet_v2_x1_5', 'shufflenet_v2', 1.5, ODD),
  _torchvision('shufflenet_v2_x2_0', 'shufflenet_v2', 2.0, ODD),
  _torchvision('mnasnet0_5', 'mnasnet_b1', 0.5, ODD),
  _torchvision('mnasnet1_0', 'mnasnet_b1'),
  _torchvision('mnasnet1_3', 'mnasnet_b1', 1.3, ODD),
  _torchvision('alexnet', sizes=(97, 224)),
  _torchvision('vgg16', sizes=(224,), arguments={'init_weights': False}),
  _torchvision('vgg19', sizes=ODD, arguments={'init_weights': False}),
  _torchvision('resnet50'),
  _torchvision('googlenet', arguments={'init_weights': False, 'aux_logits': False}),
  # The file has the auxiliary classifiers, which are left out here.
  _torchvision('googlenet', arguments={'init_weights': False}, sizes=ODD),
)

BOTH = ('.safetensors', '.pth')

TIMM_CASES = (
  _timm('mobilenetv1_100', 'mobilenet_v1', files=BOTH),
  _timm('mobilenetv1_125', 'mobilenet_v1', 1.25, ODD),
  _timm('mobilenetv2_050', 'mobilenet_v2', 0.5, ODD),
  _timm('mobilenetv2_100', 'mobilenet_v2', files=BOTH),
  _timm('mobilenetv2_140', 'mobilenet_v2', 1.4, ODD),
  _timm('mobilenetv3_large_075', 'mobilenet_v3_large', 0.75, ODD),
  _timm('mobilenetv3_large_100', 'mobilenet_v3_large', files=BOTH, lowering='auto'),
  _timm('mobilenetv3_small_050', 'mobilenet_v3_small', 0.5, ODD),
  _timm('mobilenetv3_small_075', 'mobilenet_v3_small', 0.75, ODD),
  _timm('mobilenetv3_small_100', 'mobilenet_v3_small'),
  _timm('mnasnet_100', 'mnasnet_b1', files=BOTH),
  _timm('mnasnet_small', 'mnasnet_small', sizes=ODD),
  _timm('semnasnet_075', 'mnasnet_a1', 0.75, ODD),
  _timm('semnasnet_100', 'mnasnet_a1', files=BOTH, lowering='auto'),
  _timm('tf_mobilenetv3_large_075', 'mobilenet_v3_large', 0.75, ODD),
  _timm('tf_mobilenetv3_large_100', 'mobilenet_v3_large', files=BOTH),
  _timm('tf_mobilenetv3_small_075', 'mobilenet_v3_small', 0.75, ODD),
  _timm('tf_mobilenetv3_small_100', 'mobilenet_v3_small'),
  _timm('tf_mobilenetv3_large_minimal_100', 'mobilenet_v3_large_minimalistic'),
  _timm('tf_mobilenetv3_small_minimal_100', 'mobilenet_v3_small_minimalistic'),
  _timm('mobilenetv4_conv_small_035', 'mobilenet_v4_conv_small', 0.35, ODD),
  _timm('mobilenetv4_conv_small_050', 'mobilenet_v4_conv_small', 0.5, ODD),
  _timm(
    'mobilenetv4_conv_small', 'mobilenet_v4_conv_small', files=BOTH, lowering='auto'
  ),
  _timm('mobilenetv4_conv_medium', 'mobilenet_v4_conv_medium'),
  _timm('mobilenetv4_conv_large', 'mobilenet_v4_conv_large', sizes=ODD),
  _timm('mobilenetv4_hybrid_medium', 'mobilenet_v4_hybrid_medium'),
  _timm('mobilenetv4_hybrid_medium_075', 'mobilenet_v4_hybrid_medium', 0.75, ODD),
  _timm('mobilenetv4_hybrid_large', 'mobilenet_v4_hybrid_large', sizes=ODD),
)


def _made_of_keras(framework, constructor, network, alpha, padding, sizes, **more):
  """TF-slim, TFLite and some ONNX files are written from Keras's networks."""
  include = {'include_preprocessing': False} if 'V3' in constructor else {}
  return Case(
    *(framework, constructor, network, alpha, padding, sizes),
    arguments={'alpha': alpha, **include},
    files=(f'.{FILES[framework]}',),
    **more,
  )


FILES = {'slim': 'ckpt', 'tflite': 'tflite', 'tf2onnx': 'onnx'}

# TF-slim itself needs TensorFlow 1. Keras's networks compute the same where paddings
# agree; those of V1 do at even sizes. Slim has a class more, the background.
SLIM_CASES = tuple(
  _made_of_keras('slim', constructor, network, alpha, 'tf', sizes, classes=1001)
  for constructor, network, alpha, sizes in (
    ('MobileNet', 'mobilenet_v1', 1.0, EVEN),
    ('MobileNet', 'mobilenet_v1', 0.5, EVEN),
    ('MobileNetV2', 'mobilenet_v2', 1.0, ODD_AND_EVEN),
    ('MobileNetV2', 'mobilenet_v2', 1.4, ODD),
    ('MobileNetV3Large', 'mobilenet_v3_large', 1.0, ODD_AND_EVEN),
    ('MobileNetV3Small', 'mobilenet_v3_small', 0.75, ODD),
  )
)

# A TFLite file is of one size, which is part of it.
TFLITE_CASES = tuple(
  _made_of_keras(
    'tflite',
    constructor,
    network,
    alpha,
    'keras_v1' if network == 'mobilenet_v1' and sizes == ODD else 'tf',
    sizes,
  )
  for constructor, network, alpha, sizes in (
    ('MobileNet', 'mobilenet_v1', 1.0, EVEN),
    ('MobileNet', 'mobilenet_v1', 0.5, ODD),
    ('MobileNetV2', 'mobilenet_v2', 1.0, EVEN),
    ('MobileNetV2', 'mobilenet_v2', 0.5, (99,)),
    ('MobileNetV3Large', 'mobilenet_v3_large', 1.0, EVEN),
    ('MobileNetV3Small', 'mobilenet_v3_small', 0.75, (99,)),
  )
)


def _exported(constructor, network, width=1.0, sizes=ODD_AND_EVEN, **more):
  """An ONNX file of one of PyTorch's networks, by `framework`'s exporter."""
  return Case(
    *(more.pop('framework', 'onnx'), constructor, network, width),
    padding='tf' if constructor.startswith('tf_') else 'torch',
    sizes=sizes,
    files=('.onnx',),
    classes=1000 if width == 1.0 else 11,
    **more,
  )


ONNX_CASES = (
  _exported('mobilenet_v2', 'mobilenet_v2'),
  _exported('mobilenet_v2', 'mobilenet_v2', framework='onnx-dynamo', sizes=EVEN),
  _exported('mobilenet_v3_large', 'mobilenet_v3_large'),
  _exported(
    *('mobilenet_v3_large', 'mobilenet_v3_large', 0.75, ODD),
    arguments={'width_mult': 0.75},
  ),
  _exported('mobilenet_v3_small', 'mobilenet_v3_small'),
  _exported('mobilenetv1_100', 'mobilenet_v1', sizes=EVEN),
  _exported('mobilenetv4_conv_small', 'mobilenet_v4_conv_small'),
  # Its padding is computed in the file, from the size of each map.
  _exported('tf_mobilenetv3_small_100', 'mobilenet_v3_small'),
  _exported('squeezenet1_0', 'squeezenet_1_0', sizes=EVEN),
  _exported('squeezenet1_1', 'squeezenet_1_1', sizes=EVEN),
  _exported('shufflenet_v2_x1_0', 'shufflenet_v2', lowering='auto'),
  _exported('resnet50', 'resnet50', sizes=EVEN),
  _exported(
    *('googlenet', 'googlenet'),
    arguments={'init_weights': False, 'aux_logits': False},
    sizes=EVEN,
  ),
  _exported('alexnet', 'alexnet', sizes=(224,)),
  *(
    _made_of_keras('tf2onnx', constructor, network, alpha, padding, sizes)
    for constructor, network, alpha, padding, sizes in (
      ('MobileNet', 'mobilenet_v1', 0.5, 'keras_v1', ODD),
      ('MobileNetV2', 'mobilenet_v2', 1.0, 'tf', EVEN),
      ('MobileNetV3Small', 'mobilenet_v3_small', 1.0, 'tf', ODD),
    )
  ),
)

CASES = (
  *KERAS_CASES,
  *TORCHVISION_CASES,
  *TIMM_CASES,
  *SLIM_CASES,
  *TFLITE_CASES,
  *ONNX_CASES,
)
