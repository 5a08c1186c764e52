"""What people see of a classification: a run's report, predictions of photos."""

import pathlib
from collections.abc import Sequence

import numpy as np

from input_pipeline import photos as photo_files
from mobilenet.reports import canvas
from mobilenet.tasks import Examples, Shown
from mobilenet.tasks.classification import activation_map, classes, figures, predictions
from mobilenet.training.evaluation import Evaluation
from mobilenet.weights.class_names import display_name

WORST = 20


def write_report(
  folder: pathlib.Path,
  evaluation: Evaluation,
  class_names: Sequence[str],
  examples: Examples,
  *,
  show: bool = True,
) -> dict[str, float]:
  """Writes the per-class report, confusion matrix, predictions and worst mistakes.

  All but the predictions are of the examples that have a label. Where none has one the
  predictions are written alone, and a line says so.

  Args:
    folder: where the files go; made if missing.
    evaluation: with predictions.
    class_names: in the order of the labels.
    examples: of the evaluation.
    show: whether to print the per-class table.

  Returns:
    'balanced_accuracy' in percent; nothing where no example has a label.

  Raises:
    TrainingError: a file cannot be written.
  """
  kept = evaluation.predictions
  path = classes.write_predictions(
    folder / 'predictions.csv',
    [examples.describe(int(index)) for index in kept['index']],
    kept['label'],
    kept['prediction'],
    kept['probabilities'].max(axis=1),
    class_names=class_names,
  )
  labelled = kept['label'] >= 0
  if not labelled.all():
    print(f'note: {_lacking(labelled)}; what the network says of all: {path}')
    kept = {name: values[labelled] for name, values in kept.items()}
  if not labelled.any():
    return {}
  labels, predicted = kept['label'], kept['prediction']
  probabilities = kept['probabilities']
  certainty = probabilities.max(axis=1)
  rows, overall = classes.per_class(labels, predicted, probabilities, class_names)
  classes.write_per_class(folder / 'classes.csv', rows, overall)
  matrix = classes.confusion_matrix(labels, predicted, len(class_names))
  drawn = canvas.drawable(class_names)
  figures.confusion(matrix, drawn, folder / 'confusion.png')
  worst = classes.worst_mistakes(labels, predicted, certainty, WORST)
  images = examples.pictures(kept['index'][worst])
  figures.mistakes(
    images,
    [
      figures.mistake_title(
        drawn[labels[n]],
        drawn[predicted[n]],
        certainty[n],
        examples.describe(int(kept['index'][n])),
      )
      for n in worst
    ],
    folder / 'mistakes.png',
  )
  if show:
    classes.print_per_class(rows, overall)
  return {'balanced_accuracy': 100 * overall['balanced_accuracy']}


def _lacking(labelled: np.ndarray) -> str:
  number = len(labelled)
  if not labelled.any():
    return f'none of these {number:,} examples has a label, so nothing can be measured'
  lacking = number - np.count_nonzero(labelled)
  return (
    f'{lacking:,} of these {number:,} examples have no label and count in no number'
  )


def show_predictions(
  photos: Sequence[pathlib.Path], probabilities: np.ndarray, shown: Shown
) -> None:
  """See `Task.show_predictions`; probabilities are (N, K)."""
  found = predictions.top_predictions(photos, probabilities, shown.outputs, shown.top)
  predictions.print_predictions(found, title=shown.title)
  if shown.out is None:
    return
  for path in predictions.write_predictions(shown.out, found):
    print(f'written: {path}')
  if shown.activation:
    _draw_activations(photos, probabilities, shown)


def _draw_activations(photos, probabilities: np.ndarray, shown: Shown) -> None:
  """Draws one picture per photo, of where its most probable class is seen."""
  taken = set()
  names = canvas.drawable([display_name(name) for name in shown.outputs])
  for path, row in zip(photos, probabilities, strict=True):
    photo, label = photo_files.read_photo(path), int(np.argmax(row))
    image = photo_files.prepare(photo, shown.ops)
    heat = activation_map.activation_maps(
      shown.model, shown.variables, image[None], [label]
    )[0]
    name, number = f'{path.stem}-cam.png', 1
    while name in taken:  # photos of the same name in different folders
      name, number = f'{path.stem}-{number}-cam.png', number + 1
    taken.add(name)
    activation_map.activation_picture(
      shown.out / name,
      photo,
      photo_files.seen_window(photo.shape, shown.ops),
      heat,
      f'{names[label]}, {100 * row[label]:.1f} %',
    )
  print(f'written: {len(taken)} pictures in {shown.out}')
