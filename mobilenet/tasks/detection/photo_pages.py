"""What people see of photos with objects: counts, files, and drawn boxes."""

import collections
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from input_pipeline import photos as photo_files
from mobilenet.reports import counter, page, pictures, terminal
from mobilenet.tasks import Shown
from mobilenet.tasks.detection import drawing, results_file, score_file
from mobilenet.training import files
from mobilenet.training.errors import require
from mobilenet.weights.class_names import display_name

PAGE = 'predictions.html'
_MOST_PICTURES = 400  # of the page
_MOST_ROWS = 40  # of the printed table


def show_predictions(
  photos: Sequence[pathlib.Path], predicted: Mapping[str, np.ndarray], shown: Shown
) -> None:
  """See `Task.show_predictions`; `predicted` is what `Detection.predictions` gives."""
  boxes, scores, classes = (
    np.asarray(predicted[f'found_{name}']) for name in ('boxes', 'scores', 'classes')
  )
  require(
    bool(np.isfinite(scores).all() and np.isfinite(boxes).all()),
    f'what the network says of {photos[0]} is no number: its weights are broken, or '
    'they want photos on another scale',
  )
  least, why = _least_score(shown)
  names = [display_name(name) for name in shown.outputs]
  _print(photos, scores, classes, names, least, f'{shown.title}; {why}')
  if shown.out is None:
    print('note: --out=FOLDER writes the boxes and draws them')
    return
  sizes, drawings, taken = [], [], set()
  with counter.counting(len(photos), 'photos drawn') as advance:
    for n, path in enumerate(photos):
      photo = photo_files.read_photo(path)
      sizes.append(photo.shape[:2])
      there = np.flatnonzero(scores[n] >= least)
      labels = [f'{names[classes[n, d]]} {100 * scores[n, d]:.0f} %' for d in there]
      drawn = drawing.draw(photo, boxes[n, there], classes[n, there], labels)
      target = shown.out / f'{pictures.free_stem(path.stem, taken)}-boxes.jpg'
      files.replace_file(target, page.thumbnail(drawn, max(drawn.shape)))
      if n < _MOST_PICTURES:
        caption = f'{path.name}: {_counted(classes[n, there], names)}'
        drawings.append(page.picture(drawn, caption, side=drawing.SIDE))
      advance(1)
  found = results_file.Detections(
    [str(path) for path in photos],
    np.array(sizes),
    boxes,
    scores,
    classes,
    shown.outputs,
  )
  records = found.records(least)
  made = page.Page('Predictions', f'{shown.title}; {why}')
  if len(photos) > len(drawings):
    line = f'The first {len(drawings):,} of {len(photos):,} photos.'
    made.section('Not all', page.notice('note', line))
  made.section('Photos', page.gallery(drawings, size='large'))
  written = (
    results_file.write_csv(shown.out / 'predictions.csv', records),
    results_file.write_json(shown.out / 'predictions.json', records),
    made.write(shown.out / PAGE),
  )
  for path in written:
    print(f'written: {path}')
  print(f'written: {len(photos):,} pictures in {shown.out}')


def _least_score(shown: Shown) -> tuple[float, str]:
  if shown.score is not None:
    return shown.score, f'scores from {shown.score:g}'
  chosen = None
  if shown.run is not None:
    chosen = score_file.read(shown.run.folder, shown.run.step)
  elif shown.decision:
    chosen = shown.decision.get('score')
  if chosen is not None:
    return chosen, f"scores from {chosen:.3g}, the report's choice"
  return score_file.DEFAULT, f'scores from {score_file.DEFAULT:g}, which nobody chose'


def _print(photos, scores, classes, names, least: float, title: str) -> None:
  table = terminal.make_table(title, [('photo', 'left'), ('found', 'left')])
  for n, path in enumerate(photos[:_MOST_ROWS]):
    there = scores[n] >= least
    terminal.add_row(table, path, _counted(classes[n][there], names))
  terminal.show(table)
  total = collections.Counter(classes[scores >= least].tolist())
  if len(photos) > _MOST_ROWS:
    print(f'... and {len(photos) - _MOST_ROWS:,} more photos')
  print(f'{len(photos):,} photos: {_said(total, names)}')


def _counted(classes: np.ndarray, names: Sequence[str]) -> str:
  """'2 dog, 1 person', the most frequent first."""
  return _said(collections.Counter(classes.tolist()), names)


def _said(counts: collections.Counter, names: Sequence[str]) -> str:
  parts = (f'{count:,} {names[number]}' for number, count in counts.most_common())
  return ', '.join(parts) or 'nothing'
