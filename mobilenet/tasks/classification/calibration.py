"""Whether probabilities mean what they say, and how to correct them.

Calibration error and temperature scaling are those of Guo et al. (1706.04599). A
temperature above 1 makes a network less sure, one below 1 surer. It changes no class.
"""

from typing import NamedTuple

import numpy as np

BINS = 15
TEMPERATURES = (0.1, 10.0)
_SMALLEST = 1e-30  # a probability of 0 has no logarithm
_AT_ONCE = 4_000_000  # logits in memory
_MOST = 10_000  # examples that a temperature is fitted on: more change its third digit


class Bin(NamedTuple):
  """Predictions of similar confidence. confidence, accuracy: means, fractions."""

  low: float
  high: float
  count: int
  confidence: float
  accuracy: float


def bins(confidence: np.ndarray, correct: np.ndarray) -> list[Bin]:
  """The bins of equal width that hold a prediction.

  Args:
    confidence: (N,) probabilities of what was predicted.
    correct: (N,) whether it was right.
  """
  place = _places(confidence)
  found = []
  for number in np.unique(place):
    inside = place == number
    found.append(
      Bin(
        number / BINS,
        (number + 1) / BINS,
        int(inside.sum()),
        float(confidence[inside].mean()),
        float(correct[inside].mean()),
      )
    )
  return found


def error(confidence: np.ndarray, correct: np.ndarray) -> float:
  """Expected calibration error: the mean gap between confidence and accuracy."""
  gap = np.bincount(_places(confidence), weights=confidence - correct, minlength=BINS)
  return float(np.abs(gap).sum() / len(confidence))


def error_by_chance(
  confidence: np.ndarray, *, draws: int = 200, seed: int = 0
) -> float:
  """The error that a perfectly calibrated network shows on as many examples.

  It is above 0, since few examples scatter. Mean over draws in which each prediction is
  right with its own confidence.
  """
  rng = np.random.default_rng(seed)
  return float(
    np.mean(
      [
        error(confidence, rng.random(len(confidence)) < confidence)
        for _ in range(draws)
      ]
    )
  )


def _places(confidence: np.ndarray) -> np.ndarray:
  return np.clip((np.nan_to_num(confidence) * BINS).astype(int), 0, BINS - 1)


def scaled(probabilities: np.ndarray, temperature: float) -> np.ndarray:
  """Probabilities (N, K) as if the logits had been divided by the temperature.

  The order of the classes stays as it is, ties and all.
  """
  if temperature == 1:
    return probabilities
  logits = _logits(probabilities) / temperature
  powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
  return (powers / powers.sum(axis=-1, keepdims=True)).astype(np.float32)


def temperature(probabilities: np.ndarray, labels: np.ndarray) -> float:
  """The temperature at which the labels are most probable, within TEMPERATURES.

  One mistake more than there was is assumed, spread over all classes, as Platt did
  (1999): of a split without any mistake the best temperature would be 0, and every
  answer would be given at 100 %.

  Args:
    probabilities: (N, K), of the network.
    labels: int (N,). Of very many examples some are drawn, always the same.
  """
  if len(labels) > _MOST:
    drawn = np.random.default_rng(0).choice(len(labels), _MOST, replace=False)
    probabilities, labels = probabilities[drawn], labels[drawn]
  number, classes = probabilities.shape
  wrong = 1 / (number + 2)
  sharpness = 1.0  # 1 / temperature; the loss is convex in it
  low, high = 1 / TEMPERATURES[1], 1 / TEMPERATURES[0]
  for _ in range(50):
    slope, curve = 0.0, 0.0
    for rows in _slices(number, classes):
      logits = _logits(probabilities[rows])
      powers = np.exp(sharpness * (logits - logits.max(axis=1, keepdims=True)))
      powers /= powers.sum(axis=1, keepdims=True)
      mean = (powers * logits).sum(axis=1)
      right = logits[np.arange(len(logits)), labels[rows]]
      others = (logits.sum(axis=1) - right) / max(classes - 1, 1)
      slope += float((mean - (1 - wrong) * right - wrong * others).sum())
      curve += float(((powers * logits**2).sum(axis=1) - mean**2).sum())
    # Newton's step, kept between what is known to be too flat and too sharp.
    low, high = (sharpness, high) if slope < 0 else (low, sharpness)
    step = sharpness - slope / curve if curve > 0 else np.nan
    new = step if low < step < high else (low * high) ** 0.5
    if abs(new - sharpness) < 1e-6 * sharpness:
      break
    sharpness = new
  return float(1 / sharpness)


def held_out_error(
  probabilities: np.ndarray, labels: np.ndarray, seed: int = 0
) -> float:
  """The calibration error with temperatures that were fitted on other examples.

  Each half of the examples is scaled by the temperature of the other half.
  """
  order = np.random.default_rng(seed).permutation(len(labels))
  confidence, correct = np.zeros(len(labels)), np.zeros(len(labels), bool)
  half = len(order) // 2
  for here, there in ((order[:half], order[half:]), (order[half:], order[:half])):
    own = scaled(probabilities[here], temperature(probabilities[there], labels[there]))
    confidence[here] = own.max(axis=1)
    correct[here] = own.argmax(axis=1) == labels[here]
  return error(confidence, correct)


def _logits(probabilities: np.ndarray) -> np.ndarray:
  return np.log(np.maximum(np.asarray(probabilities, np.float64), _SMALLEST))


def _slices(number: int, classes: int):
  rows = max(1, _AT_ONCE // classes)
  return (slice(first, first + rows) for first in range(0, number, rows))
