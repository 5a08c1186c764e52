"""Learning rates at named steps, worked out by hand from the formulas."""

import math
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mobilenet.training.errors import TrainingError
from mobilenet.training.schedules import epochs_to_steps, fitted, make_schedule


def config(name, **values):
  return types.SimpleNamespace(name=name, **({'learning_rate': 0.1} | values))


def make(cfg, total_steps=1000, steps_per_epoch=100, **more):
  return make_schedule(
    cfg, total_steps=total_steps, steps_per_epoch=steps_per_epoch, **more
  )


def check(schedule, expected):
  for step, rate in expected.items():
    assert float(schedule(step)) == pytest.approx(rate, rel=2e-6, abs=1e-12), step


def test_exponential_staircase_counts_from_step_0():
  cfg = config('exponential', decay_rate=0.97, decay_every_epochs=2.4, staircase=True)
  check(
    make(cfg),
    {0: 0.1, 239: 0.1, 240: 0.097, 479: 0.097, 480: 0.1 * 0.97**2, 999: 0.1 * 0.97**4},
  )


def test_exponential_without_stairs():
  cfg = config('exponential', decay_rate=0.9, decay_every_epochs=1, staircase=False)
  check(make(cfg), {0: 0.1, 50: 0.1 * 0.9**0.5, 100: 0.09, 999: 0.1 * 0.9**9.99})


def test_staircase_boundaries_are_exact_far_out():
  cfg = config('exponential', decay_rate=0.99, decay_every_epochs=3, staircase=True)
  schedule = make(cfg, total_steps=1_250_000, steps_per_epoch=1251)
  decay_steps = 3 * 1251
  boundaries = np.arange(1, 333) * decay_steps
  before, at = schedule(boundaries - 1), schedule(boundaries)
  np.testing.assert_allclose(at / before, 0.99, rtol=5e-6)


def test_warm_up_lies_over_the_beginning():
  cfg = config(
    'exponential',
    decay_rate=0.5,
    decay_every_epochs=2,
    warmup_epochs=5,
    warmup_from=0.02,
  )
  # The ramp ends at the peak; two decays have passed beneath it by step 500.
  check(
    make(cfg),
    {0: 0.02, 250: 0.06, 499: 0.02 + 0.08 * 0.998, 500: 0.025, 599: 0.025, 600: 0.0125},
  )


def test_a_warm_up_takes_half_of_a_short_run_and_says_so():
  cfg = config('cosine', warmup_epochs=5)
  short = {'total_steps': 138, 'steps_per_epoch': 138}
  # The ramp ends at step 69, on the cosine of the whole run.
  check(
    make(cfg, **short),
    {0: 0.0, 34: 0.1 * 34 / 69, 68: 0.1 * 68 / 69, 69: 0.05, 138: 0.0},
  )
  assert fitted(cfg, **short) == (
    'schedule.warmup_epochs = 5 is 690 steps, and the run has 138: the warm-up takes '
    'half of them, 69',
  )
  check(make(cfg, total_steps=1, steps_per_epoch=138), {0: 0.1, 1: 0.0})


def test_a_warm_up_of_half_a_run_is_left_alone():
  cfg = config('constant', warmup_epochs=5)
  check(make(cfg), {0: 0.0, 499: 0.0998, 500: 0.1})
  assert fitted(cfg, total_steps=1000, steps_per_epoch=100) == ()
  assert fitted(config('constant'), total_steps=1, steps_per_epoch=0.1) == ()


def test_a_decay_takes_a_step_at_least_and_says_so():
  cfg = config('exponential', decay_rate=0.5, decay_every_epochs=2.0)
  tiny = {'total_steps': 4, 'steps_per_epoch': 0.2}  # a batch of five times the data
  check(make(cfg, **tiny), {0: 0.1, 1: 0.05, 2: 0.025})
  assert fitted(cfg, **tiny) == (
    'schedule.decay_every_epochs = 2 is less than a step: the rate decays every step',
  )


def test_warm_up_starts_at_zero_by_default():
  check(
    make(config('constant', warmup_epochs=1)), {0: 0.0, 1: 0.001, 99: 0.099, 100: 0.1}
  )


def test_cosine():
  check(
    make(config('cosine', end_factor=0.001)),
    {
      0: 0.1,
      500: 0.1 * (0.001 + 0.999 * 0.5),
      999: 0.1 * (0.001 + 0.999 * 0.5 * (1 + math.cos(math.pi * 0.999))),
      1000: 0.0001,
      1500: 0.0001,
    },
  )


def test_cosine_ends_at_zero_by_default():
  check(
    make(config('cosine', warmup_epochs=2)),
    {
      200: 0.05 * (1 + math.cos(math.pi * 0.2)),
      999: 0.05 * (1 + math.cos(math.pi * 0.999)),
      1000: 0.0,
    },
  )


def test_polynomial():
  check(make(config('polynomial')), {0: 0.1, 250: 0.075, 999: 0.0001, 1000: 0.0})
  quadratic = config('polynomial', power=2.0, end_factor=0.1)
  check(make(quadratic), {0: 0.1, 500: 0.01 + 0.09 * 0.25, 1000: 0.01, 2000: 0.01})


def test_the_linear_rule_scales_peak_and_start():
  cfg = config(
    'constant',
    learning_rate=0.016,
    warmup_from=0.001,
    warmup_epochs=1,
    reference_batch_size=256,
  )
  check(make(cfg, batch_size=1024), {0: 0.004, 100: 0.064})


@pytest.mark.parametrize(
  'cfg',
  [
    config('exponential', decay_rate=0.97, decay_every_epochs=1, warmup_epochs=1),
    config('cosine', warmup_epochs=1),
    config('polynomial', power=0.9, warmup_epochs=1),
    config('constant', warmup_epochs=1),
  ],
)
def test_traced_and_vector_steps_give_float32(cfg):
  schedule = make(cfg)
  steps = jnp.array([0, 50, 100, 999])
  rates = schedule(steps)
  assert rates.dtype == jnp.float32
  assert rates.shape == (4,)
  traced = [jax.jit(schedule)(step) for step in steps]
  assert all(rate.dtype == jnp.float32 and rate.shape == () for rate in traced)
  np.testing.assert_allclose(traced, rates, rtol=1e-5)


def test_epochs_to_steps_rounds_to_the_nearest():
  assert epochs_to_steps(2.4, 1251) == 3002
  assert epochs_to_steps(5, 312.75) == 1564
  assert epochs_to_steps(0, 100) == 0


@pytest.mark.parametrize(
  ('cfg', 'text'),
  [
    (config('cosin'), "schedule.name 'cosin' is unknown; did you mean cosine?"),
    (config('cosine', end_facto=0.1), 'did you mean end_factor?'),
    (config('exponential', decay_rate=0.9), 'schedule.decay_every_epochs is missing'),
    (config('cosine', decay_rate=0.9), 'schedule.decay_rate = 0.9 does nothing for'),
    (config('constant', learning_rate=None), 'schedule.learning_rate is missing'),
    (config('constant', learning_rate=-1), 'must be a number at least 0'),
    (config('constant', learning_rate=math.nan), 'must be a number'),
    (config('constant', reference_batch_size=256), 'needs batch_size'),
    (config('constant', warmup_epochs=-1), 'must be a number at least 0'),
  ],
)
def test_mistakes_are_one_clear_line(cfg, text):
  with pytest.raises(TrainingError) as caught:
    make(cfg)
  assert text in str(caught.value)
  assert '\n' not in str(caught.value)
