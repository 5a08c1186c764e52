"""Learning-rate schedules: pure functions of the step.

Configs give durations in epochs; `epochs_to_steps` is the one place where they become
steps. The recipes that use these schedules are those of MobileNetV1 to V4,
MnasNet (https://arxiv.org/abs/1807.11626) and ShuffleNet.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from mobilenet.training import fields
from mobilenet.training.errors import TrainingError, require

Schedule = Callable[[Any], jax.Array]

_SHARED = ('learning_rate', 'warmup_epochs', 'warmup_from', 'reference_batch_size')


def epochs_to_steps(epochs: float, steps_per_epoch: float) -> int:
  """Returns the nearest whole number of steps to `epochs` epochs."""
  return round(epochs * steps_per_epoch)


def make_schedule(
  cfg: Any,
  *,
  total_steps: int,
  steps_per_epoch: float,
  batch_size: int | None = None,
) -> Schedule:
  """Builds the learning rate as a function of the step.

  Every decay counts from step 0 of the run, warm-up included, and the warm-up lies
  over its beginning: while `step < warmup_steps` the rate rises in a straight line
  from `warmup_from` to `learning_rate`, afterwards it is the decay's. TF's MnasNet and
  EfficientNet trainers and timm do the same. (TF Model Garden counts so too, but its
  ramp ends at the decayed value; torchvision and big_vision count the decay from the
  end of the warm-up.) A decay that ends does so at `total_steps`, one after the last
  step that a run takes, and stays there. Durations are fitted to runs of any length:
  the warm-up takes at most half of a run, and a decay at least one step. `fitted` says
  where that changes what `cfg` asks for.

  Fields of `cfg`, besides `name`:
    learning_rate: the peak.
    warmup_epochs (0), warmup_from (0): length and first value of the ramp.
    reference_batch_size: where set, `learning_rate` and `warmup_from` are those of this
      batch size and are multiplied by batch_size / reference_batch_size (the linear
      rule; MnasNet's .016 per 256).
    exponential: decay_rate, decay_every_epochs, staircase (True).
    cosine: end_factor (0), the final rate as a fraction of the peak.
    polynomial: power (1), end_factor (0).
    constant: nothing more.

  Args:
    cfg: the section of the config; any object with these fields. None is the default.
    total_steps: optimizer steps of the whole run.
    steps_per_epoch: optimizer steps in an epoch; need not be whole.
    batch_size: the global batch; needed with `reference_batch_size`.

  Returns:
    step (an int or an integer array) -> the rate, float32 of the same shape; may be
    traced.

  Raises:
    TrainingError: for an unknown name or field, or a value that makes no sense.
  """
  require(total_steps >= 1, f'a run needs at least one step, not {total_steps}')
  require(
    steps_per_epoch > 0,
    f'steps_per_epoch = {steps_per_epoch} must be positive; is the training set empty?',
  )
  build, own = fields.choose('schedule', cfg, _SCHEDULES, _SHARED)
  scale = batch_scale(cfg, batch_size)
  peak = scale * _number(cfg, 'learning_rate', low=0)
  start = scale * _number(cfg, 'warmup_from', default=0, low=0)
  warmup_steps = min(_warmup_steps(cfg, steps_per_epoch), _longest_warmup(total_steps))
  decay = build(peak, total_steps, steps_per_epoch, **own)

  def schedule(step: Any) -> jax.Array:
    step = jnp.asarray(step, jnp.int32)
    rate = decay(step)
    if warmup_steps:
      ramp = start + (peak - start) * (step / warmup_steps)
      rate = jnp.where(step < warmup_steps, ramp, rate)
    return rate.astype(jnp.float32)

  return schedule


def batch_scale(cfg: Any, batch_size: int | None) -> float:
  """By what the linear rule multiplies a section's rates; 1 where it has no rule.

  Raises:
    TrainingError: `reference_batch_size` makes no sense, or `batch_size` is missing.
  """
  reference = fields.get(cfg, 'reference_batch_size')
  if reference is None:
    return 1.0
  fields.number('schedule', 'reference_batch_size', reference, low=1)
  require(
    batch_size is not None,
    f'schedule.reference_batch_size = {reference} scales the learning rate with the '
    'batch, so make_schedule needs batch_size',
  )
  return batch_size / reference


def fitted(cfg: Any, *, total_steps: int, steps_per_epoch: float) -> tuple[str, ...]:
  """Says which durations `make_schedule` fits to a run this short; () if none."""
  notes = []
  asked, longest = _warmup_steps(cfg, steps_per_epoch), _longest_warmup(total_steps)
  if asked > longest:
    epochs = fields.get(cfg, 'warmup_epochs')
    notes.append(
      f'schedule.warmup_epochs = {epochs:g} is {asked} steps, and the run has '
      f'{total_steps}: the warm-up takes half of them, {longest}'
    )
  decay_every = fields.get(cfg, 'decay_every_epochs')
  if decay_every is not None and not epochs_to_steps(decay_every, steps_per_epoch):
    notes.append(
      f'schedule.decay_every_epochs = {decay_every:g} is less than a step: the rate '
      'decays every step'
    )
  return tuple(notes)


def _exponential(
  peak: float,
  total_steps: int,
  steps_per_epoch: float,
  *,
  decay_rate: float,
  decay_every_epochs: float,
  staircase: bool = True,
) -> Schedule:
  """peak * decay_rate ** (step / decay_steps), the exponent cut to whole numbers."""
  del total_steps
  decay_rate = fields.number('schedule', 'decay_rate', decay_rate, above=0, high=1)
  decay_every_epochs = fields.number(
    'schedule', 'decay_every_epochs', decay_every_epochs, above=0
  )
  decay_steps = max(1, epochs_to_steps(decay_every_epochs, steps_per_epoch))

  def decay(step: jax.Array) -> jax.Array:
    # Integers divide exactly: in float32 a boundary can fall one step late.
    exponent = step // decay_steps if staircase else step / decay_steps
    return peak * jnp.power(jnp.float32(decay_rate), exponent.astype(jnp.float32))

  return decay


def _cosine(
  peak: float, total_steps: int, steps_per_epoch: float, *, end_factor: float = 0.0
) -> Schedule:
  """Half a cosine wave from the peak down to end_factor * peak."""
  del steps_per_epoch
  end_factor = fields.number('schedule', 'end_factor', end_factor, low=0, high=1)

  def decay(step: jax.Array) -> jax.Array:
    # (1 + cos(pi p)) / 2 as a squared sine: the sum cancels in float32 near the end.
    wave = jnp.square(jnp.sin(0.5 * jnp.pi * _left(step, total_steps)))
    return peak * (end_factor + (1 - end_factor) * wave)

  return decay


def _polynomial(
  peak: float,
  total_steps: int,
  steps_per_epoch: float,
  *,
  power: float = 1.0,
  end_factor: float = 0.0,
) -> Schedule:
  """(1 - step / total_steps) ** power, from the peak down to end_factor * peak."""
  del steps_per_epoch
  power = fields.number('schedule', 'power', power, above=0)
  end_factor = fields.number('schedule', 'end_factor', end_factor, low=0, high=1)

  def decay(step: jax.Array) -> jax.Array:
    fall = jnp.power(_left(step, total_steps), power)
    return peak * (end_factor + (1 - end_factor) * fall)

  return decay


def _constant(peak: float, total_steps: int, steps_per_epoch: float) -> Schedule:
  """The peak at every step."""
  del total_steps, steps_per_epoch
  return lambda step: jnp.full(step.shape, peak, jnp.float32)


_SCHEDULES = {
  'exponential': _exponential,
  'cosine': _cosine,
  'polynomial': _polynomial,
  'constant': _constant,
}


def _warmup_steps(cfg: Any, steps_per_epoch: float) -> int:
  """The number that `cfg` asks for."""
  epochs = _number(cfg, 'warmup_epochs', default=0, low=0)
  return epochs_to_steps(epochs, steps_per_epoch)


def _longest_warmup(total_steps: int) -> int:
  return total_steps // 2


def _left(step: jax.Array, total_steps: int) -> jax.Array:
  """The fraction of the run that remains, from one to zero."""
  return jnp.maximum(total_steps - step, 0) / total_steps


def _number(cfg: Any, field: str, default: float | None = None, **limits) -> float:
  value = fields.get(cfg, field)
  value = default if value is None else value
  if value is None:
    raise TrainingError(f'schedule.{field} is missing; every schedule needs it')
  return fields.number('schedule', field, value, **limits)
