"""The length of a run, as its config gives it, and what happens when it grows."""

from collections.abc import Callable, Mapping
from typing import Any

FIELDS = ('epochs', 'steps')  # of a config; steps win if they are set


def of(config: Mapping[str, Any]) -> tuple[str, float] | None:
  """('steps', 12), or ('epochs', 2.0) if steps are not set; None without both."""
  for unit in reversed(FIELDS):
    if config.get(unit) is not None:
      return unit, config[unit]
  return None


def growth(stored: Mapping[str, Any], config: Mapping[str, Any]) -> float | None:
  """How much longer `config` is than `stored`; None if their units differ."""
  old, new = of(stored), of(config)
  if old is None or new is None or old[0] != new[0]:
    return None
  return new[1] - old[1]


def described(config: Mapping[str, Any]) -> str:
  """'2.5 epochs', '1 epoch'."""
  unit, number = of(config)
  return f'{number:g} {unit.removesuffix("s") if number == 1 else unit}'


def lengthened(
  stored: Mapping[str, Any],
  config: Mapping[str, Any],
  *,
  step: int,
  total_steps: int,
  learning_rate: Callable[[int], Any],
) -> str:
  """A note on what happens to a run that is lengthened.

  Args:
    stored: the config of the run.
    config: the config of the longer run.
    step: where it continues.
    total_steps: of the longer run.
    learning_rate: step -> learning rate of the longer run.
  """
  return (
    f'the run of {described(stored)} becomes one of {described(config)}: it goes on at '
    f'step {step} of {total_steps}, and the learning rate is from there on that of the '
    f'longer run, {float(learning_rate(step)):.3g} to begin with'
  )
