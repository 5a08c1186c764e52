"""The report of a segmenter: files of numbers, and the page's sections."""

import json
import math

import numpy as np

import input_pipeline
from input_pipeline import photos as photo_files
from mobilenet.reports import amounts, canvas, csv_file, page, pictures, terminal
from mobilenet.tasks import Evaluated, Written
from mobilenet.tasks.segmentation import figures, label_map, overlap
from mobilenet.training import files, logs

WORST = 8  # pictures
SIDE = 480  # px of one of the three beside each other
_MOST_ROWS = 200


def write_report(evaluated: Evaluated) -> Written:
  """Writes classes.csv, pictures.csv, confusion.json and confusion.png.

  Raises:
    TrainingError: a file cannot be written.
  """
  folder, names = evaluated.folder, evaluated.outputs
  kept = evaluated.evaluation.predictions
  each = kept['confusion']
  matrix = overlap.total(each)
  rows = _by_class(matrix, names)
  csv_file.write_records(folder / 'classes.csv', rows)
  scores = np.array([overlap.mean(own) for own in overlap.iou(each)])
  described = [evaluated.examples.describe(int(index)) for index in kept['index']]
  csv_file.write(
    folder / 'pictures.csv',
    ('photo', 'mIoU'),
    (
      (name, None if math.isnan(score) else round(100 * float(score), 3))
      for name, score in zip(described, scores, strict=True)
    ),
  )
  said = {'classes': list(map(str, names)), 'pixels': matrix.tolist()}
  files.replace_file(
    folder / 'confusion.json', (json.dumps(logs.to_json(said)) + '\n').encode()
  )
  drawn = figures.confusion(matrix, canvas.drawable(names))
  canvas.save_png(drawn, folder / 'confusion.png')
  sections = [
    _in_short(evaluated, matrix),
    ('Each class', [_table(rows), page.text('All numbers in %.')]),
    (
      'What is taken for what',
      [page.figure(drawn, 'Of the pixels of a class (rows), what they are taken for')],
    ),
    ('Where it fails', _worst(evaluated, kept, scores)),
  ]
  _print(rows)
  return Written({}, sections)


def _by_class(matrix: np.ndarray, names) -> list[dict]:
  """A record for each class, in %; None where there is nothing to measure."""
  iou, recall = overlap.iou(matrix), overlap.recall(matrix)
  predicted = matrix.sum(0)
  right = np.diagonal(matrix)
  total = max(int(matrix.sum()), 1)
  rows = []
  for n, name in enumerate(names):
    precision = 100 * right[n] / predicted[n] if predicted[n] else None
    rows.append(
      {
        'class': str(name),
        'share': 100 * float(matrix[n].sum()) / total,
        'IoU': _known(100 * iou[n]),
        'recall': _known(100 * recall[n]),
        'precision': precision if precision is None else float(precision),
      }
    )
  return rows


def _known(value: float) -> float | None:
  return None if math.isnan(value) else float(value)


def _in_short(evaluated: Evaluated, matrix: np.ndarray):
  metrics = evaluated.evaluation.metrics
  headline = [
    (amounts.percent(metrics['mIoU']), 'mean IoU of the classes'),
    (amounts.percent(metrics['pixel_accuracy']), 'of the pixels are right'),
    (f'{evaluated.evaluation.count:,}', 'pictures'),
  ]
  parts = [page.headline(headline)]
  missing = [
    str(name)
    for name, there in zip(evaluated.outputs, matrix.sum(1), strict=True)
    if not there
  ]
  if missing:
    shown = ', '.join(missing[:5]) + (', ...' if len(missing) > 5 else '')
    line = f'No evaluated pixel is of {shown}: the mean says nothing of them.'
    parts.append(page.notice('warning', line))
  if evaluated.chose:
    line = 'These pictures chose the weights: on new ones expect less.'
    parts.append(page.notice('note', line))
  return 'In short', parts


def _table(rows):
  columns = ('class', 'share', 'IoU', 'recall', 'precision')
  shown = [
    [row['class'], *(amounts.number(row[name]) for name in columns[1:])]
    for row in rows[:_MOST_ROWS]
  ]
  return page.table(('class', 'share of the pixels', *columns[2:]), shown)


def _worst(evaluated: Evaluated, kept, scores: np.ndarray):
  """The pictures of the lowest mean IoU: as they are, what is there, what was seen."""
  order = np.argsort(np.where(np.isnan(scores), np.inf, scores), kind='stable')
  places = [int(n) for n in order[:WORST] if not math.isnan(scores[n])]
  if not places or evaluated.run is None:
    return []
  indexes = kept['index'][places]
  ops = input_pipeline.parse_ops(evaluated.ops['evaluation'], 'eval')
  masks = dict(evaluated.examples.masks(indexes))
  by_index = {int(kept['index'][n]): n for n in places}
  plain = label_map.background(evaluated.outputs)
  shown = {}
  for index, picture in evaluated.examples.pictures(indexes):
    image = photo_files.prepare(picture, ops)
    logits = np.asarray(
      evaluated.run.model.apply(evaluated.run.variables, image[None])
    )[0]
    window = photo_files.seen_window(picture.shape, ops)
    seen = label_map.on_picture(logits, window, picture.shape)
    halves = (
      picture,
      label_map.over(picture, masks[index], plain=plain),
      label_map.over(picture, seen, plain=plain),
    )
    shown[by_index[int(index)]] = pictures.beside(
      [pictures.smaller(half, SIDE) for half in halves], 6
    )
  drawings = []
  for n in places:
    name = evaluated.examples.describe(int(kept['index'][n]))
    caption = f'mean IoU {100 * scores[n]:.1f} %: {name}'
    drawings.append(page.picture(shown[n], caption, side=3 * SIDE))
  legend = 'From left to right: the picture, its mask, what was predicted.'
  return [page.text(legend), *drawings]


def _print(rows) -> None:
  columns = [('class', 'left'), ('share', 'right'), ('IoU', 'right')]
  columns += [('recall', 'right'), ('precision', 'right')]
  table = terminal.make_table('Each class, in %', columns)
  for row in rows[:_MOST_ROWS]:
    cells = (amounts.number(row[c]) for c in ('share', 'IoU', 'recall', 'precision'))
    terminal.add_row(table, row['class'], *cells)
  terminal.show(table)
