"""What people see of photos whose place is guessed: a table, GeoJSON, a map."""

import json
import pathlib
from collections.abc import Sequence

import numpy as np

from input_pipeline import cells
from input_pipeline import photos as photo_files
from mobilenet.reports import amounts, counter, csv_file, page, terminal
from mobilenet.tasks import Shown
from mobilenet.tasks.classification import predictions
from mobilenet.tasks.places import figures
from mobilenet.tasks.places.distances import in_words, width_km
from mobilenet.training import files

CSV_FILE, GEOJSON_FILE, PAGE = (
  f'predictions.{ending}' for ending in ('csv', 'geojson', 'html')
)
_MOST_ROWS = 200  # photos in the terminal and on the page
_SIDE = 160  # px


def show_predictions(
  photos: Sequence[pathlib.Path], probabilities: np.ndarray, shown: Shown
) -> None:
  """See `Task.show_predictions`; probabilities are (N, K)."""
  found = predictions.top_predictions(photos, probabilities, shown.outputs, shown.top)
  names = tuple(map(str, shown.outputs))
  centre = dict(zip(names, cells.centres(names).tolist(), strict=True))
  level = dict(zip(names, cells.levels(names), strict=True))
  _print(found, centre, level, shown.title)
  if shown.out is None:
    return
  first = [each for each in found if each.rank == 1]
  rows = (
    [
      each.photo,
      each.rank,
      *(round(value, 5) for value in centre[each.class_name]),
      each.class_name,
      f'{each.probability:.6f}',
    ]
    for each in found
  )
  columns = ('photo', 'rank', 'latitude', 'longitude', 'cell', 'probability')
  written = (
    csv_file.write(shown.out / CSV_FILE, columns, rows),
    files.replace_file(shown.out / GEOJSON_FILE, _geojson(first, centre, level)),
    _write_page(shown, photos, first, centre, level),
  )
  for path in written:
    print(f'written: {path}')


def _print(found, centre, level, title: str) -> None:
  table = terminal.make_table(
    title,
    [
      *(('photo', 'left'), ('latitude', 'right'), ('longitude', 'right')),
      *(('cell', 'left'), ('its width', 'right'), ('probability', 'right')),
    ],
  )
  shown = 0
  for each in found:
    first = each.rank == 1
    shown += first
    if shown > _MOST_ROWS:
      break
    terminal.add_row(
      table,
      each.photo if first else '',
      *(f'{value:.4f}' for value in centre[each.class_name]),
      each.class_name,
      in_words(width_km(level[each.class_name])),
      amounts.share(each.probability, 2),
      style='bold' if first else None,
    )
  terminal.show(table)
  count = sum(each.rank == 1 for each in found)
  if count > _MOST_ROWS:
    print(f'and {count - _MOST_ROWS:,} more photos')
  print('note: a place is the centre of a cell, and may be wrong by any distance')


def _geojson(first, centre, level) -> bytes:
  """Points of the most probable cells (RFC 7946: longitude comes first)."""
  features = [
    {
      'type': 'Feature',
      'geometry': {
        'type': 'Point',
        'coordinates': [round(value, 5) for value in centre[each.class_name][::-1]],
      },
      'properties': {
        'photo': each.photo,
        'cell': each.class_name,
        'cell_width_km': round(width_km(level[each.class_name]), 3),
        'probability': round(each.probability, 6),
      },
    }
    for each in first
  ]
  said = {'type': 'FeatureCollection', 'features': features}
  return (json.dumps(said, indent=1, ensure_ascii=False) + '\n').encode()


def _write_page(shown: Shown, photos, first, centre, level) -> pathlib.Path:
  places = np.array([centre[each.class_name] for each in first])
  drawn = []
  pairs = list(zip(photos, first, strict=True))[:_MOST_ROWS]
  with counter.counting(len(pairs), 'thumbnails') as advance:
    for path, each in pairs:
      latitude, longitude = centre[each.class_name]
      small = page.thumbnail(photo_files.read_small(path, _SIDE), _SIDE)
      said = f'{latitude:.3f}, {longitude:.3f} at {amounts.share(each.probability)}'
      drawn.append(page.jpeg(small, f'{said}: {path.name}'))
      advance(1)
  made = page.Page('Places', shown.title)
  made.section(
    'What to know',
    page.text(
      'Each photo is put at the centre of its most probable cell. A network answers '
      'for every photo, also of a place that it was never shown, or of no place at all.'
    ),
  )
  widths = np.array([width_km(level[each.class_name]) for each in first])
  box = figures.extent(*figures.around(places, widths))
  drawn_map = figures.draw_places(places, box)
  made.section('Map', page.figure(drawn_map, 'The most probable places.'))
  if len(photos) > len(pairs):
    line = f'The first {len(pairs):,} of {len(photos):,} photos.'
    made.section('Not all', page.notice('note', line))
  made.section('Photos', page.gallery(drawn))
  return made.write(shown.out / PAGE)
