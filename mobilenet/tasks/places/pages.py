"""The report of places: files of numbers, maps, and the page's sections."""

from typing import NamedTuple

import numpy as np

from input_pipeline import cells
from mobilenet.reports import amounts, canvas, csv_file, page, terminal
from mobilenet.tasks import Evaluated, Written
from mobilenet.tasks.classification import intervals, mistakes
from mobilenet.tasks.places import figures
from mobilenet.tasks.places.distances import (
  RADII,
  haversine,
  in_words,
  nearest,
  share_within,
  width_km,
)
from mobilenet.tasks.places.task import Places
from mobilenet.training.errors import require

WORST = 12  # pictures
_ALLOWED = 80  # %, below which the cells themselves are in the way


class Facts(NamedTuple):
  """What a report says; all arrays are of N photos.

  names, centres: of the K cells. truth, answers: (N, 2), degrees. label, prediction:
  numbers of cells, -1 for none. distances, chance, best: km, of the network's answer;
  of the cell with the most photos; of the cell whose centre is nearest. counts: (K,),
  photos of each cell. counted: what these are.
  """

  names: tuple[str, ...]
  centres: np.ndarray
  truth: np.ndarray
  answers: np.ndarray
  label: np.ndarray
  prediction: np.ndarray
  probability: np.ndarray
  distances: np.ndarray
  chance: np.ndarray
  best: np.ndarray
  counts: np.ndarray
  counted: str


def write_report(task: Places, evaluated: Evaluated) -> Written:
  """Writes predictions.csv, cells.csv, distances.csv, cells.png and errors.png.

  Raises:
    TrainingError: a file cannot be written, or the probabilities are no numbers.
  """
  kept = evaluated.evaluation.predictions
  if not kept or not len(kept['index']):
    return Written({})
  require(
    bool(np.isfinite(kept['probability']).all()),
    'some probabilities are no finite numbers: the weights are broken, or want photos '
    'on another scale',
  )
  folder, facts = evaluated.folder, _facts(task, evaluated)
  described = [evaluated.examples.describe(int(index)) for index in kept['index']]
  csv_file.write_records(folder / 'predictions.csv', _photos(facts, described))
  csv_file.write_records(folder / 'cells.csv', _cells(facts))
  rows = shares(facts)
  csv_file.write_records(folder / 'distances.csv', rows)
  _print(rows)
  box = figures.extent(facts.truth, facts.centres)
  of_cells = figures.draw_cells(facts.names, facts.counts, box)
  of_errors = figures.draw_errors(facts.truth, facts.answers, facts.distances, box)
  canvas.save_png(of_cells, folder / 'cells.png')
  canvas.save_png(of_errors, folder / 'errors.png')
  step = figures.drawn_every(len(facts.truth))
  return Written(
    {},
    [
      _in_short(task, evaluated, facts, rows),
      ('How near', [*_table(rows, facts)]),
      ('The cells', _of_cells(facts, of_cells)),
      (
        'The errors',
        [
          page.figure(
            of_errors,
            'A line leads from where a photo was taken (dot) to the answer'
            + (f'; one photo of {step} is drawn.' if step > 1 else '.'),
          )
        ],
      ),
      ('The worst mistakes', _worst(evaluated, facts, described)),
    ],
  )


def _facts(task: Places, evaluated: Evaluated) -> Facts:
  kept, names = evaluated.evaluation.predictions, tuple(map(str, task.cells))
  centres = cells.centres(names)
  truth, label = np.asarray(kept['position'], np.float64), kept['label']
  own = np.bincount(label[label >= 0], minlength=len(names))
  counts, counted = own, 'photos evaluated'
  training = (evaluated.counts or {}).get('training')
  if training:
    counts = np.array([training.get(name, 0) for name in names])
    counted = 'photos for training'
  return Facts(
    names=names,
    centres=centres,
    truth=truth,
    answers=centres[kept['prediction']],
    label=label,
    prediction=kept['prediction'],
    probability=kept['probability'],
    distances=task.distances(kept),
    chance=haversine(truth, centres[counts.argmax()]),
    best=haversine(truth, centres[nearest(truth, centres)]),
    counts=counts,
    counted=counted,
  )


def shares(facts: Facts) -> list[dict]:
  """A record for each radius: shares of the photos in %, with a 95 % interval."""
  rows, total = [], len(facts.truth)
  for radius, name in RADII.items():
    hits = np.count_nonzero(facts.distances <= radius)
    low, high = intervals.wilson(hits, total)
    rows.append(
      {
        'km': radius,
        'known': name,
        'share': 100 * float(hits) / total,
        'low': 100 * float(low),
        'high': 100 * float(high),
        'most_frequent_cell': share_within(facts.chance, radius),
        'nearest_cell': share_within(facts.best, radius),
      }
    )
  return rows


def _photos(facts: Facts, described) -> list[dict]:
  return [
    {
      'example': name,
      'latitude': round(truth[0], 5),
      'longitude': round(truth[1], 5),
      'cell': facts.names[label] if label >= 0 else '',
      'answer': facts.names[answer],
      'answer_latitude': round(place[0], 5),
      'answer_longitude': round(place[1], 5),
      'probability': round(float(probability), 6),
      'distance_km': round(float(distance), 3),
    }
    for name, truth, label, answer, place, probability, distance in zip(
      described, facts.truth.tolist(), facts.label, facts.prediction,
      facts.answers.tolist(), facts.probability, facts.distances, strict=True,
    )
  ]  # fmt: skip


def _cells(facts: Facts) -> list[dict]:
  there = facts.label >= 0
  number = len(facts.names)
  right = facts.label[there & (facts.label == facts.prediction)]
  columns = zip(
    facts.names,
    cells.levels(facts.names),
    facts.centres.tolist(),
    facts.counts.tolist(),
    np.bincount(facts.label[there], minlength=number).tolist(),
    np.bincount(right, minlength=number).tolist(),
    strict=True,
  )
  return [
    {
      'cell': name,
      'level': level,
      'latitude': round(place[0], 5),
      'longitude': round(place[1], 5),
      facts.counted.replace(' ', '_'): count,
      'evaluated': evaluated,
      'named_rightly': own,
    }
    for name, level, place, count, evaluated, own in columns
  ]


def _in_short(task: Places, evaluated: Evaluated, facts: Facts, rows):
  own = next(row for row in rows if row['km'] == task.metric_km)
  metrics = evaluated.evaluation.metrics
  headline = [
    (
      f'{own["share"]:.1f} %',
      f'within {own["km"]:,} km: {own["low"]:.1f} to {own["high"]:.1f} %',
    ),
    (in_words(float(np.median(facts.distances))), 'median error'),
    (amounts.percent(metrics['top1']), 'of the cells are right'),
    (f'{len(facts.truth):,}', 'photos'),
  ]
  chance = own['most_frequent_cell']
  better = own['low'] > chance
  parts = [
    page.headline(headline),
    page.notice(
      'good' if better else 'warning',
      f'Always answering the cell with the most photos puts {chance:.1f} % within '
      f'{own["km"]:,} km: '
      + (
        'the network is better than that.'
        if better
        else 'it is not certain that the network is better than that.'
      ),
    ),
  ]
  if own['nearest_cell'] < _ALLOWED:
    parts.append(
      page.notice(
        'warning',
        f'These cells allow {own["nearest_cell"]:.1f} % within {own["km"]:,} km at '
        'most, since an answer is the centre of a cell: make them smaller '
        '(--config.data.cells.most), or count a larger distance '
        '(--config.places.metric_km).',
      )
    )
  if outside := int((facts.label < 0).sum()):
    parts.append(
      page.notice(
        'note',
        f'{outside:,} photos lie in no cell, since too few photos for training do. '
        'Their distances count; no answer of theirs can be the right cell.',
      )
    )
  if evaluated.chose:
    line = 'These photos chose the weights: on new ones expect less.'
    parts.append(page.notice('note', line))
  parts.append(
    page.notice(
      'note',
      'Photos of one place, of one day or of one person are alike. Where such photos '
      'are on both sides of the split, these numbers say too much.',
    )
  )
  return 'In short', parts


def _table(rows, facts: Facts):
  shown = [
    [
      f'{row["km"]:,} km',
      row['known'],
      amounts.percent(row['share']),
      f'{row["low"]:.1f} to {row["high"]:.1f} %',
      amounts.percent(row['most_frequent_cell']),
      amounts.percent(row['nearest_cell']),
    ]
    for row in rows
  ]
  columns = (
    *('within', 'known is the', 'photos', '95 % interval'),
    *('always the most frequent cell', 'always the nearest cell'),
  )
  return (
    page.table(columns, shown),
    page.text(
      'The answer is the centre of the most probable cell. The last column is the most '
      'that these cells allow: smaller cells (--config.data.cells.most) allow more, '
      'and leave fewer photos to learn each of them from. The most frequent cell is '
      f'that of the most {facts.counted}. Distances are great circles on a globe with '
      'a radius of 6,371 km.'
    ),
  )


def _of_cells(facts: Facts, drawn):
  levels = cells.levels(facts.names)
  low, high = min(levels), max(levels)
  smallest, largest = facts.counts.min(), facts.counts.max()
  return [
    page.figure(drawn, f'The cells, coloured by their {facts.counted}; dots: centres.'),
    page.text(
      f'{len(facts.names):,} cells of levels {low} to {high}, about '
      f'{in_words(width_km(high))} to {in_words(width_km(low))} wide, with '
      f'{smallest:,} to {largest:,} {facts.counted}. A small cell with few photos '
      'tells whoever has the network where these were taken.'
    ),
  ]


def _worst(evaluated: Evaluated, facts: Facts, described):
  places = np.argsort(-facts.distances, kind='stable')[:WORST]
  found = mistakes.collect(
    evaluated,
    evaluated.evaluation.predictions['index'][places],
    facts.prediction[places],
  )
  drawn = [
    page.picture(
      mistakes.beside(mistake),
      f'{in_words(facts.distances[n])}: at {_degrees(facts.truth[n])}, taken for '
      f'{_degrees(facts.answers[n])} at {100 * facts.probability[n]:.1f} %: '
      f'{terminal.shorten(described[n].rpartition("/")[2], 60)}',
      side=420,
    )
    for n, mistake in zip(places, found, strict=True)
  ]
  size = 'large' if found[0].heat is not None else ''
  return [page.gallery(drawn, size=size)]


def _degrees(place) -> str:
  return f'{place[0]:.2f}, {place[1]:.2f}'


def _print(rows) -> None:
  columns = [('within', 'right'), ('', 'left'), ('photos', 'right')]
  columns += [('95 % interval', 'right'), ('most frequent cell', 'right')]
  table = terminal.make_table('How near the answers are', columns)
  for row in rows:
    terminal.add_row(
      table,
      f'{row["km"]:,} km',
      row['known'],
      amounts.percent(row['share']),
      f'{row["low"]:.1f} to {row["high"]:.1f} %',
      amounts.percent(row['most_frequent_cell']),
    )
  terminal.show(table)
