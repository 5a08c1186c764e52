"""The two forms of an optimizer's state: one vector, or an array for each parameter.

One vector (`optax.flatten`) takes few operations where every device has all of it. It
cannot be cut as the parameters are, so a state that devices share has arrays. Each
number of one form has its place in the other.
"""

import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp


def swapped(state: Any, params: Any) -> Any:
  """An optimizer's state in its other form.

  Args:
    state: of arrays. What is neither a vector of all parameters nor a tree like theirs
      stays; either may have more axes in front, as a queue has.
    params: those that learn, or their shapes.
  """
  shapes, structure = jax.tree.flatten(params)
  sizes = [math.prod(leaf.shape) for leaf in shapes]
  ends = list(itertools.accumulate(sizes))

  def is_tree(node) -> bool:
    return jax.tree.structure(node) == structure

  def swap(node):
    if is_tree(node):
      own = zip(jax.tree.leaves(node), shapes, strict=True)
      rows = [x.reshape(*x.shape[: x.ndim - s.ndim], -1) for x, s in own]
      return jnp.concatenate(rows, axis=-1)
    if node.ndim and ends and node.shape[-1] == ends[-1]:
      pieces = zip(jnp.split(node, ends[:-1], axis=-1), shapes, strict=True)
      return structure.unflatten(
        [piece.reshape(*node.shape[:-1], *s.shape) for piece, s in pieces]
      )
    return node

  return jax.tree.map(swap, state, is_leaf=is_tree)
