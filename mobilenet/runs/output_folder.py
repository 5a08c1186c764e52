"""Where a run and what it says of photos may be written: not among its own photos."""

import pathlib
from collections.abc import Sequence

from ml_collections import ConfigDict

from mobilenet.training import workdir
from mobilenet.training.errors import require


def photos_around(place: pathlib.Path, config: ConfigDict) -> pathlib.Path | None:
  """The folder of a run's photos, if `place` is it or lies in it; else None."""
  data = config.data
  if data.name not in ('folder', 'boxes', 'masks', 'tags', 'places') or not data.dir:
    return None
  photos = workdir.local_path(data.dir).resolve()
  return photos if place.resolve().is_relative_to(photos) else None


def check_workdir(folder: pathlib.Path, config: ConfigDict) -> None:
  """Keeps a run apart from its photos, of which the next one would take it for a class.

  Raises:
    TrainingError: `folder` is, or lies in, the folder of the run's photos.
  """
  photos = photos_around(folder, config)
  require(
    photos is None,
    f'--workdir={folder} lies in the folder of the data, {photos}, where the next run '
    'would take it for data: choose one outside of it',
  )


def check_out(
  out: pathlib.Path, paths: Sequence[pathlib.Path], config: ConfigDict | None = None
) -> None:
  """Keeps what is written apart from photos, which a later run would take it for.

  Args:
    out: the folder for it.
    paths: of the photos that are named; those below `out` are told.
    config: of the run.

  Raises:
    TrainingError: `out` is, or lies in, the folder that the run was trained on.
  """
  data = photos_around(out, config) if config is not None else None
  require(
    data is None,
    f'--out={out} lies in the photos that the run was trained on ({data}): its '
    'pictures would be trained on next time; choose a folder elsewhere',
  )
  place = out.resolve()
  among = sum(path.resolve().is_relative_to(place) for path in paths)
  if among:
    print(
      f'note: --out={out} holds {among:,} of these photos: what is written goes among '
      'them, and pictures among it will be taken for photos next time'
    )
