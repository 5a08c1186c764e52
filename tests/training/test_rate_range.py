"""The range test: its rates, its end, its smoothing and what it suggests."""

import jax
import numpy as np
import pytest

from mobilenet.training import optimizer, rate_range
from mobilenet.training.errors import TrainingError
from tests.training.conftest import train_batches

STEPS = 20


def measure(run, lowest=1e-4, highest=1.0, steps=STEPS, batches=None):
  schedule = rate_range.rising(lowest, highest, steps)
  tx = optimizer.make_optimizer({'name': 'adamw'}, schedule)
  told = []
  measured = rate_range.measure(
    model=run.model,
    task=run.task,
    tx=tx,
    schedule=schedule,
    variables=jax.device_put(run.variables()),
    batches=batches or train_batches(0),
    steps=steps,
    seed=3,
    mesh=run.mesh,
    advance=told.append,
  )
  assert sum(told) == len(measured.rates)
  return measured


def made(losses, width=0.0, ended='', lowest=1e-5, highest=1.0):
  """A test whose losses are known."""
  losses = np.asarray(losses, np.float64)
  rates = np.geomspace(lowest, highest, len(losses))
  smoothed = rate_range.smooth(losses, width)
  return rate_range.Measured(rates, losses, smoothed, width, ended)


def test_rates_grow_by_the_same_factor():
  rates = np.asarray(rate_range.rising(1e-4, 1.0, 21)(np.arange(21)))
  np.testing.assert_allclose(rates, np.geomspace(1e-4, 1, 21), rtol=1e-5)


@pytest.mark.parametrize(
  ('lowest', 'highest', 'steps', 'line'),
  [
    (1e-5, 1.0, 9, '--steps=9 must be at least 10'),
    (1.0, 1.0, 10, '--lowest=1 must be above 0 and below --highest=1'),
    (0.0, 1.0, 10, '--lowest=0 must be above 0 and below --highest=1'),
    (float('nan'), 1.0, 10, '--lowest=nan must be above 0 and below --highest=1'),
    (0.1, float('inf'), 10, '--lowest=0.1 must be above 0 and below --highest=inf'),
  ],
)
def test_rates_that_make_no_sense_are_refused(lowest, highest, steps, line):
  with pytest.raises(TrainingError) as error:
    rate_range.rising(lowest, highest, steps)
  assert str(error.value) == line


def test_smoothing_has_no_lag_and_keeps_what_is_level():
  np.testing.assert_allclose(rate_range.smooth([3.0] * 9, 2.0), 3)
  step = rate_range.smooth([1.0] * 10 + [0.0] * 11, 2.0)
  assert step[9] == pytest.approx(1 - step[10], abs=1e-5)  # in the middle, at once
  # By hand: neighbours weigh exp(-1/2) and exp(-2) at a width of one, the least.
  near, far = np.exp(-0.5), np.exp(-2.0)
  expected = (1 * near + 4 + 7 * near + 2 * far) / (1 + 2 * near + far)
  np.testing.assert_allclose(rate_range.smooth([1, 4, 7, 2], 0.1)[1], expected)


def test_a_test_trains_with_the_rates(run):
  fast, slow = (measure(run, highest=h) for h in (0.1, 1e-3))
  assert fast.ended == slow.ended == ''
  assert len(fast.losses) == len(fast.rates) == STEPS
  np.testing.assert_allclose(fast.rates, np.geomspace(1e-4, 0.1, STEPS), rtol=1e-5)
  assert fast.losses[-4:].mean() < slow.losses[-4:].mean() - 0.1


def test_a_test_ends_where_the_loss_has_grown(run):
  measured = measure(run, highest=1e5, steps=30)
  assert len(measured.losses) < 30
  assert measured.ended in (
    'the smoothed loss is 4 times its least',
    'the loss or its gradient is no finite number',
  )
  assert np.isfinite(measured.losses).all()
  before = rate_range.smooth(measured.losses[:-1], measured.width)
  assert before[-1] <= rate_range.WORSE * before.min()


def test_a_loss_that_is_not_finite_later_ends_the_test(run):
  def batches():
    for number, batch in enumerate(train_batches(0)):
      yield {**batch, 'image': batch['image'] * (np.nan if number == 12 else 1)}

  measured = measure(run, highest=1e-3, batches=batches())
  assert measured.ended == 'the loss or its gradient is no finite number'
  assert len(measured.losses) == 11  # the first batch only shows the start


def test_a_first_loss_that_is_not_finite_is_told_with_its_place(run):
  broken = ({**b, 'image': b['image'] * np.inf} for b in train_batches(0))
  with pytest.raises(TrainingError) as error:
    measure(run, batches=broken)
  assert str(error.value) == (
    'the loss or its gradient is no finite number before the first update, first in '
    'the images of the batch; look for the fault there, no learning rate mends it'
  )


def test_the_steepest_fall_before_the_climb_is_suggested():
  place = np.arange(101)
  losses = 3 - 2 / (1 + np.exp(-(place - 40) / 4))  # falls fastest at 40, from 3 to 1
  losses[80:] += 0.2 * (place[80:] - 79)
  losses[95:] = 0.1  # a network that answers the same to everything
  found = rate_range.suggest(made(losses, width=2.0))
  rates = np.geomspace(1e-5, 1, 101)
  assert found.rate == pytest.approx(rates[40])
  assert rates[70] <= found.least <= rates[80]
  assert rates[78] <= found.climb <= rates[82]
  assert not found.falling


def test_a_loss_that_still_falls_is_told():
  falling = rate_range.suggest(made(np.linspace(3, 1, 50)))
  assert (falling.falling, falling.climb) == (True, None)
  assert falling.least == pytest.approx(1)


def test_without_a_clear_fall_a_third_of_the_climb_is_suggested():
  noise = np.random.default_rng(0).normal(size=100) * 0.1
  losses = 1 + noise
  losses[70:] += np.arange(30) * 0.5
  found = rate_range.suggest(made(losses, width=4.0))
  assert (found.least, found.falling) == (None, False)
  assert found.rate == pytest.approx(found.climb / 3)
  rates = np.geomspace(1e-5, 1, 100)
  assert rates[64] <= found.climb <= rates[74]


def test_noise_suggests_nothing():
  for seed in range(10):
    noise = np.random.default_rng(seed).normal(size=100) * 0.1
    assert rate_range.suggest(made(2 + noise, width=4.0)) is None
