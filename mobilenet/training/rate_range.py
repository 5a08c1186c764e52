"""The learning-rate range test: at which rates a network learns, in some hundred steps.

The rate grows exponentially from step to step, and the loss shows where it begins to
fall, where it falls fastest and where it grows again. Smith, "Cyclical Learning Rates
for Training Neural Networks", WACV 2017 (https://arxiv.org/abs/1506.01186), section
3.3, lets the rate grow linearly; fastai made the exponential form popular.

    schedule = rising(1e-5, 1.0, 100)
    measured = measure(..., schedule=schedule, steps=100)
    suggestion = suggest(measured)
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from mobilenet.training import sharding
from mobilenet.training.errors import TrainingError, require
from mobilenet.training.schedules import Schedule
from mobilenet.training.state import create, described, layout
from mobilenet.training.step import first_non_finite, make_train_step

FEWEST = 10  # steps
WORSE = 4.0  # times its least: a smoothed loss that ends the test
_WIDTH = 0.04  # of the smoothing, as a share of the steps
BELOW_CLIMB = 3.0  # by which the rate of the climb is divided
_CLIMB = 1.25  # times its least so far: a smoothed loss that climbs
# Times the noise of a smoothed loss: a fall that counts. Losses that are nothing but
# (normal) noise fall so far in 3 % of tests of 100 steps, and in 10 % of 10 steps.
_CLEAR = 5.0


@dataclasses.dataclass(frozen=True)
class Measured:
  """What a test measured, in its order; float64 arrays of shape (N,).

  rates: of the updates. losses: the objective of the batch after each of them.
  smoothed: those losses, see `smooth`. width: of the smoothing, in steps. ended: why
  the test ended before its last step, '' where it did not.
  """

  rates: np.ndarray
  losses: np.ndarray
  smoothed: np.ndarray
  width: float
  ended: str


class Suggestion(NamedTuple):
  """rate: the suggested one, by which of the two rules `least` tells.

  least: the rate of the least smoothed loss; None where the loss does not fall. climb:
  the rate at which the smoothed loss climbs; None where it does not. falling: whether
  it was still falling at the highest rate.
  """

  rate: float
  least: float | None
  climb: float | None
  falling: bool


def rising(lowest: float, highest: float, steps: int) -> Schedule:
  """A rate that grows by the same factor from step to step.

  Args:
    lowest: the rate of step 0, above 0.
    highest: that of step `steps` - 1.
    steps: at least `FEWEST`.

  Raises:
    TrainingError: any of them makes no sense.
  """
  require(steps >= FEWEST, f'--steps={steps} must be at least {FEWEST}')
  require(
    0 < lowest < highest < float('inf'),
    f'--lowest={lowest:g} must be above 0 and below --highest={highest:g}',
  )
  growth = float(np.log(highest / lowest)) / (steps - 1)

  def schedule(step: Any) -> jax.Array:
    return jnp.float32(lowest) * jnp.exp(growth * jnp.asarray(step, jnp.float32))

  return schedule


def measure(
  *,
  model: nn.Module,
  task,
  tx: optax.GradientTransformation,
  schedule: Schedule,
  variables: dict[str, Any],
  batches: Iterator[dict[str, np.ndarray]],
  steps: int,
  seed: int,
  mesh: Mesh,
  advance: Callable[[int], object],
  accumulate: int = 1,
) -> Measured:
  """Trains with a rising rate, step by step as a run does, and keeps the losses alone.

  It ends early where the smoothed loss is `WORSE` times its least, and where a loss or
  a gradient is no finite number.

  Args:
    model, task, tx, variables, batches, seed, mesh, accumulate: as in `loop.train`.
      `tx` follows `schedule`.
    schedule: from `rising`, of as many steps.
    steps: updates.
    advance: is told of each update.

  Raises:
    TrainingError: not even the first loss is finite; the line names where.
  """

  def new_state(initial):
    return create(initial, tx, task.zero_sums(), ema=False)

  where = layout(described(lambda: new_state(variables), mesh))
  state = jax.jit(new_state, out_shardings=where)(variables)
  step = make_train_step(
    model,
    task,
    tx,
    mesh,
    seed=seed,
    ema_decay=None,
    accumulate=accumulate,
    layout=where,
  )
  rates = np.asarray(jax.jit(schedule)(np.arange(steps)), np.float64)
  width = _WIDTH * steps
  losses, ended = [], ''
  # A batch shows what the update before it has done. The first one shows the start.
  for number in range(steps + 1):
    batch = sharding.put(mesh, next(batches))
    state, told = step(state, batch)
    loss = float(told['loss'])
    if not np.isfinite(loss) or int(told['total']):
      if number == 0:
        where = first_non_finite(model, task, state.variables, batch, seed=seed)
        raise TrainingError(
          'the loss or its gradient is no finite number before the first update, first '
          f'in {where}; look for the fault there, no learning rate mends it'
        )
      ended = 'the loss or its gradient is no finite number'
      break
    if number:
      losses.append(loss)
      advance(1)
      smoothed = smooth(losses, width)
      if smoothed[-1] > WORSE * smoothed.min():
        ended = f'the smoothed loss is {WORSE:g} times its least'
        break
  losses = np.asarray(losses, np.float64)
  smoothed = smooth(losses, width)
  return Measured(rates[: len(losses)], losses, smoothed, width, ended)


def smooth(losses: np.ndarray | list[float], width: float) -> np.ndarray:
  """Means of neighbours, weighted by a Gaussian: unlike a running mean, without a lag.

  Args:
    losses: (N,).
    width: the Gaussian's standard deviation, in steps; one at least.

  Returns:
    (N,), float64. At the ends there are neighbours on one side alone.
  """
  places = np.arange(len(losses))
  distances = (places[:, None] - places) / max(width, 1.0)
  weights = np.exp(-0.5 * np.square(distances))
  return weights @ np.asarray(losses, np.float64) / weights.sum(axis=1)


def suggest(measured: Measured) -> Suggestion | None:
  """The rate at which the smoothed loss falls fastest, or one well below its climb.

  The slope is over the logarithm of the rate, and only what comes before the least
  smoothed loss counts. That is the least of the losses before the climb: beyond, a
  network that was thrown back may well learn again, or answer the same to everything.

  A fall within the noise of the batches is none. The loss of a network that is good
  already, or that learns slowly, does not fall in so few steps; where it climbs, a
  rate of `1 / BELOW_CLIMB` of that is suggested instead. None where it does neither.
  """
  smoothed, rates = measured.smoothed, measured.rates
  climbed = smoothed > _CLIMB * np.minimum.accumulate(smoothed)
  end = int(np.argmax(climbed)) if climbed.any() else len(rates)
  climb = float(rates[end]) if climbed.any() else None
  least = int(np.argmin(smoothed[:end])) if end else 0
  width = max(measured.width, 1.0)
  first = math.ceil(width)  # before it, the smoothing has neighbours on one side alone
  if least > first and _is_clear(measured, first, least, width):
    slope = np.gradient(smoothed, np.log(rates))
    steepest = first + int(np.argmin(slope[first : least + 1]))
    falling = least == len(rates) - 1 and not measured.ended
    return Suggestion(float(rates[steepest]), float(rates[least]), climb, falling)
  if climb is None:
    return None
  return Suggestion(climb / BELOW_CLIMB, None, climb, False)


def _is_clear(measured: Measured, first: int, least: int, width: float) -> bool:
  """Whether the loss falls by more than its noise, from its first values to `least`."""
  smoothed = measured.smoothed[: least + 1]
  scatter = np.std(measured.losses[: least + 1] - smoothed)
  # Of a mean of independent losses with the Gaussian's weights.
  noise = scatter / math.sqrt(2 * math.sqrt(math.pi) * width)
  return bool(smoothed[: first + 1].mean() - smoothed[least] > _CLEAR * noise)
