"""What people see of embedded photos: which other one each is nearest to."""

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from mobilenet.reports import csv_file, terminal
from mobilenet.tasks import Shown
from mobilenet.training.errors import require

_MOST_ROWS = 40
_COLUMNS = ('photo', 'nearest', 'cosine')


def show_predictions(
  photos: Sequence[pathlib.Path], predicted: Mapping[str, np.ndarray], shown: Shown
) -> None:
  """See `Task.show_predictions`; `predicted` is what `Embeddings.predictions` gives.

  Prints the nearest of the other photos, with the cosine; writes nearest.csv.
  """
  embeddings = np.asarray(predicted['embedding'])
  require(
    bool(np.isfinite(embeddings).all()),
    f'what the network says of {photos[0]} is no number: its weights are broken, or '
    'they want photos on another scale',
  )
  require(
    len(photos) > 1,
    f'an embedding says which photos are alike, and {photos[0]} is alone: name others',
  )
  cosines = embeddings @ embeddings.T
  np.fill_diagonal(cosines, -np.inf)
  nearest = cosines.argmax(axis=1)
  rows = [
    (str(path), str(photos[n]), round(float(own[n]), 4))
    for path, own, n in zip(photos, cosines, nearest, strict=True)
  ]
  table = terminal.make_table(
    shown.title, [*((column, 'left') for column in _COLUMNS[:2]), ('cosine', 'right')]
  )
  for row in rows[:_MOST_ROWS]:
    terminal.add_row(table, *row[:2], f'{row[2]:.3f}')
  terminal.show(table)
  if len(rows) > _MOST_ROWS:
    print(f'... and {len(rows) - _MOST_ROWS:,} more photos')
  if shown.out is not None:
    print(f'written: {csv_file.write(shown.out / "nearest.csv", _COLUMNS, rows)}')
