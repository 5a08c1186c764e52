"""The report of an embedding network: files of numbers, and the page's sections."""

import json
import math

import numpy as np

from mobilenet.reports import amounts, page
from mobilenet.tasks import Evaluated, Written
from mobilenet.tasks.embeddings import (
  cosines,
  drawing,
  retrieval,
  verification,
  verification_pages,
)
from mobilenet.tasks.embeddings import pairs as photo_pairs
from mobilenet.training import files, logs
from mobilenet.training.errors import require

RETRIEVAL = 'retrieval.json'
ASKED, ANSWERS = 16, 5  # photos whose neighbours are drawn, and how many of these
_LITTLE = 300  # pairs of a kind, below which an accuracy says little


def write_report(evaluated: Evaluated) -> Written:
  """Writes verification.json, pairs.csv, roc.png, distances.png and retrieval.json.

  The evaluation has kept 'embedding' (N, E), 'label' (N,) and 'index' (N,). Where no
  pairs can be made of the labels, nothing is written of a verification.

  Raises:
    TrainingError: a file cannot be written, or the embeddings are not finite.
  """
  kept, name = evaluated.evaluation.predictions, evaluated.examples.describe
  embeddings, labels = np.asarray(kept['embedding']), np.asarray(kept['label'])
  require(
    bool(np.isfinite(embeddings).all()),
    'some embeddings are no finite numbers: the training diverged; try a lower '
    '--config.schedule.learning_rate',
  )
  names = [name(int(index)) for index in kept['index']]
  found = retrieval.measure(embeddings, labels)
  _write_retrieval(evaluated, found)
  nearest = cosines.nearest(cosines.unit(embeddings), ANSWERS)
  asked = _asked(labels)
  wanted = {n for row in asked for n in (row, *nearest[0][row].tolist())}
  verified = pairs = None
  why_not = photo_pairs.lacking(labels)
  if not why_not:
    pairs = photo_pairs.of_labels(labels)
    verified = verification.ten_folds(embeddings, pairs)
    verification_pages.write(evaluated.folder, verified, pairs, names)
    chosen = [n for kind in verification_pages.worst(verified, pairs) for n in kind]
    wanted |= {int(row) for n in chosen for row in (pairs.first[n], pairs.second[n])}
    verification_pages.show(verified, pairs, 'Are two photos of one class?')
  tiles = _tiles(evaluated, kept['index'], wanted)
  sections = [
    ('How good', _in_short(evaluated, found, verified, pairs, why_not, len(labels)))
  ]
  if verified is not None:
    worst = verification_pages.worst_section(verified, pairs, tiles, names.__getitem__)
    sections += [
      ('The same or not', verification_pages.section(verified, pairs)),
      ('The worst pairs', worst),
    ]
  sections += [
    ('Finding others of a class', _retrieval(found)),
    ('Nearest neighbours', _neighbours(asked, nearest, labels, names, tiles)),
  ]
  numbers = {k: v for k, v in found.numbers.items() if not math.isnan(v)}
  if verified is not None:
    numbers |= {k: v for k, v in verified.numbers().items() if v is not None}
  return Written(numbers, sections)


def _write_retrieval(evaluated, found: retrieval.Retrieved) -> None:
  numbers = {**found.numbers, 'queries': found.queries, 'alone': found.alone}
  text = json.dumps(logs.to_json(numbers), indent=2) + '\n'
  files.replace_file(evaluated.folder / RETRIEVAL, text.encode())


def _asked(labels) -> list[int]:
  """Rows of photos that are not alone in their class, spread over all."""
  _, places, sizes = np.unique(labels, return_inverse=True, return_counts=True)
  rows = np.flatnonzero(sizes[places] > 1)
  # By class: in a split that is not sorted, neighbouring rows may be of any.
  rows = rows[np.argsort(labels[rows], kind='stable')]
  spread = np.linspace(0, len(rows) - 1, min(ASKED, len(rows))).round().astype(int)
  return rows[spread].tolist()


def _tiles(evaluated, indexes, rows) -> dict[int, np.ndarray]:
  row_of = {int(indexes[row]): row for row in rows}
  chosen = np.array(sorted(row_of), int)
  return {
    row_of[int(index)]: drawing.tile(picture)
    for index, picture in evaluated.examples.pictures(chosen)
  }


def _in_short(evaluated, found, verified, pairs, why_not, count: int) -> list:
  recall = found.numbers['recall_at_1']
  headline = [
    (amounts.percent(recall), 'have a photo of their class as nearest (recall at 1)')
  ]
  if verified is not None:
    headline.insert(
      0,
      (
        amounts.percent(verified.accuracy),
        'of the pairs are judged rightly (verification)',
      ),
    )
  parts = [page.headline([*headline, (f'{count:,}', 'photos')])]
  if verified is None:
    parts.append(page.notice('warning', f'Nothing can be verified: {why_not}.'))
  else:
    few = min(int(pairs.same.sum()), int((~pairs.same).sum()))
    half = '50 % is what a coin gets, since there are as many pairs of each kind. '
    equal = int(pairs.same.sum()) * 2 == len(pairs.same)
    parts.append(
      page.text(
        f'Whether two photos are of one class is said rightly of '
        f'{verification_pages.in_words(verified)} of the pairs (mean and standard '
        f'deviation of {len(verified.folds)} folds). {half if equal else ""}'
        'The pairs share photos, so that the deviation is smaller than that between '
        'sets of other people or things.'
      )
    )
    if few < _LITTLE:
      line = f'Only {few:,} pairs of a kind: another set can give another accuracy.'
      parts.append(page.notice('warning', line))
  if evaluated.chose:
    parts.append(
      page.notice(
        'note',
        'These photos also chose the weights, which flatters the numbers. Measure on '
        'photos from elsewhere before you rely on them: --job=eval --data_dir=...',
      )
    )
  parts.append(
    page.notice(
      'warning',
      'If the photos show people: error rates differ between groups of people, and '
      'these numbers are of the people in this split alone. docs/embeddings.md says '
      'what such a network may and may not be used for.',
    )
  )
  return parts


def _retrieval(found: retrieval.Retrieved) -> list:
  rows = [
    (f'recall at {name.rpartition("_")[2]}', amounts.percent(value))
    for name, value in found.numbers.items()
    if name != 'map_at_r'
  ]
  rows.append(('MAP@R', amounts.percent(found.numbers['map_at_r'])))
  said = (
    'Each photo asks for the photos most like it among all others of the split. Recall '
    'at k: the share with one of its class among the first k. MAP@R also asks for the '
    'rest of the class, in the right order.'
  )
  alone = (
    f'{found.queries:,} photos asked; {found.alone:,} are alone in their class, which '
    'leaves nothing to be found.'
  )
  return [page.text(said, alone), page.facts(rows)]


def _neighbours(asked, nearest, labels, names, tiles) -> list:
  drawings = []
  for row in asked:
    found, values = (part[row].tolist() for part in nearest)
    right = [bool(labels[n] == labels[row]) for n in found]
    drawn = drawing.row([tiles[n] for n in (row, *found)], [None, *right], asked=True)
    told = ', '.join(
      f'{"" if mark else "wrong: "}{names[n]} {value:.2f}'
      for n, value, mark in zip(found, values, right, strict=True)
    )
    drawings.append(page.picture(drawn, f'{names[row]}: {told}', side=drawn.shape[1]))
  if not drawings:
    return [page.text('No class has two photos.')]
  legend = (
    'Left a photo, then the photos most like it: blue those of its class, orange '
    'with a cut corner the others. The numbers are cosines, 1 for the same.'
  )
  return [page.text(legend), page.gallery(drawings, size='large')]
