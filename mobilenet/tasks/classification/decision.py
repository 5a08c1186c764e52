"""How a run's predictions are to be read: `decision.json` in its folder.

    {"temperature": 1.31, "accept": 0.42, "positive": "", "threshold": null,
     "of": "val", "num_examples": 736, "step": 1840}

It is chosen from the evaluation split when the training ends. `predict` divides logits
by the temperature, answers NONE below `accept`, and of two classes flags photos from
`threshold` on. The class of a photo stays the most probable one, as in evaluation.
"""

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mobilenet.tasks.classification import calibration, thresholds
from mobilenet.training import files
from mobilenet.training.errors import TrainingError

FILE = 'decision.json'
NONE = 'none of these'
FEWEST = 30  # examples that a temperature and a threshold are chosen from


@dataclasses.dataclass(frozen=True)
class Decision:
  """temperature: of the logits.

  accept: the confidence, at that temperature, below which a photo is NONE.
  positive, threshold: of two classes the one that is looked for, and the probability
    from which a photo is flagged (best balanced accuracy); '' and None otherwise.
  of: the split that it was chosen on. num_examples: of that split. step: of the weights
    that it belongs to.
  """

  temperature: float
  accept: float
  positive: str
  threshold: float | None
  of: str
  num_examples: int
  step: int


def decide(
  probabilities: np.ndarray,
  labels: np.ndarray,
  names: Sequence[str],
  *,
  positive: int,
  accept_share: float,
  split: str,
  step: int,
) -> Decision | str:
  """The decision of evaluated examples, or why there is none.

  Args:
    probabilities: (N, K), of the network.
    labels: int (N,).
    names: K class names.
    positive: place of the positive class, if there are two.
    accept_share: of the examples that are named rightly, the share that stays accepted.
    split, step: see `Decision`.
  """
  number = len(labels)
  if number < FEWEST:
    return (
      f'{number} evaluation photos are too few to choose a temperature and a threshold '
      f'from; it takes {FEWEST}'
    )
  correct = probabilities.argmax(axis=1) == labels
  if not correct.any():
    return 'no evaluation photo is named rightly'
  temperature = calibration.temperature(probabilities, labels)
  scaled = calibration.scaled(probabilities, temperature)
  threshold = None
  is_positive = labels == positive
  if len(names) == 2 and is_positive.any() and not is_positive.all():
    threshold = thresholds.best_balanced(is_positive, scaled[:, positive])
  return Decision(
    temperature=temperature,
    accept=accepting(scaled.max(axis=1)[correct], accept_share),
    positive=str(names[positive]) if len(names) == 2 else '',
    threshold=threshold,
    of=split,
    num_examples=number,
    step=step,
  )


def answers(
  probabilities: np.ndarray, names: Sequence[str], made: Decision | None
) -> dict[str, list[str]]:
  """What each photo is said to show: 'answer', and of two classes 'flagged'.

  Args:
    probabilities: (N, K), at the decision's temperature.
    names: K class names.
    made: None: the most probable class.
  """
  top = probabilities.argmax(axis=1)
  if made is None:
    return {'answer': [str(names[place]) for place in top]}
  sure = np.asarray(probabilities.max(axis=1), np.float64) >= made.accept
  said = [
    str(names[place]) if ok else NONE for place, ok in zip(top, sure, strict=True)
  ]
  found = {'answer': said}
  if made.threshold is not None:
    scores = np.asarray(probabilities[:, list(names).index(made.positive)], np.float64)
    flagged = scores >= made.threshold
    found['flagged'] = [made.positive if each else '' for each in flagged]
  return found


def described(made: Decision) -> str:
  """How predictions are read, for a heading."""
  said = f'temperature {made.temperature:.3g}, "{NONE}" below {100 * made.accept:.1f} %'
  if made.threshold is not None:
    said += f', flagged as {made.positive} from {100 * made.threshold:.1f} % on'
  return f'{said} (chosen on {made.of}, {made.num_examples:,} examples)'


def accepting(confidence: np.ndarray, share: float) -> float:
  """The highest threshold that a share of these confidences (N,) reaches."""
  below = int(np.floor((1 - share) * len(confidence) + 1e-9))
  return float(np.sort(confidence)[min(below, len(confidence) - 1)])


def write(folder: str | os.PathLike, made: Decision) -> pathlib.Path:
  """Writes the file into the run's folder, whole or not at all.

  Raises:
    TrainingError: it cannot be written.
  """
  text = json.dumps(dataclasses.asdict(made), indent=2, ensure_ascii=False) + '\n'
  return files.replace_file(pathlib.Path(folder) / FILE, text.encode())


def remove(folder: str | os.PathLike) -> None:
  """Removes one that was made of other weights.

  Raises:
    TrainingError: it cannot be removed.
  """
  path = pathlib.Path(folder) / FILE
  try:
    path.unlink(missing_ok=True)
  except OSError as error:
    raise files.write_error(path, error) from error


def read(folder: str | os.PathLike, step: int, names: Sequence[str]) -> Decision | None:
  """The decision of a run's weights; None where there is none.

  One of another step is passed over, with a line: a run that is being lengthened has
  newer weights than its last decision.

  Raises:
    TrainingError: the file cannot be read, or is not a decision about these classes.
  """
  path = pathlib.Path(folder) / FILE
  try:
    said = json.loads(path.read_text(encoding='utf-8'))
    made = Decision(**said)
    _check(made, names)
  except FileNotFoundError:
    return None
  except OSError as error:
    raise files.read_error(path, error) from error
  except (ValueError, TypeError) as error:
    raise TrainingError(
      f'{path} is not as training wrote it ({error}); remove it to go on without, or '
      'run the training command again, which writes it'
    ) from error
  if made.step != step:
    print(
      f'note: {path} belongs to step {made.step} and is not used for the weights of '
      f'step {step}'
    )
    return None
  return made


def _check(made: Decision, names: Sequence[str]) -> None:
  for field, allowed in (
    ('temperature', _is_within(*calibration.TEMPERATURES)),
    ('accept', _is_within(0, 1)),
    ('threshold', lambda value: value is None or _is_within(0, 1)(value)),
    ('of', lambda value: isinstance(value, str)),
    ('num_examples', _is_count),
    ('step', _is_count),
  ):
    value = getattr(made, field)
    if not allowed(value):
      raise ValueError(f'{field} is {value!r}')
  known = (*names, '') if made.threshold is None else names
  if made.positive not in known:
    raise ValueError(f'positive is {made.positive!r}, which is no class of the run')


def _is_within(low: float, high: float) -> Callable[[Any], bool]:
  # For Python, true is a number.
  return lambda value: type(value) in (int, float) and low <= value <= high


def _is_count(value: Any) -> bool:
  return type(value) is int and value >= 0
