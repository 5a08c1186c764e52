"""Everything that an evaluated run leaves for people: tables, figures, predictions."""

import pathlib
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from mobilenet.reports import classes, figures
from mobilenet.training.evaluation import Evaluation

WORST = 20


def write_evaluation(
  folder: pathlib.Path,
  evaluation: Evaluation,
  *,
  class_names: Sequence[str],
  describe: Callable[[int], str],
  batches: Callable[[], Iterable[dict[str, np.ndarray]]],
  show: bool = True,
) -> dict:
  """Writes the per-class report, confusion matrix, predictions and worst mistakes.

  Args:
    folder: where to; made if missing.
    evaluation: with predictions.
    class_names: in the order of the labels.
    describe: index of an example -> its name.
    batches: the evaluation's batches once more, for the images of the mistakes.
    show: whether to print the per-class table.

  Returns:
    The averages over classes, as in `classes.per_class`.

  Raises:
    TrainingError: a file cannot be written.
  """
  kept = evaluation.predictions
  labels, predictions = kept['label'], kept['prediction']
  probabilities = kept['probabilities']
  certainty = probabilities.max(axis=1)
  rows, overall = classes.per_class(labels, predictions, probabilities, class_names)
  classes.write_per_class(folder / 'classes.csv', rows, overall)
  classes.write_predictions(
    folder / 'predictions.csv',
    [describe(int(index)) for index in kept['index']],
    labels,
    predictions,
    certainty,
    class_names=class_names,
  )
  matrix = classes.confusion_matrix(labels, predictions, len(class_names))
  figures.confusion(matrix, class_names, folder / 'confusion.png')
  worst = classes.worst_mistakes(labels, predictions, certainty, WORST)
  images = _images(batches, kept['index'][worst])
  figures.mistakes(
    images,
    [
      figures.mistake_title(class_names[labels[n]], class_names[predictions[n]], p)
      for n, p in zip(worst, certainty[worst], strict=True)
    ],
    folder / 'mistakes.png',
    # Whatever the normalisation was: the range of the images themselves.
    low=np.min(images, initial=0.0) if len(images) else 0.0,
    high=np.max(images, initial=0.0) if len(images) else 1.0,
  )
  if show:
    classes.print_per_class(rows, overall)
  return overall


def _images(batches, indexes: np.ndarray) -> list[np.ndarray]:
  """The images of some examples, in the order of `indexes`."""
  wanted, found = set(indexes.tolist()), {}
  if wanted:
    for batch in batches():
      for row in np.flatnonzero(np.isin(batch['index'], indexes)):
        found[int(batch['index'][row])] = np.array(batch['image'][row])
      if len(found) == len(wanted):
        break
  return [found[int(index)] for index in indexes]
