"""The instructions of a compiled program: what each of them reads, writes, computes.

    found = instructions(jax.jit(step).lower(state, batch).compile().as_text())
    found['ffi_call.3'].bytes

They are read from the text that XLA prints of a program after all of its passes: what
is fused there is one instruction.
"""

import dataclasses
import math
import re
from collections.abc import Iterator

_LINE = re.compile(
  r'\s*(?:ROOT )?%?(?P<name>[\w.-]+) = '
  r'(?P<type>\((?:[^()]|\([^()]*\))*\)|\S+) (?P<opcode>[\w-]+)\((?P<operands>[^)]*)\)'
  r'(?P<rest>.*)'
)
_COMPUTATION = re.compile(r'(?:ENTRY )?%?([\w.-]+) .*\{$')
_ARRAY = re.compile(r'([a-z]+\d*)\[([\d,]*)\]')
_CLASS = re.compile('[A-Z][A-Za-z]*')  # of the model, above all layers
_SIZES = {'pred': 1, 'f16': 2, 'bf16': 2, 'f64': 8, 's64': 8, 'u64': 8, 'c64': 8}
_SIZES |= {'s8': 1, 'u8': 1, 's16': 2, 'u16': 2}  # all others: 4 bytes
# They move nothing: names for what others have made.
NAMES = ('parameter', 'constant', 'get-tuple-element', 'tuple', 'bitcast')
UPDATE = 'dynamic-update-slice'
SLICES = ('slice', 'dynamic-slice')
# Of the accelerator's kernels, where the convolution's kernel is among the operands or
# the results, and its output, and how many such convolutions are needed.
_IN, _OUT = 0, 1
_KERNELS = {
  'conv': ((_IN, 1), (_OUT, 0), 1),
  'conv_norm': ((_IN, 1), (_OUT, 0), 1),
  'conv_norm_again': ((_IN, 1), (_OUT, 0), 1),
  'conv_norm_again_gradients': ((_IN, 1), (_IN, 6), 1),
  'conv_input_gradient': ((_IN, 0), (_IN, 1), 1),
  'conv_kernel_gradient': ((_OUT, 0), (_IN, 1), 1),
  'depthwise': ((_IN, 1), (_OUT, 0), 1),
  'depthwise_norm': ((_IN, 1), (_OUT, 0), 1),
  'depthwise_gradients': ((_IN, 1), (_IN, 2), 2),
  'depthwise_norm_gradients': ((_IN, 1), (_IN, 7), 2),
  'pointwise': ((_IN, 1), (_OUT, 0), 1),
  'pointwise_norm': ((_IN, 1), (_OUT, 0), 1),
  'pointwise_norm_again': ((_IN, 1), (_OUT, 0), 1),
  'pointwise_norm_again_gradients': ((_IN, 1), (_IN, 6), 2),
  'pointwise_norm_gradients': ((_IN, 1), (_IN, 7), 2),
  'pointwise_kernel_gradient': ((_OUT, 0), (_IN, 1), 1),
}


@dataclasses.dataclass(frozen=True)
class Instruction:
  """What the processor does at once.

  kind: the accelerator's kernel, or XLA's operation. layer: the module that asked for
  it, '' for none. direction: 'forward' or 'backward' of a layer, else 'other', as the
  update. operations: of floating point, in products and convolutions. bytes: read and
  written, each array once, and of an array that is only sliced the slices.
  """

  kind: str
  layer: str
  direction: str
  operations: int
  bytes: int


@dataclasses.dataclass(frozen=True)
class _Line:
  opcode: str
  arrays: list[tuple[str, tuple[int, ...]]]  # of the result
  operands: list[str]
  rest: str
  number: int | None = None  # of a parameter


def instructions(text: str) -> dict[str, Instruction]:
  """Those of all computations by name, without such as only give names."""
  computations = dict(_computations(text))
  found = {}
  for lines in computations.values():
    for name, line in lines.items():
      if line.opcode not in NAMES:
        found[name] = _instruction(line, lines, computations)
  return found


def _computations(text: str) -> Iterator[tuple[str, dict[str, _Line]]]:
  name, lines = '', {}
  for line in text.splitlines():
    if begins := _COMPUTATION.match(line):
      name, lines = begins[1], {}
    elif line.startswith('}'):
      yield name, lines
    elif match := _LINE.match(line):
      lines[match['name']] = _Line(
        match['opcode'],
        [
          (kind, tuple(int(n) for n in shape.split(',') if n))
          for kind, shape in _ARRAY.findall(match['type'])
        ],
        re.findall(r'%([\w.-]+)', match['operands']),
        match['rest'],
        int(match['operands']) if match['opcode'] == 'parameter' else None,
      )


def _instruction(line, lines, computations) -> Instruction:
  said = re.search(r'op_name="([^"]*)"', line.rest)
  path = said[1] if said else ''
  return Instruction(
    kind=_target(line) or _kind(line, computations),
    layer=_layer(path),
    direction=_direction(path),
    operations=_operations(line, lines, computations),
    bytes=_read(line, lines, computations) + _written(line, computations),
  )


def _read(line, lines, computations) -> int:
  inside, total = _called(line, computations), 0
  needed = {
    other.number: _needed(name, inside)
    for name, other in inside.items()
    if other.opcode == 'parameter'
  }
  for number, name in enumerate(line.operands):
    arrays = lines[name].arrays if name in lines else ()
    whole = sum(map(_bytes, arrays))
    share = needed.get(number, 1.0) if len(arrays) == 1 else 1.0
    total += round(whole * share)
  return total


def _needed(name, inside) -> float:
  """The share of an array that a fusion needs: of one that it slices, the slice."""
  own, shares = math.prod(inside[name].arrays[0][1]), []
  for user, line in inside.items():
    if name not in line.operands:
      continue
    size = math.prod(line.arrays[0][1])
    if line.opcode in SLICES:
      shares.append(_needed(user, inside) * size / own)
    elif line.opcode == UPDATE and line.operands[0] == name:
      shares.append(0.0)
    else:  # element by element, as far as one can tell from the sizes
      shares.append(_needed(user, inside) if size == own else 1.0)
  return max(shares, default=1.0)


def _written(line, computations) -> int:
  """Of an array that is updated in its place, what is put there."""
  inside = _called(line, computations)
  updates = [other for other in inside.values() if other.opcode == UPDATE]
  if updates and updates[-1].arrays == line.arrays:
    name = updates[-1].operands[1]
    return sum(map(_bytes, inside[name].arrays))
  return sum(map(_bytes, line.arrays))


def _target(line) -> str | None:
  """The accelerator's kernel, if it is one."""
  found = re.search(r'custom_call_target="mobilenet_(\w+)"', line.rest)
  return found and found[1]


def _kind(line, computations) -> str:
  """A product or a convolution if there is one in it."""
  inside = {other.opcode for other in _called(line, computations).values()}
  for opcode in ('convolution', 'dot'):
    if opcode in inside | {line.opcode}:
      return opcode
  return 'fusion' if line.opcode in ('fusion', 'call') else line.opcode


def _called(line, computations) -> dict[str, _Line]:
  name = re.search(r'(?:calls|to_apply)=%?([\w.-]+)', line.rest)
  return computations.get(name[1], {}) if name else {}


def _layer(path: str) -> str:
  """'jit(f)/jvp(Classifier)/backbone/block_00/conv/dot' -> 'backbone/block_00/conv'."""
  parts = [part for part in path.split('/')[:-1] if part.isidentifier()]
  return '/'.join(part for part in parts if not _CLASS.fullmatch(part))


def _direction(path: str) -> str:
  if not _layer(path):
    return 'other'
  return 'backward' if 'transpose(' in path else 'forward'


def _bytes(array) -> int:
  kind, shape = array
  return _SIZES.get(kind, 4) * math.prod(shape)


def _operations(line, lines, computations) -> int:
  if target := _target(line):
    return _of_kernel(target, line, lines)
  if line.opcode in ('dot', 'convolution'):
    return 2 * math.prod(line.arrays[0][1]) * _depth(line, lines)
  inside = _called(line, computations)
  return sum(_operations(other, inside, computations) for other in inside.values())


def _depth(line, lines) -> int:
  """Products that are added up to a number of the result."""
  first, second = (lines[name].arrays[0][1] for name in line.operands[:2])
  if line.opcode == 'dot':
    axes = re.search(r'lhs_contracting_dims=\{([\d,]*)\}', line.rest)[1]
    return math.prod(first[int(axis)] for axis in axes.split(',') if axis)
  labels = re.search(r'dim_labels=\w+_(\w+)->', line.rest)[1]
  return math.prod(second) // second[labels.index('o')]


def _of_kernel(name, line, lines) -> int:
  if name not in _KERNELS:
    return 0
  sides = ([lines[operand].arrays[0][1] for operand in line.operands],)
  sides += ([shape for _, shape in line.arrays],)
  (side, place), (out_side, out_place), times = _KERNELS[name]
  kernel, out = sides[side][place], sides[out_side][out_place]
  return 2 * times * math.prod(out) * math.prod(kernel[:-1])
