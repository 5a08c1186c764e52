"""What people see of photos that an embedding network was given: which are alike."""

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from mobilenet.reports import page
from mobilenet.tasks import Shown
from mobilenet.tasks.embeddings import look_alikes
from mobilenet.training.errors import require

PAGE = 'predictions.html'


def show_predictions(
  photos: Sequence[pathlib.Path], predicted: Mapping[str, np.ndarray], shown: Shown
) -> None:
  """See `Task.show_predictions`; `predicted` has 'embedding' (N, E)."""
  require(
    len(photos) > 1,
    'an embedding tells which photos are alike: name two or more, or a folder '
    '(--job=embed writes the numbers)',
  )
  names = [str(path) for path in photos]
  alike = look_alikes.find(
    names, np.asarray(predicted['embedding']), neighbours=shown.top
  )
  look_alikes.show(alike, shown.title)
  if shown.out is None:
    print('note: --out=FOLDER writes the neighbours and draws them')
    return
  made = page.Page('Which photos are alike', shown.title)
  look_alikes.add_sections(made, alike, photos)
  written = (
    look_alikes.write_neighbours(shown.out / look_alikes.NEIGHBOURS, alike),
    made.write(shown.out / PAGE),
  )
  for path in written:
    print(f'written: {path}')
