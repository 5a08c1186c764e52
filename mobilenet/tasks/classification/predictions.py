"""A network's predictions of photos: the most probable classes, printed and written.

predictions = top_predictions(photos, probabilities, class_names, k=5)
print_predictions(predictions, answers)
write_predictions('runs/mine/predictions', predictions, answers, columns)
"""

import json
import os
import pathlib
import typing
from collections.abc import Mapping, Sequence

import numpy as np
import rich.console

from mobilenet.reports import amounts, csv_file, terminal
from mobilenet.training import files
from mobilenet.training.errors import require
from mobilenet.weights import class_names as readable

CSV_FILE = 'predictions.csv'
JSON_FILE = 'predictions.json'
CSV_COLUMNS = ('photo', 'rank', 'class', 'name', 'probability')


class Prediction(typing.NamedTuple):
  """One of the most probable classes of one photo."""

  photo: str
  rank: int  # from 1, the most probable
  class_name: str  # as the data or the weights name it, 'n02123045'
  name: str  # for a person, 'tabby'
  probability: float


def top_predictions(
  photos: Sequence[str | os.PathLike],
  probabilities: np.ndarray,
  class_names: Sequence[str],
  k: int = 5,
) -> list[Prediction]:
  """The k most probable classes of every photo, photo by photo.

  Args:
    photos: N names.
    probabilities: (N, K).
    class_names: K names.
    k: classes per photo; K at most.

  Raises:
    TrainingError: k is below 1, there are more or fewer names than classes, or a
      photo's probabilities are not numbers.
  """
  probabilities = np.asarray(probabilities)
  classes = probabilities.shape[1]
  require(k >= 1, f'the top {k} classes were asked for; it must be at least 1')
  require(
    classes == len(class_names),
    f'the network tells {classes} classes apart, but {len(class_names)} are named',
  )
  predictions = []
  for photo, row in zip(photos, probabilities, strict=True):
    photo = _text(photo)
    require(
      bool(np.isfinite(row).all()),
      f'the probabilities of {photo} are not numbers: the weights are broken, or they '
      'want photos on another scale',
    )
    # Stable, so that the first of equal classes comes first.
    for rank, label in enumerate(np.argsort(-row, kind='stable')[:k], 1):
      name = str(class_names[label])
      predictions.append(
        Prediction(photo, rank, name, readable.display_name(name), float(row[label]))
      )
  return predictions


def _text(photo) -> str:
  """The name of a photo, with escapes for bytes that are not UTF-8."""
  return os.fspath(photo).encode('utf-8', 'backslashreplace').decode()


def print_predictions(
  predictions: Sequence[Prediction],
  answers: Sequence[str] | None = None,
  *,
  title: str = 'predictions',
  most_photos: int = 200,
  console: rich.console.Console | None = None,
) -> None:
  """Prints a table; beyond `most_photos`, says how many it leaves out.

  Args:
    predictions: photo by photo.
    answers: what each photo is said to show, if that may be another than its most
      probable class; None: it is that class.
    title: of the table.
    most_photos: in the table.
    console: where to print; standard output by default.
  """
  table = terminal.make_table(
    title, [('photo', 'left'), ('class', 'left'), ('probability', 'right')]
  )
  several = any(prediction.rank > 1 for prediction in predictions)
  shown = 0
  for prediction in predictions:
    first = prediction.rank == 1
    shown += first
    if shown > most_photos:
      break
    if first and shown > 1 and several:
      table.add_section()
    terminal.add_row(
      table,
      prediction.photo if first else '',
      _told(prediction, answers and answers[shown - 1]),
      amounts.share(prediction.probability, 2),
      style='bold' if first else None,
    )
  console = console or rich.console.Console()
  terminal.show(table, console)
  left_out = sum(prediction.rank == 1 for prediction in predictions) - most_photos
  if left_out > 0:
    console.print(f'and {left_out:,} more photos')


def _told(prediction: Prediction, answer: str | None) -> str:
  """The name; in the first row of a photo with another answer both."""
  if prediction.rank > 1 or answer is None or answer == prediction.class_name:
    return prediction.name
  return f'{answer} ({prediction.name})'


def all_columns(
  probabilities: np.ndarray, class_names: Sequence[str]
) -> dict[str, list[str]]:
  """Columns 'probability of ...' of all photos, for a CSV."""
  return {
    f'probability of {name}': [f'{value:.6f}' for value in column]
    for name, column in zip(class_names, np.asarray(probabilities).T, strict=True)
  }


def write_all(
  path: str | os.PathLike,
  photos: Sequence[str | os.PathLike],
  columns: Mapping[str, Sequence[str]],
) -> pathlib.Path:
  """Writes one row per photo with these columns, UTF-8.

  Raises:
    TrainingError: the file cannot be written.
  """
  rows = zip(map(_text, photos), *columns.values(), strict=True)
  return csv_file.write(path, ('photo', *columns), rows)


def write_predictions(
  folder: str | os.PathLike,
  predictions: Sequence[Prediction],
  answers: Mapping[str, Sequence[str]] | None = None,
  columns: Mapping[str, Sequence[str]] | None = None,
) -> tuple[pathlib.Path, pathlib.Path]:
  """Writes predictions.csv and predictions.json, UTF-8, each whole or not at all.

  The CSV has the columns photo, rank, class, name, probability; the JSON is a list of
  {photo, predictions: [{class, name, probability}]}, the most probable first.

  Args:
    folder: made if missing.
    predictions: photo by photo.
    answers: by name, what else is said of each photo: in both files.
    columns: by name, more of each photo: in the CSV alone.

  In the CSV both are filled in the first row of a photo, that of rank 1.

  Returns:
    The paths of both.

  Raises:
    TrainingError: a file cannot be written.
  """
  rows, photos = [], []
  answers, more = answers or {}, {**(answers or {}), **(columns or {})}
  for photo, rank, class_name, name, probability in predictions:
    probability = round(probability, 6)
    rest = [''] * len(more)
    if rank == 1:
      place = len(photos)
      rest = [values[place] for values in more.values()]
      said = {name: values[place] for name, values in answers.items()}
      photos.append({'photo': photo, **said, 'predictions': []})
    rows.append([photo, rank, class_name, name, f'{probability:.6f}', *rest])
    photos[-1]['predictions'].append(
      {'class': class_name, 'name': name, 'probability': probability}
    )
  folder = pathlib.Path(folder)
  as_json = json.dumps(photos, indent=2, ensure_ascii=False) + '\n'
  return (
    csv_file.write(folder / CSV_FILE, (*CSV_COLUMNS, *more), rows),
    files.replace_file(folder / JSON_FILE, as_json.encode()),
  )
