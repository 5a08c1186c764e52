"""TuNAS' controller (2008.06120): logits for each choice, learned by REINFORCE.

    controller = Controller.of([2, 3, 4])                # values of each choice
    archs = sample(controller, rng, count=8)
    rewards = [reward(quality, cost / target) for ...]
    controller = updated(controller, archs, rewards, rate(step, steps))
    best = likeliest(controller)

Nothing here knows networks: an arch is a tuple of places. The numbers are those of the
authors' code: Adam without a first moment, a baseline that follows the rewards, a rate
that is zero for the first quarter and grows tenfold in the rest.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

BETA = -0.1  # of the reward
BASELINE = 0.95
DELAYED = 0.25  # of the steps, in which the shared weights learn alone
GROWTH = 10.0
RATE = 0.0048  # 3e-4 for each 256 images of a batch of 4,096
SECOND_MOMENT, EPSILON = 0.999, 1e-8


def reward(quality: float, cost_ratio: float, beta: float = BETA) -> float:
  """The absolute reward: quality + beta * |cost / target - 1|.

  Too cheap costs as much as too dear, so that a search meets its target; MnasNet's
  needed several searches for that.

  Args:
    quality: 0 to 1.
    cost_ratio: cost / target.
    beta: below 0.
  """
  return quality + beta * abs(cost_ratio - 1.0)


def rate(step: int, steps: int, peak: float = RATE * GROWTH) -> float:
  """The controller's learning rate in step `step` of `steps`."""
  delayed = int(DELAYED * steps)
  if step < delayed:
    return 0.0
  progress = (step - delayed) / max(1, steps - delayed)
  return peak / GROWTH * GROWTH**progress


@dataclasses.dataclass(frozen=True)
class Controller:
  """Its state: arrays alone.

  logits, squares: of each choice, (values,); squares are Adam's second moments.
  baseline: of the rewards; steps: updates done.
  """

  logits: tuple[np.ndarray, ...]
  squares: tuple[np.ndarray, ...]
  baseline: float = 0.0
  steps: int = 0

  @classmethod
  def of(cls, values: Sequence[int]) -> 'Controller':
    """That of choices with these numbers of values: all are equally likely."""
    zeros = tuple(np.zeros(number) for number in values)
    return cls(zeros, zeros)

  def probabilities(self) -> list[np.ndarray]:
    """Of the values of each choice."""
    shifted = [np.exp(own - own.max()) for own in self.logits]
    return [own / own.sum() for own in shifted]

  def as_lists(self) -> dict:
    """For JSON, to the last bit; `from_lists` gives it back."""
    return {
      'logits': [own.tolist() for own in self.logits],
      'squares': [own.tolist() for own in self.squares],
      'baseline': self.baseline,
      'steps': self.steps,
    }

  @classmethod
  def from_lists(cls, said: dict) -> 'Controller':
    return cls(
      tuple(map(np.array, said['logits'])),
      tuple(map(np.array, said['squares'])),
      said['baseline'],
      said['steps'],
    )


def sample(
  controller: Controller, rng: np.random.Generator, count: int
) -> list[tuple[int, ...]]:
  """Archs, every choice drawn by itself."""
  drawn = [rng.choice(len(own), count, p=own) for own in controller.probabilities()]
  return [tuple(map(int, arch)) for arch in zip(*drawn, strict=True)]


def likeliest(controller: Controller) -> tuple[int, ...]:
  """The arch that the controller ends with."""
  return tuple(int(own.argmax()) for own in controller.logits)


def updated(
  controller: Controller,
  archs: Sequence[tuple[int, ...]],
  rewards: Sequence[float],
  learning_rate: float,
) -> Controller:
  """The controller after what it sampled was scored.

  The baseline follows the mean reward of each step, that of the first one at once.
  """
  mean, first = float(np.mean(rewards)), controller.steps == 0
  baseline = mean if first else BASELINE * controller.baseline + (1 - BASELINE) * mean
  advantages = np.asarray(rewards, float) - baseline
  steps, logits, squares = controller.steps + 1, [], []
  for n, probabilities in enumerate(controller.probabilities()):
    chosen = np.eye(len(probabilities))[[arch[n] for arch in archs]]
    # Of log p(arch), weighted by how much better than expected the arch was.
    ascent = np.mean(advantages[:, None] * (chosen - probabilities), axis=0)
    square = SECOND_MOMENT * controller.squares[n] + (1 - SECOND_MOMENT) * ascent**2
    unbiased = square / (1 - SECOND_MOMENT**steps)
    move = learning_rate * ascent / (np.sqrt(unbiased) + EPSILON)
    logits.append(controller.logits[n] + move)
    squares.append(square)
  return Controller(tuple(logits), tuple(squares), baseline, steps)
