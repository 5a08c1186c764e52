"""Writes embeddings of photos; finds which are alike.

    python main.py --job=embed --workdir=runs/finetune --out=embedded photos/
    python main.py --job=embed --init=mobilenet_v2-b0353104.pth --out=embedded photos/

Photos of which a network makes nearly the same numbers look alike. --out gets the
numbers (embeddings.npz, embeddings.csv), the nearest neighbours of each photo
(neighbours.csv) and a page that shows them (look_alikes.html). It needs no TensorFlow.

--pairs=pairs.csv also measures how well the distance tells whether two photos show the
same. Its columns are photo_a,photo_b,same; LFW's pairs.txt is read, too.
--pairs=folders takes the folder that each photo lies in for what it shows.
docs/embeddings.md says what the numbers mean.
"""

import pathlib
from collections.abc import Sequence

import numpy as np

from input_pipeline import photos as photo_files
from mobilenet import experiment
from mobilenet.command_line import Flag, Given
from mobilenet.reports import counter, page, result
from mobilenet.runs import photo_embeddings
from mobilenet.runs.output_folder import check_out
from mobilenet.tasks.embeddings import (
  cosines,
  look_alikes,
  retrieval,
  verification,
  verification_pages,
)
from mobilenet.tasks.embeddings import pairs as photo_pairs
from mobilenet.training import workdir
from mobilenet.training.errors import require

ARGUMENTS = 'PHOTOS_OR_FOLDERS...'
FLAGS = (
  Flag('init', str, None, 'A weight file, instead of a run.'),
  Flag('out', str, 'embedded', 'The folder to write into.'),
  Flag('resolution', int, None, "px of the images; the network's own by default."),
  Flag('neighbours', int, 10, 'Of each photo in neighbours.csv.'),
  Flag('alike', float, None, 'Least cosine of near copies; chosen by default.'),
  Flag('flip', bool, False, 'Add the embedding of the mirrored photo.'),
  Flag('raw', bool, False, 'Write embeddings as they are, not of length 1.'),
  Flag('pairs', str, None, "A file of pairs to measure on, or 'folders'."),
)
PAGE = 'look_alikes.html'
FOLDERS = 'folders'  # of --pairs: those that the photos lie in


def run(given: Given) -> int:
  flags = given.flags
  require(
    bool(given.arguments), 'name photos or folders: main.py --job=embed ... photos'
  )
  require(
    flags.resolution is None or 8 <= flags.resolution <= 8192,
    f'--resolution={flags.resolution} must be from 8 to 8192',
  )
  require(flags.neighbours >= 1, f'--neighbours={flags.neighbours} must be 1 or more')
  require(
    flags.alike is None or -1 <= flags.alike <= 1,
    f'--alike={flags.alike} is a cosine: it must be from -1 to 1',
  )
  require(
    flags.init is None or not (flags.workdir or given.argument),
    'give --workdir for a run or --init for a weight file, not both',
  )
  embed(
    given.run_folder() if flags.init is None else flags.init,
    given.arguments,
    workdir.local_path(flags.out),
    resolution=flags.resolution,
    neighbours=flags.neighbours,
    least=flags.alike,
    flip=flags.flip,
    raw=flags.raw,
    pairs=flags.pairs,
  )
  return 0


def embed(
  network: pathlib.Path | str,
  photos: Sequence[str],
  out: pathlib.Path,
  *,
  resolution: int | None = None,
  neighbours: int = 10,
  least: float | None = None,
  flip: bool = False,
  raw: bool = False,
  pairs: str | None = None,
) -> None:
  """Writes the embeddings of photos and what can be seen of them.

  Args:
    network: the folder of a run as a Path, or a weight file as a string.
    photos: files and folders, which are searched.
    out: the folder to write into.
    resolution: px; None for the network's own.
    neighbours: of each photo.
    least: cosine of near copies; None chooses one.
    flip: whether to add the embedding of the mirrored photo.
    raw: whether to write them as they are, not of length 1.
    pairs: a file to measure verification on, or 'folders'.

  Raises:
    TrainingError, ModelError, DataError: no network, no photos, or none that can be
      read; a file of pairs says nothing that can be used.
  """
  root = _root(photos)
  paths = photo_files.find_photos(photos)
  named = None
  if pairs is not None:
    require(
      root is not None,
      f'--pairs={pairs} is measured on one folder of photos: name that folder alone',
    )
    # Before an hour is spent on photos.
    if pairs == FOLDERS:
      labels = photo_pairs.of_folders([_name(path, root) for path in paths])
      why = photo_pairs.lacking(labels)
      require(not why, f'--pairs={pairs}: {why} (folders in {root})')
    else:
      named = photo_pairs.read(pairs, root)
      verification.check(named.same, named.fold)
  is_run = isinstance(network, pathlib.Path)
  make = photo_embeddings.of_run if is_run else photo_embeddings.of_file
  found = make(network, resolution)
  check_out(out, paths, found.config)
  with counter.counting(len(paths), 'photos') as advance:
    predicted = photo_embeddings.embeddings(found, paths, flip=flip, advance=advance)
  if found.contract is not None:
    seen = photo_files.read_photo(predicted.photos[0])
    experiment.warn_of_range(found.contract, photo_files.prepare(seen, found.ops))
  names = [_name(path, root) for path in predicted.photos]
  values = predicted.outputs['embedding']
  look_alikes.check(names, values)
  # First of all: what follows may fail, of photos that are nearly all alike.
  written = photo_embeddings.write(
    out,
    names,
    values if raw else cosines.unit(values),
    origin=found.origin,
    normalised=not raw,
  )
  alike = look_alikes.find(names, values, neighbours=neighbours, least=least)
  photos_in_words = '1 photo' if len(names) == 1 else f'{len(names):,} photos'
  title = f'{photos_in_words}, embeddings of {values.shape[1]:,}, by {found.origin}'
  look_alikes.show(alike, title)
  written.append(look_alikes.write_neighbours(out / look_alikes.NEIGHBOURS, alike))
  made = page.Page('Which photos look alike', title)
  look_alikes.add_sections(made, alike, predicted.photos)
  if pairs is not None:
    written += _verify(values, names, predicted.photos, named, out, made)
  written.append(made.write(out / PAGE))
  for path in written:
    print(f'written: {path}')


def _root(photos: Sequence[str]) -> pathlib.Path | None:
  """The folder, if one is all that was named."""
  if len(photos) != 1:
    return None
  path = pathlib.Path(photos[0]).expanduser()
  return path if path.is_dir() else None


def _name(path: pathlib.Path, root: pathlib.Path | None) -> str:
  return str(path) if root is None else path.relative_to(root).as_posix()


def _verify(values: np.ndarray, names, paths, named, out, made) -> list[pathlib.Path]:
  """Measures pairs, prints a table and adds it to the page."""
  if named is None:
    labels = photo_pairs.of_folders(names)
    pairs = photo_pairs.of_labels(labels)
    for name, value in retrieval.recall_at(values, labels).items():
      print(f'{result.label(name)}: {value:.2f} %')
  else:
    pairs, lost = named.of(names)
    if lost:
      print(
        f'note: {lost:,} of {len(named.photos):,} pairs are left out, since a photo of '
        'theirs could not be read'
      )
  verified = verification.ten_folds(values, pairs)
  verification_pages.show(verified, pairs, 'Do two photos show the same?')
  made.section('The same or not', *verification_pages.section(verified, pairs))
  chosen = verification_pages.worst(verified, pairs)
  rows = {row for kind in chosen for n in kind for row in _rows(pairs, n)}
  tiles = look_alikes.tiles(paths, sorted(rows))
  worst = verification_pages.worst_section(verified, pairs, tiles, names.__getitem__)
  made.section('The worst pairs', *worst)
  return verification_pages.write(out, verified, pairs, names)


def _rows(pairs: photo_pairs.Pairs, n: int) -> tuple[int, int]:
  return int(pairs.first[n]), int(pairs.second[n])
