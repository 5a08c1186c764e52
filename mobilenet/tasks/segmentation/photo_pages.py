"""What people see of segmented photos: shares, masks as PNG, and coloured pictures."""

import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from input_pipeline import photos as photo_files
from mobilenet.reports import counter, csv_file, page, pictures, terminal
from mobilenet.tasks import Shown
from mobilenet.tasks.segmentation import label_map
from mobilenet.training import files
from mobilenet.training.errors import require
from mobilenet.weights.class_names import display_name

PAGE = 'predictions.html'
SIDE = 640  # px of a picture on the page
_MOST_PICTURES = 200
_MOST_ROWS = 40
_LEAST_SHARE = 0.005  # of a picture, of a class that is printed


def show_predictions(
  photos: Sequence[pathlib.Path], predicted: Mapping[str, np.ndarray], shown: Shown
) -> None:
  """See `Task.show_predictions`; `predicted` is what `Segmentation.predictions` gives.

  For each photo `<name>-mask.png`, of the photo's own size, and `<name>-classes.jpg`;
  and predictions.csv with the share of each class.
  """
  logits = np.asarray(predicted['logits'])
  require(
    bool(np.isfinite(logits).all()),
    f'what the network says of {photos[0]} is no number: its weights are broken, or '
    'they want photos on another scale',
  )
  names = [display_name(name) for name in shown.outputs]
  plain = label_map.background(shown.outputs)
  rows, drawings, taken = [], [], set()
  with counter.counting(len(photos), 'photos') as advance:
    for path, each in zip(photos, logits, strict=True):
      photo = photo_files.read_photo(path)
      window = photo_files.seen_window(photo.shape, shown.ops)
      labels = label_map.on_picture(each, window, photo.shape)
      counts = np.bincount(labels.ravel(), minlength=256)[: len(names)]
      rows.append(counts / max(counts.sum(), 1))
      if shown.out is not None:
        stem = pictures.free_stem(path.stem, taken)
        drawn = label_map.over(photo, labels, plain=plain)
        files.replace_file(shown.out / f'{stem}-mask.png', label_map.coloured(labels))
        files.replace_file(
          shown.out / f'{stem}-classes.jpg', page.thumbnail(drawn, max(drawn.shape))
        )
        if len(drawings) < _MOST_PICTURES:
          caption = f'{path.name}: {_said(rows[-1], names)}'
          drawings.append(page.picture(drawn, caption, side=SIDE))
      advance(1)
  _print(photos, rows, names, shown.title)
  if shown.out is None:
    print('note: --out=FOLDER writes the masks and draws them')
    return
  made = page.Page('Predictions', shown.title)
  if len(photos) > len(drawings):
    line = f'The first {len(drawings):,} of {len(photos):,} photos.'
    made.section('Not all', page.notice('note', line))
  made.section('Photos', page.gallery(drawings, size='large'))
  table = (
    [str(path), *(round(float(share), 5) for share in row)]
    for path, row in zip(photos, rows, strict=True)
  )
  written = (
    csv_file.write(shown.out / 'predictions.csv', ('photo', *shown.outputs), table),
    made.write(shown.out / PAGE),
  )
  for path in written:
    print(f'written: {path}')
  print(f'written: {2 * len(photos):,} pictures in {shown.out}')


def _print(photos, rows, names: Sequence[str], title: str) -> None:
  columns = [('photo', 'left'), ('share of the picture', 'left')]
  table = terminal.make_table(title, columns)
  for path, row in list(zip(photos, rows, strict=True))[:_MOST_ROWS]:
    terminal.add_row(table, path, _said(row, names))
  terminal.show(table)
  if len(photos) > _MOST_ROWS:
    print(f'... and {len(photos) - _MOST_ROWS:,} more photos')


def _said(shares: np.ndarray, names: Sequence[str]) -> str:
  """'nucleus 12.4 %, background 87.6 %', the largest first, without specks."""
  order = [n for n in np.argsort(-shares, kind='stable') if shares[n] >= _LEAST_SHARE]
  return ', '.join(f'{names[n]} {100 * shares[n]:.1f} %' for n in order)
