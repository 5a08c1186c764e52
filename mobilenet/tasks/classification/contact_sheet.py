"""All predicted photos on one page, by class and from sure to unsure."""

import collections
import concurrent.futures
import functools
import os
import pathlib
from collections.abc import Sequence

import numpy as np

from input_pipeline import photos as photo_files
from mobilenet.reports import counter, page, terminal
from mobilenet.tasks.classification import decision

MOST = 400  # thumbnails: about 3 MB
_SIDE = 160  # px


def write(
  path: str | os.PathLike,
  photos: Sequence[pathlib.Path],
  answers: Sequence[str],
  probabilities: np.ndarray,
  names: Sequence[str],
  *,
  title: str,
) -> pathlib.Path:
  """Writes the page: a section per class, the surest photos first.

  Of more than MOST photos every class shows its share, from all of its range. Photos
  that are none of the classes come last.

  Args:
    path: of the page.
    photos: N files.
    answers: N class names, or `decision.NONE`.
    probabilities: (N, K).
    names: K class names, for people.
    title: of the page.

  Raises:
    TrainingError: it cannot be written.
  """
  groups = collections.defaultdict(list)
  top = probabilities.argmax(axis=1)
  for place in np.argsort(-probabilities.max(axis=1), kind='stable'):
    none = answers[place] == decision.NONE
    groups[len(names) if none else int(top[place])].append(int(place))
  kept = {key: _spread(groups[key], len(photos)) for key in sorted(groups)}
  wanted = [place for places in kept.values() for place in places]
  small = dict(
    zip(wanted, _thumbnails([photos[place] for place in wanted]), strict=True)
  )
  made = page.Page('Predictions', title)
  if len(wanted) < len(photos):
    note = (
      f'{len(wanted):,} of {len(photos):,} photos are shown, from the surest to the '
      'least sure of each class; all are in predictions.csv.'
    )
    made.section('Not all', page.notice('note', note))
  for key, places in kept.items():
    name = decision.NONE if key == len(names) else names[key]
    pictures = []
    for place in places:
      said = f'{100 * probabilities[place].max():.1f} %, {photos[place].name}'
      if key == len(names):
        said = f'{names[top[place]]} at {said}'
      pictures.append(page.jpeg(small[place], said))
    count = len(groups[key])
    made.section(
      f'{terminal.shorten(str(name), 60)} ({count:,})', page.gallery(pictures)
    )
  return made.write(path)


def _spread(places: list[int], total: int) -> list[int]:
  """A class's share of MOST, evenly over its range with both ends; at least one."""
  if total <= MOST:
    return places
  share = max(1, MOST * len(places) // total)
  return [places[n] for n in np.linspace(0, len(places) - 1, share).round().astype(int)]


def _thumbnails(photos: Sequence[pathlib.Path]) -> list[bytes]:
  with (
    counter.counting(len(photos), 'thumbnails') as advance,
    concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool,
  ):
    found = []
    for data in pool.map(functools.partial(_thumbnail, side=_SIDE), photos):
      found.append(data)
      advance(1)
    return found


def _thumbnail(path: pathlib.Path, side: int) -> bytes:
  return page.thumbnail(photo_files.read_small(path, side), side)
