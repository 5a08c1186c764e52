"""Where a job may write what it says of photos: not among those of a training."""

import pathlib
from collections.abc import Sequence

from ml_collections import ConfigDict

from mobilenet.training import workdir
from mobilenet.training.errors import require


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
  place = out.resolve()
  if (
    config is not None
    and config.data.name in ('folder', 'boxes', 'masks', 'tags', 'places')
    and config.data.dir
  ):
    data = workdir.local_path(config.data.dir).resolve()
    require(
      not place.is_relative_to(data),
      f'--out={out} lies in the photos that the run was trained on ({data}): its '
      'pictures would be trained on next time; choose a folder elsewhere',
    )
  among = sum(path.resolve().is_relative_to(place) for path in paths)
  if among:
    print(
      f'note: --out={out} holds {among:,} of these photos: what is written goes among '
      'them, and pictures among it will be taken for photos next time'
    )
