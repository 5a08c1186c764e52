"""Optimizers under the names that the papers' recipes use, built on optax.

`rmsprop` means two things: TensorFlow's and PyTorch's differ in four places, and a
recipe tuned for one fails with the other. So both are here, under their own names.
"""

from collections.abc import Callable
from typing import Any

import jax
import optax

from mobilenet.training import fields
from mobilenet.training.errors import TrainingError, require
from mobilenet.training.staleness import delayed
from mobilenet.training.update import OneRule, Rmsprop

Mask = Callable[[Any], Any]
# First what works element by element, then what needs the names of parameters.
Parts = tuple[optax.GradientTransformation, ...]

_SHARED = ('clip_norm', 'decay_depthwise', 'layer_decay', 'stale_steps')


def make_optimizer(
  cfg: Any,
  schedule: optax.Schedule,
  *,
  params: Any = None,
  flat: bool = True,
  lowering: str = 'auto',
) -> optax.GradientTransformation:
  """Builds the optimizer that `cfg.name` names.

  The learning rate of update n (from 0) is `schedule(n)`; the state counts the updates
  that were made. The state is a plain pytree of arrays.

  Fields of `cfg`, besides `name`; None means the default in brackets:
    clip_norm: scales the gradients of a step down to this global norm (no clipping).
    decay_depthwise: whether weight decay includes depthwise kernels (False); an L2
      penalty gives the same to `path_mask`.
    layer_decay: in (0, 1], by which the learning rate of a row is less than that of the
      next one (1), see `layer_scales`; what is decoupled decays less by it too.
    stale_steps: gradients are applied so many steps late (0), see `staleness`; the
      norm is clipped then.
    rmsprop_tf: decay (.9), momentum (.9), eps (1e-10, as TF; recipes state their own).
    rmsprop_torch: decay (.99), momentum (0), eps (1e-8), as PyTorch.
    sgd: momentum (0), nesterov (False).
    adamw: b1 (.9), b2 (.999), eps (1e-8), weight_decay (1e-4).

  Only adamw has a `weight_decay`: the others would add it to the gradient, which is the
  L2 penalty of `losses.l2_penalty` under another name, and belongs in the loss.

  Args:
    cfg: the section of the config; any object with these fields.
    schedule: step -> learning rate.
    params: if given, the decay mask is checked on them at once.
    flat: whether the state is one vector for all parameters; otherwise it has an array
      for each, which devices can share (see `optimizer_layout`).
    lowering: of the update, as that of the network's operations (`models.lowering`).

  Raises:
    TrainingError: for an unknown name or field, a value out of range, or a
      weight_decay that would decay none of the parameters.
  """
  name, weight_decay = fields.get(cfg, 'name'), fields.get(cfg, 'weight_decay')
  if weight_decay and name in _COUPLED:
    raise TrainingError(
      f'optimizer.weight_decay = {weight_decay!r} has no decoupled meaning for '
      f"{name!r}; put it in the loss as L2, or use 'adamw'"
    )
  build, own = fields.choose('optimizer', cfg, _OPTIMIZERS, _SHARED)
  for field in own.keys() & _LIMITS.keys():
    own[field] = fields.number('optimizer', field, own[field], **_LIMITS[field])
  decay_depthwise = bool(fields.get(cfg, 'decay_depthwise'))

  def mask(params: Any) -> Any:
    return path_mask(params, decay_depthwise)

  require(
    params is None or not weight_decay or any(jax.tree.leaves(mask(params))),
    f'optimizer.weight_decay = {weight_decay!r} would decay nothing: no parameter that '
    "it may take is named 'kernel'",
  )
  elementwise, *rest = build(schedule, mask, **own)
  clip_norm = fields.get(cfg, 'clip_norm')
  if clip_norm is not None:
    limit = fields.number('optimizer', 'clip_norm', clip_norm, above=0)
    elementwise = optax.chain(optax.clip_by_global_norm(limit), elementwise)
  layer_decay = fields.get(cfg, 'layer_decay')
  if layer_decay is not None:
    factor = fields.number('optimizer', 'layer_decay', layer_decay, above=0, high=1)
    rest.append(_by_row(factor))
  # On one vector instead of hundreds of arrays: hundreds of small kernels cost more
  # than the arithmetic, to compile and, in small networks, to run.
  tx = optax.chain(optax.flatten(elementwise) if flat else elementwise, *rest)
  stale_steps = fields.get(cfg, 'stale_steps') or 0
  if name == 'rmsprop_tf' and flat and not (clip_norm or layer_decay or stale_steps):
    rule = Rmsprop(schedule, **_RMSPROP_TF | own, lowering=lowering)
    return OneRule.of(tx, rule) if rule.momentum else tx
  return delayed(tx, stale_steps, flat=flat)


def path_mask(params: Any, decay_depthwise: bool) -> Any:
  """Marks the parameters that weight decay and L2 apply to.

  Those are the kernels of convolutions and dense layers; scales and biases are left
  out, and depthwise kernels unless `decay_depthwise` (MobileNetV1, section 3.2: "very
  little or no weight decay (l2 regularization) on the depthwise filters").

  Args:
    params: a tree whose paths are the names of modules and parameters.
    decay_depthwise: whether kernels below a module with 'depthwise' in its name count.

  Returns:
    A tree of bools of the same structure.
  """

  def decays(path: tuple[Any, ...], _: Any) -> bool:
    names = _names(path)
    depthwise = any('depthwise' in name for name in names)
    return names[-1:] == ['kernel'] and (decay_depthwise or not depthwise)

  return jax.tree_util.tree_map_with_path(decays, params)


def _names(path: tuple[Any, ...]) -> list[str]:
  return [str(getattr(key, 'key', getattr(key, 'name', key))) for key in path]


def layer_scales(params: Any, decay: float) -> Any:
  """Factors of the learning rate that get smaller towards the stem.

  As timm's `layer_decay` and BEiT (2106.08254): what comes last of a network has what
  it gained elsewhere the least to keep. The head has 1, and so has all that is not the
  backbone; the last row of the backbone has `decay`, the one before it `decay` ** 2,
  and so on to the stem.

  Args:
    params: a tree whose paths are names, with rows as 'backbone', 'block_07'; where
      rows are frozen, without theirs.
    decay: in (0, 1].

  Returns:
    A tree of floats of the same structure.
  """

  def row(path: tuple[Any, ...]) -> int | None:
    names = _names(path)
    if names[:1] != ['backbone']:
      return None
    return 0 if names[1] == 'stem' else 1 + int(names[1].removeprefix('block_'))

  rows = jax.tree_util.tree_map_with_path(lambda path, _: row(path), params)
  last = max(jax.tree.leaves(rows), default=0)
  return jax.tree.map(
    lambda n: 1.0 if n is None else decay ** (last + 1 - n),
    rows,
    is_leaf=lambda n: n is None,
  )


def _by_row(decay: float) -> optax.GradientTransformation:
  """Updates times `layer_scales`; it comes last, as a factor of the learning rate."""

  def scaled(updates: Any, params: Any) -> Any:
    del params
    return jax.tree.map(
      lambda update, scale: update * scale, updates, layer_scales(updates, decay)
    )

  return optax.stateless(scaled)


_RMSPROP_TF = {'decay': 0.9, 'momentum': 0.9, 'eps': 1e-10}


def _rmsprop_tf(
  schedule: optax.Schedule,
  mask: Mask,
  *,
  decay: float = _RMSPROP_TF['decay'],
  momentum: float = _RMSPROP_TF['momentum'],
  eps: float = _RMSPROP_TF['eps'],
) -> Parts:
  """tf.compat.v1.train.RMSPropOptimizer, the ApplyRMSProp kernel.

  ms  <- decay * ms + (1 - decay) * g^2            from one
  mom <- momentum * mom + lr * g / sqrt(ms + eps)  from zero
  w   <- w - mom
  """
  del mask
  tx = optax.rmsprop(
    schedule,
    decay=decay,
    eps=eps,
    initial_scale=1.0,
    eps_in_sqrt=True,
    momentum=momentum or None,
  )
  return (tx,)


def _rmsprop_torch(
  schedule: optax.Schedule,
  mask: Mask,
  *,
  decay: float = 0.99,
  momentum: float = 0.0,
  eps: float = 1e-8,
) -> Parts:
  """torch.optim.RMSprop, whose learning rate stays outside the momentum.

  sq  <- decay * sq + (1 - decay) * g^2          from zero
  buf <- momentum * buf + g / (sqrt(sq) + eps)   from zero
  w   <- w - lr * buf
  """
  del mask
  tx = optax.chain(
    optax.scale_by_rms(decay=decay, eps=eps, initial_scale=0.0, eps_in_sqrt=False),
    optax.trace(decay=momentum) if momentum else optax.identity(),
    optax.scale_by_learning_rate(schedule),
  )
  return (tx,)


def _sgd(
  schedule: optax.Schedule, mask: Mask, *, momentum: float = 0.0, nesterov: bool = False
) -> Parts:
  """Gradient descent; buf <- momentum * buf + g, w <- w - lr * buf."""
  del mask
  require(
    bool(momentum) or not nesterov,
    'optimizer.nesterov = True needs optimizer.momentum above 0',
  )
  return (optax.sgd(schedule, momentum=momentum or None, nesterov=nesterov),)


def _adamw(
  schedule: optax.Schedule,
  mask: Mask,
  *,
  b1: float = 0.9,
  b2: float = 0.999,
  eps: float = 1e-8,
  weight_decay: float = 1e-4,
) -> Parts:
  """Adam with decoupled decay: w <- w - lr * (adam(g) + weight_decay * mask * w)."""
  return (
    optax.scale_by_adam(b1=b1, b2=b2, eps=eps),
    optax.add_decayed_weights(weight_decay, mask),
    optax.scale_by_learning_rate(schedule),
  )


_OPTIMIZERS = {
  'rmsprop_tf': _rmsprop_tf,
  'rmsprop_torch': _rmsprop_torch,
  'sgd': _sgd,
  'adamw': _adamw,
}

_COUPLED = ('rmsprop_tf', 'rmsprop_torch', 'sgd')

_BELOW_ONE = {'low': 0.0, 'below': 1.0}
_LIMITS = {
  'decay': _BELOW_ONE,
  'momentum': _BELOW_ONE,
  'b1': _BELOW_ONE,
  'b2': _BELOW_ONE,
  'eps': {'low': 0.0},
  'weight_decay': {'low': 0.0},
}
