"""The part of a network's variables that learns, and the part that stays.

A model says so itself: `frozen` is 0 where all of it learns, else `learns(path)` tells
of a variable by the names of its modules. What stays is passed through a training step
as it is: it costs neither gradients nor memory of the optimizer.
"""

from typing import Any

import flax.linen as nn
import optax

Tree = dict[str, Any]


def split(model: nn.Module, variables: Tree) -> tuple[Tree, Tree]:
  """{'params', ...} -> what learns of it, and what stays, without empty branches."""
  if not getattr(model, 'frozen', 0):
    return variables, {}
  learned, fixed = {}, {}
  for collection, tree in variables.items():
    parts = _split(model, tree, ())
    for side, part in zip((learned, fixed), parts, strict=True):
      if part:
        side[collection] = part
  return learned, fixed


def _split(model, tree, path):
  learned, fixed = {}, {}
  for name, value in tree.items():
    if isinstance(value, dict):
      parts = _split(model, value, (*path, name))
    elif model.learns((*path, name)):
      parts = value, None
    else:
      parts = None, value
    for side, part in zip((learned, fixed), parts, strict=True):
      if part is not None and not (isinstance(part, dict) and not part):
        side[name] = part
  return learned, fixed


def join(learned: Tree, fixed: Tree) -> Tree:
  """The whole of what `split` gave."""
  whole = {**fixed, **learned}
  for name in learned.keys() & fixed.keys():
    whole[name] = join(learned[name], fixed[name])
  return whole


def optimizer_of(
  model: nn.Module, tx: optax.GradientTransformation
) -> optax.GradientTransformation:
  """`tx`, which keeps a state of the parameters that learn alone.

  Its `init` takes all parameters, its `update` those that learn.
  """
  if not getattr(model, 'frozen', 0):
    return tx

  def init(params):
    return tx.init(split(model, {'params': params})[0]['params'])

  return optax.GradientTransformation(init, tx.update)
