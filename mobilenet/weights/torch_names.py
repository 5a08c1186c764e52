"""Layer names of torchvision's and timm's models, in the order of a forward pass.

Each function yields one name for each layer of ours, as `counting.layers` lists them:
'features.0.0' stands for the arrays 'features.0.0.weight' and so on of a state dict.
"""

from collections.abc import Iterator

from mobilenet.models.googlenet import Inception
from mobilenet.models.resnet import Bottleneck
from mobilenet.models.rows import (
  Attention,
  Conv,
  Fused,
  Inverted,
  Network,
  Pool,
  Separable,
  Universal,
)
from mobilenet.models.shufflenet import UnitV2
from mobilenet.models.squeezenet import Fire


def torchvision_mobilenet(network: Network) -> Iterator[str]:
  """torchvision/models/mobilenetv2.py and mobilenetv3.py."""
  v3 = bool(network.head.hidden)
  for n, row in enumerate(network.rows):
    at = f'features.{n}'
    if isinstance(row, Conv):
      yield from _each(at, '0', '1')
      continue
    at, step = f'{at}.{"block" if v3 else "conv"}', 0
    for _ in range(2 if row.expand > 1 else 1):
      yield from _each(at, f'{step}.0', f'{step}.1')
      step += 1
    if row.se:
      yield from _each(at, f'{step}.fc1', f'{step}.fc2')
      step += 1
    if v3:
      yield from _each(at, f'{step}.0', f'{step}.1')
    else:
      yield from _each(at, f'{step}', f'{step + 1}')
  yield from _each('classifier', *(('0', '3') if v3 else ('1',)))


def torchvision_sequential(network: Network) -> Iterator[str]:
  """squeezenet.py, alexnet.py and vgg.py: numbered modules, ReLU and pools included."""
  n = 0
  for row in network.rows:
    if isinstance(row, Conv):
      yield f'features.{n}'
    elif isinstance(row, Fire):
      yield from _each(f'features.{n}', 'squeeze', 'expand1x1', 'expand3x3')
    n += 2 if isinstance(row, Conv) else 1  # a convolution is followed by its ReLU


def torchvision_squeezenet(network: Network) -> Iterator[str]:
  yield from torchvision_sequential(network)
  yield 'classifier.1'


def torchvision_alexnet(network: Network) -> Iterator[str]:
  yield from torchvision_sequential(network)
  yield from _each('classifier', '1', '4', '6')


def torchvision_vgg(network: Network) -> Iterator[str]:
  yield from torchvision_sequential(network)
  yield from _each('classifier', '0', '3', '6')


def torchvision_mnasnet(network: Network) -> Iterator[str]:
  """torchvision/models/mnasnet.py: stacks of blocks, but for the first block."""
  numbers = ('0', '1', '3', '4', '6', '7')
  yield from _each('layers', *numbers)
  stack, block, out = 7, 0, None
  for row in network.rows[2:-1]:
    stack, block = (stack, block + 1) if row.out == out else (stack + 1, 0)
    yield from _each(f'layers.{stack}.{block}.layers', *numbers)
    out = row.out
  yield from _each('layers', f'{stack + 1}', f'{stack + 2}')
  yield 'classifier.1'


def torchvision_shufflenet_v2(network: Network) -> Iterator[str]:
  """torchvision/models/shufflenetv2.py."""
  yield from _each('conv1', '0', '1')
  stage, unit = 1, 0
  for row in network.rows:
    if not isinstance(row, UnitV2):
      continue
    if row.stride == 2:
      stage, unit = stage + 1, 0
      yield from _each(f'stage{stage}.0.branch1', '0', '1', '2', '3')
    yield from _each(f'stage{stage}.{unit}.branch2', '0', '1', '3', '4', '5', '6')
    unit += 1
  yield from _each('conv5', '0', '1')
  yield 'fc'


def torchvision_googlenet(network: Network) -> Iterator[str]:
  """torchvision/models/googlenet.py, without the auxiliary classifiers."""
  convs, stage, letter = 0, 3, 0
  for n, row in enumerate(network.rows):
    if isinstance(row, Conv):
      convs += 1
      yield from _each(f'conv{convs}', 'conv', 'bn')
    elif isinstance(row, Inception):
      at = f'inception{stage}{"abcde"[letter]}'
      for branch in ('2.0', '3.0', '1', '2.1', '3.1', '4.1'):  # our order
        yield from _each(f'{at}.branch{branch}', 'conv', 'bn')
      letter += 1
    elif isinstance(row, Pool) and isinstance(network.rows[n - 1], Inception):
      stage, letter = stage + 1, 0
  yield 'fc'


def torchvision_resnet(network: Network) -> Iterator[str]:
  """torchvision/models/resnet.py; timm's has the same names."""
  yield from ('conv1', 'bn1')
  layer, block, out = 0, 0, None
  for row in network.rows:
    if not isinstance(row, Bottleneck):
      continue
    first = row.out != out
    layer, block, out = (layer + 1, 0, row.out) if first else (layer, block, out)
    at = f'layer{layer}.{block}'
    yield from _each(at, 'conv1', 'bn1', 'conv2', 'bn2', 'conv3', 'bn3')
    if first:
      yield from _each(at, 'downsample.0', 'downsample.1')
    block += 1
  yield 'fc'


def timm_mobilenet(network: Network) -> Iterator[str]:
  """timm/models/efficientnet.py (V1, V2, MnasNet) and mobilenetv3.py (V3, V4)."""
  yield from ('conv_stem', 'bn1')
  # The last convolution is a stage where a hidden layer follows.
  ends = isinstance(network.rows[-1], Conv) and not network.head.hidden
  rows = network.rows[1:-1] if ends else network.rows[1:]
  for row, at in zip(rows, _stages(rows), strict=True):
    yield from _TIMM_ROWS[type(row)](row, f'blocks.{at}')
  if ends:
    yield from ('conv_head', 'bn2')
  elif network.head.hidden:
    yield 'conv_head'
  if network.head.norm:
    yield 'norm_head'
  yield 'classifier'


def _stages(rows) -> list[str]:
  """'stage.block' of each row.

  V4's stages begin at strides, the others' at widths and kernels too.
  """
  v4 = any(isinstance(row, Universal) for row in rows)
  places, stage, block = [], 0, 0
  for n, row in enumerate(rows):
    begins = row.stride == 2
    if v4:
      begins |= n == len(rows) - 1
    elif n:
      before = rows[n - 1]
      begins |= (row.kernel, row.out) != (before.kernel, before.out)
    stage, block = (stage + 1, 0) if n and begins else (stage, block)
    places.append(f'{stage}.{block}')
    block += 1
  return places


def _timm_inverted(row: Inverted, at: str) -> Iterator[str]:
  expanded, plain = ('conv_pw', 'conv_dw', 'conv_pwl'), ('conv_dw', 'conv_pw')
  parts = expanded if row.expand > 1 else plain
  for n, part in enumerate(parts, start=1):
    if n == len(parts) and row.se:
      yield from _each(at, 'se.conv_reduce', 'se.conv_expand')
    yield from _each(at, part, f'bn{n}')


def _timm_universal(row: Universal, at: str) -> Iterator[str]:
  parts = (
    ('dw_start', row.start),
    ('pw_exp', True),
    ('dw_mid', row.middle),
    ('pw_proj', True),
  )
  for part, there in parts:
    if there:
      yield from _each(f'{at}.{part}', 'conv', 'bn')
  if row.layer_scale:
    yield f'{at}.layer_scale'


def _timm_attention(row: Attention, at: str) -> Iterator[str]:
  yield f'{at}.norm'
  yield f'{at}.attn.query.proj'
  for part in ('key', 'value'):
    if row.kv_stride > 1:
      yield from _each(f'{at}.attn.{part}', 'down_conv', 'norm')
    yield f'{at}.attn.{part}.proj'
  yield f'{at}.attn.output.proj'
  if row.layer_scale:
    yield f'{at}.layer_scale'


_TIMM_ROWS = {
  Conv: lambda row, at: _each(at, 'conv', 'bn1'),
  Separable: lambda row, at: _each(at, 'conv_dw', 'bn1', 'conv_pw', 'bn2'),
  Inverted: _timm_inverted,
  Fused: lambda row, at: _each(at, 'conv_exp', 'bn1', 'conv_pwl', 'bn2'),
  Universal: _timm_universal,
  Attention: _timm_attention,
}


def _each(at: str, *names: str) -> Iterator[str]:
  return (f'{at}.{name}' for name in names)
