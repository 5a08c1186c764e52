"""A smaller network inside of a larger one, as a mask of the larger one's parameters.

    choice = masks.choose(network, rows)           # small arrays, made on the host
    logits = model.apply(masks.masked(wires, variables, choice), images)

`rows` are those of the larger network, each as wide, as deep and with such kernels as
the smaller one has it, or None where a row is skipped. Its parameters are zero where
the smaller network has none, which is exact for every choice, in training too: a
channel whose norm has scale and bias 0 is 0 after any of the activations, later kernels
meet zeros, and a kernel of 3 is centred where one of 5 is. One compiled program so
computes every network of a space; `cut` gives the variables of one of them alone.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mobilenet.models import rows as row_kinds
from mobilenet.models.rows import Head, ModelError, Network
from mobilenet.search import channels, wiring
from mobilenet.search.wiring import HIDDEN, PARAMS, Wiring

Tree = dict[str, Any]
# Of it V3's hard sigmoid and MnasNet's sigmoid are 1 in float32: everything passes.
OPEN = 30.0
# Kernels that may be smaller: field of a row -> name of its module.
KERNELS = {
  row_kinds.Separable: {'kernel': 'depthwise'},
  row_kinds.Inverted: {'kernel': 'depthwise'},
  row_kinds.Universal: {'start': 'start', 'middle': 'depthwise'},
}


def choose(network: Network, rows: Sequence, head: Head | None = None) -> Tree:
  """What tells a masked network which of the smaller ones it is.

  Args:
    network: the larger one; of width 1.
    rows: as many as its own, None for one that is skipped.
    head: with its hidden layer as wide as the smaller one has it; None for as it is.

  Returns:
    {'sizes': {group: int}, 'kernels': {row: {module: int}}, 'squeezes': {row: bool},
    'rows': {row: bool}, 'gates': {row: {'start', 'middle': bool}}} of NumPy scalars.
    The keys are the same for every choice, so that nothing is compiled twice.

  Raises:
    ModelError: they are not inside of the network.
  """
  wires = wiring.of(network)
  if len(rows) != len(network.rows):
    raise ModelError(f'{len(rows)} rows are no choice of {len(network.rows)}')
  alone = wiring.of(without_skipped(network, rows, head))
  smaller = iter(alone.rows)
  sizes, kernels, squeezes, present, gates = dict(wires.sizes), {}, {}, {}, {}
  seen = set()
  for at, row in zip(wires.rows, rows, strict=True):
    present[at.name] = np.bool_(row is not None)
    if row is None and not at.joins:
      raise ModelError(f'{at.name} cannot be skipped: no residual passes it')
    its = at if row is None else next(smaller)
    if row is not None:
      _check(at, its)
      for group, size in (
        (at.group_out, its.out),
        (at.group_inner if at.inner is not None else None, its.inner),
      ):
        if group is None:
          continue
        if group in seen and sizes[group] != size:
          raise ModelError(
            f'{at.name} has {size} channels where the rows that a residual joins it '
            f'with have {sizes[group]}'
          )
        seen.add(group)
        sizes[group] = size
      if its.squeezed is not None:
        sizes[f'{at.name}/{wiring.SQUEEZE}'] = its.squeezed
    if at.squeezed is not None:
      squeezes[at.name] = np.bool_(its.squeezed is not None)
    if modules := KERNELS.get(type(at.row)):
      kernels[at.name] = {
        module: np.int32(getattr(its.row, field) or getattr(at.row, field))
        for field, module in modules.items()
        if getattr(at.row, field)
      }
    if type(at.row) is row_kinds.Universal:
      gates[at.name] = {
        field: np.bool_(getattr(its.row, field) > 0) for field in may_go(at.row)
      }
  if HIDDEN in sizes:
    sizes[HIDDEN] = alone.sizes[HIDDEN]
  return {
    'sizes': {group: np.int32(size) for group, size in sizes.items()},
    'kernels': kernels,
    'squeezes': squeezes,
    'rows': present,
    'gates': gates,
  }


def _check(at: wiring.Row, its: wiring.Row) -> None:
  """Checks that a row is a choice of another.

  Raises:
    ModelError: it is not.
  """
  one, other = at.row, its.row
  wrong = ''
  if type(one) is not type(other):
    wrong = f'is a {type(other).__name__}, not a {type(one).__name__}'
  elif one.stride != other.stride:
    wrong = f'has stride {other.stride}, not {one.stride}'
  elif its.out > at.out or (its.inner or 0) > (at.inner or 0):
    wrong = 'has more channels'
  elif (at.inner is None) != (its.inner is None):
    wrong = 'has no expansion, or has one where the larger network has none'
  elif its.joins != at.joins:
    wrong = f'has {"a" if its.joins else "no"} residual, unlike the larger network'
  elif at.squeezed is None and its.squeezed is not None:
    wrong = 'has squeeze-and-excite, which the larger network has not'
  else:
    for field in KERNELS.get(type(one), ()):
      most, size = getattr(one, field), getattr(other, field)
      if size > most:
        wrong = f'has a {field} of {size}, not at most {most}'
      elif size and (most - size) % 2:
        wrong = f'has a {field} of {size}, which has no centre there'
      elif most and not size and field not in may_go(one):
        wrong = f'has no {field} convolution, which carries the stride'
  if wrong:
    raise ModelError(f'{at.name} {wrong}: it is no choice of the larger network')


def may_go(row: row_kinds.Universal) -> list[str]:
  """Which of the depthwise convolutions there are may be missing in a choice."""
  carries = '' if row.stride == 1 else 'middle' if row.middle else 'start'
  return [
    field for field in ('start', 'middle') if getattr(row, field) and field != carries
  ]


def masked(wires: Wiring, variables: Tree, choice: Tree) -> Tree:
  """The variables of the larger network, of which the smaller one is left.

  To be traced: nothing depends on the values of `choice` but numbers. Statistics of
  what is dropped keep their values, which nothing uses.
  """
  params = channels.copied(variables[PARAMS])
  kept = {
    group: (jnp.arange(size) < choice['sizes'][group]).astype(jnp.float32)
    for group, size in wires.sizes.items()
  }
  for array in wires.arrays:
    if array.collection == PARAMS:
      place, name = channels.place_of(params, array.path)
      shape = [1] * place[name].ndim
      shape[array.axis] = -1
      place[name] = place[name] * kept[array.group].reshape(shape)
  backbone = params['backbone']
  for row, modules in choice['kernels'].items():
    for module, size in modules.items():
      conv = backbone[row][module]['conv']
      conv['kernel'] = conv['kernel'] * _centre(conv['kernel'].shape[0], size)
  for row, is_on in choice['squeezes'].items():
    se = backbone[row]['se'] = _scaled(backbone[row]['se'], is_on)
    se['expand']['bias'] = jnp.where(is_on, se['expand']['bias'], OPEN)
  for row, fields in choice['gates'].items():
    for field, is_on in fields.items():
      module = KERNELS[row_kinds.Universal][field]
      backbone[row][module] = _scaled(backbone[row][module], is_on)
  for at in wires.rows:
    if at.joins:
      backbone[at.name] = _scaled(backbone[at.name], choice['rows'][at.name])
  gates = {'gates': {'backbone': choice['gates']}} if choice['gates'] else {}
  return {**variables, PARAMS: params, **gates}


def _scaled(tree: Tree, factor: jax.Array) -> Tree:
  return jax.tree.map(lambda leaf: leaf * factor, tree)


def _centre(side: int, size: jax.Array) -> jax.Array:
  """(side, side, 1, 1): one in the middle `size` x `size`, else zero."""
  away = jnp.abs(jnp.arange(side) - side // 2)
  inside = (away <= size // 2).astype(jnp.float32)
  return (inside[:, None] * inside[None, :])[:, :, None, None]


def without_skipped(
  network: Network, rows: Sequence, head: Head | None = None
) -> Network:
  """The network of a choice."""
  kept = tuple(row for row in rows if row is not None)
  return dataclasses.replace(network, rows=kept, head=head or network.head)


def cut(
  network: Network, rows: Sequence, variables: Tree, head: Head | None = None
) -> Tree:
  """The variables of a choice alone: those of `without_skipped` of the same.

  Args:
    network, rows, head: as in `choose`.
    variables: of the larger network, {'params', 'batch_stats'}.
  """
  choice = choose(network, rows, head)
  wires = wiring.of(network)
  kept = channels.first(wires, variables, choice['sizes'])
  names, modules = {}, {}
  for at, row in zip(wires.rows, rows, strict=True):
    if row is not None:
      names[at.name] = wiring.module_name(len(names))
      modules[at.name] = {
        module: getattr(row, field)
        for field, module in KERNELS.get(type(row), {}).items()
      }
  for collection in kept:
    backbone = kept[collection]['backbone']
    new = {}
    for old, name in names.items():
      if old not in backbone:  # a pool has no variables
        continue
      block = backbone[old]
      if not choice['squeezes'].get(old, True):
        block.pop('se', None)
      for module, size in modules[old].items():
        if not size:
          block.pop(module, None)
        elif module in block and collection == PARAMS:
          conv = block[module]['conv']
          ring = (conv['kernel'].shape[0] - size) // 2
          inside = slice(ring, ring + size)
          conv['kernel'] = conv['kernel'][inside, inside]
      new[name] = block
    kept[collection]['backbone'] = new
  return kept
