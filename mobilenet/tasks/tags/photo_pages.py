"""What people see of photos and their tags: a table, a CSV, and a page with them."""

import pathlib
from collections.abc import Sequence

import numpy as np

from input_pipeline import photos as photo_files
from mobilenet.reports import counter, csv_file, page, terminal
from mobilenet.tasks import Shown
from mobilenet.tasks.tags import scoring, threshold_file
from mobilenet.training.errors import require
from mobilenet.weights.class_names import display_name

PAGE, TABLE = 'predictions.html', 'predictions.csv'
NONE = 'no tag'
_MOST_PICTURES = 400  # of the page: about 3 MB
_MOST_ROWS = 40  # of the printed table
_SIDE = 160  # px


def show_predictions(
  photos: Sequence[pathlib.Path], logits: np.ndarray, shown: Shown
) -> None:
  """See `Task.show_predictions`; logits are (N, K)."""
  require(
    not shown.activation,
    '--cam draws where one class is seen, and a photo has many tags: leave it out',
  )
  logits = np.asarray(logits)
  finite = np.isfinite(logits).all(axis=1)
  require(
    bool(finite.all()),
    f'what the network says of {photos[int(np.argmin(finite))]} is no number: its '
    'weights are broken, or they want photos on another scale',
  )
  thresholds, why = _thresholds(shown)
  shares = scoring.probabilities(logits)
  names = [display_name(name) for name in shown.outputs]
  above = shares >= thresholds
  said = [_said(*row, names, shown.top) for row in zip(shares, above, strict=True)]
  title = f'{shown.title}; {why}'
  _print(photos, said, above, names, title)
  if shown.out is None:
    return
  rows = [
    [
      str(path),
      '|'.join(str(shown.outputs[n]) for n in np.flatnonzero(own)),
      *(f'{share:.6f}' for share in each),
    ]
    for path, own, each in zip(photos, above, shares, strict=True)
  ]
  columns = ['photo', 'tags', *map(str, shown.outputs)]
  for path in (
    csv_file.write(shown.out / TABLE, columns, rows),
    _write_page(shown.out / PAGE, photos, said, title),
  ):
    print(f'written: {path}')


def _thresholds(shown: Shown) -> tuple[np.ndarray, str]:
  """(K,), and where they are from."""
  count, chosen = len(shown.outputs), None
  if shown.score is not None:
    return np.full(count, shown.score), f'probabilities from {shown.score:g}'
  if shown.run is not None:
    chosen = threshold_file.read(shown.run.folder, shown.run.step, shown.outputs)
  elif shown.decision:
    chosen = shown.decision.get('thresholds')
  if chosen is not None:
    return np.array(chosen), "from each tag's threshold, the report's choice"
  default = scoring.DEFAULT
  return np.full(count, default), f'from {default:g}, which nobody chose'


def _said(shares: np.ndarray, above: np.ndarray, names, top: int) -> str:
  """'red 98 %, round 71 %', the most probable first."""
  places = np.flatnonzero(above)
  places = places[np.argsort(-shares[places], kind='stable')]
  parts = [f'{names[n]} {100 * shares[n]:.0f} %' for n in places[:top]]
  more = f' and {len(places) - top} more' if len(places) > top else ''
  return ', '.join(parts) + more or NONE


def _print(photos, said, above: np.ndarray, names, title: str) -> None:
  table = terminal.make_table(title, [('photo', 'left'), ('tags', 'left')])
  for path, line in zip(photos[:_MOST_ROWS], said, strict=False):
    terminal.add_row(table, path, line)
  terminal.show(table)
  if len(photos) > _MOST_ROWS:
    print(f'... and {len(photos) - _MOST_ROWS:,} more photos')
  counts = above.sum(axis=0)
  order = [n for n in np.argsort(-counts, kind='stable') if counts[n]]
  told = ', '.join(f'{counts[n]:,} {names[n]}' for n in order) or NONE
  print(f'{len(photos):,} photos: {told}')


def _write_page(path, photos, said, title: str) -> pathlib.Path:
  made = page.Page('Predictions', title)
  drawn = []
  taken = photos[:_MOST_PICTURES]
  with counter.counting(len(taken), 'thumbnails') as advance:
    for photo, line in zip(taken, said, strict=False):
      small = page.thumbnail(photo_files.read_small(photo, _SIDE), _SIDE)
      drawn.append(page.jpeg(small, f'{line}: {photo.name}'))
      advance(1)
  if len(photos) > len(taken):
    line = f'The first {len(taken):,} of {len(photos):,} photos; all are in {TABLE}.'
    made.section('Not all', page.notice('note', line))
  made.section('Photos', page.gallery(drawn))
  return made.write(path)
