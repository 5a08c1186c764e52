"""A step's update: what gradients make of parameters, optimizer and averages.

Optax makes it of an operation for each array, and reads gradients, parameters and the
optimizer's state several times. The accelerator has the recipe of most configs,
`rmsprop_tf` with averages, in one pass.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.sharding import Mesh

from mobilenet.models.accelerator import kernels
from mobilenet.models.lowering import choose
from mobilenet.models.operations import Target


class Learned(NamedTuple):
  """What a step changes.

  variables: {'params', and statistics}. opt_state: of the optimizer. averages: of the
  variables, or {}.
  """

  variables: dict[str, Any]
  opt_state: Any
  averages: dict[str, Any]


class Rmsprop(NamedTuple):
  """The rule of a `OneRule`; what 'rmsprop_tf' is, as numbers."""

  schedule: optax.Schedule
  decay: float
  momentum: float
  eps: float
  lowering: str = 'auto'


class OneRule(optax.GradientTransformation):
  """A transformation that does nothing but follow `rule`, on one vector."""

  rule: Rmsprop

  @classmethod
  def of(cls, tx: optax.GradientTransformation, rule: Rmsprop) -> 'OneRule':
    one = cls(*tx)
    one.rule = rule
    return one


def make_update(
  tx: optax.GradientTransformation, mesh: Mesh
) -> Callable[[Learned, Any, dict, jax.Array, jax.Array | None], Learned]:
  """(before, gradients, statistics, good, decay) -> after, on the devices of `mesh`.

  statistics: the new ones, {'batch_stats': ...}. good: a bool; if it is false, all
  stays as it was. decay: of the averages; None if there are none.
  """

  def update(before, gradients, statistics, good, decay):
    params, averages = before.variables['params'], before.averages.get('params')
    if _is_compiled(tx, mesh, params):
      params, opt_state, averages = _in_one_pass(
        tx.rule, gradients, before.opt_state, params, averages, good, decay
      )
    else:
      params, opt_state, averages = _by_optax(
        tx, gradients, before.opt_state, params, averages, good, decay
      )
    old, old_averages = (
      {name: own[name] for name in statistics if own}
      for own in (before.variables, before.averages)
    )
    new_averages = _averaged(old_averages, statistics, decay) if old_averages else {}
    statistics, of_statistics = _kept(
      good, (statistics, new_averages), (old, old_averages)
    )
    averages = {} if averages is None else {'params': averages, **of_statistics}
    return Learned({'params': params, **statistics}, opt_state, averages)

  return update


def _by_optax(tx, gradients, opt_state, params, averages, good, decay):
  # `lax`: jax.numpy's operators are functions that JAX traces anew for each of hundreds
  # of arrays.
  updates, new_state = tx.update(gradients, opt_state, params)
  new_params = jax.tree.map(lax.add, params, updates)
  new_averages = averages and _averaged(averages, new_params, decay)
  return _kept(
    good, (new_params, new_state, new_averages), (params, opt_state, averages)
  )


def _averaged(old, new, decay):
  return jax.tree.map(lambda a, b: lax.add(b, lax.mul(decay, lax.sub(a, b))), old, new)


def _kept(good, new, old):
  return jax.tree.map(lambda a, b: lax.select_n(good, b, a), new, old)


# ---- in one pass --------------------------------------------------------------------


def _is_compiled(tx, mesh: Mesh, params) -> bool:
  if not isinstance(tx, OneRule) or mesh.devices.size > 1:
    return False
  target = Target(mesh.devices.flat[0].platform)
  are_plain = all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(params))
  return are_plain and choose(tx.rule.lowering, target) == 'compiled'


def _in_one_pass(rule: Rmsprop, gradients, opt_state, params, averages, good, decay):
  find = optax.tree_utils.tree_get
  count = find(opt_state, 'count')
  leaves, structure = jax.tree.flatten(params)
  squares, steps, leaves, averages = kernels.rmsprop(
    good,
    rule.schedule(count),
    0.0 if decay is None else decay,
    (find(opt_state, 'nu'), find(opt_state, 'trace')),
    jax.tree.leaves(gradients),
    leaves,
    jax.tree.leaves(averages),
    decay=rule.decay,
    momentum=rule.momentum,
    epsilon=rule.eps,
  )
  new_state = optax.tree_utils.tree_set(
    opt_state,
    nu=squares,
    trace=steps,
    count=lax.select(good, optax.safe_increment(count), count),
  )
  new_averages = structure.unflatten(averages) if averages else None
  return structure.unflatten(leaves), new_state, new_averages
