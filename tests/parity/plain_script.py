"""Prepares a photo by nothing but a workdir's config.json, with Pillow and NumPy.

    python tests/parity/plain_script.py runs/v2 cat.jpg    # writes cat.npy

What somebody would write who has the file and not this project: it shows that the
section `contract` says all there is to say.
"""

import json
import pathlib
import sys

import numpy as np
from PIL import Image

FILTERS = {'bilinear': Image.BILINEAR, 'bicubic': Image.BICUBIC}


def prepare(photo: str | pathlib.Path, contract: dict, side: int) -> np.ndarray:
  """A photo as the network wants it: float32 (side, side, 3).

  Args:
    photo: an image file.
    contract: the section of that name of config.json.
    side: px; `resolution` of config.json.
  """
  with Image.open(photo) as opened:
    pixels = np.asarray(opened.convert('RGB'), np.float32)
  height, width = pixels.shape[:2]
  fraction = contract['crop_fraction']
  if contract['resize'] == 'short_side':
    short = int(side / fraction)
    rows, columns = (int(short * n / min(height, width)) for n in (height, width))
    pixels = resize(pixels, rows, columns, contract)
    top, left = (round((n - side) / 2) for n in pixels.shape[:2])
    pixels = pixels[top : top + side, left : left + side]
  else:
    top, left = (int((n - n * fraction) / 2) for n in (height, width))
    pixels = pixels[top : height - top, left : width - left]
    pixels = resize(pixels, side, side, contract)
  if contract['channel_order'] == 'bgr':
    pixels = pixels[..., ::-1]
  return ((pixels / 255 - contract['mean']) / contract['std']).astype(np.float32)


def resize(pixels: np.ndarray, height: int, width: int, contract: dict) -> np.ndarray:
  """Floats in, floats out: each channel as an image of its own."""
  if not contract['antialias']:
    return resize_sharply(pixels, height, width, contract['interpolation'])
  how = FILTERS[contract['interpolation']]
  channels = [
    Image.fromarray(np.ascontiguousarray(pixels[..., c])).resize((width, height), how)
    for c in range(3)
  ]
  return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def resize_sharply(pixels, height: int, width: int, interpolation: str) -> np.ndarray:
  """Bilinear between the two nearest pixels, however much an image shrinks (TF)."""
  if interpolation != 'bilinear':
    raise SystemExit(f'{interpolation} without antialias is not written here')
  for axis, new in ((0, height), (1, width)):
    old = pixels.shape[axis]
    centre = (np.arange(new) + 0.5) * old / new - 0.5
    left = np.floor(centre).astype(int)
    share = np.expand_dims(centre - left, [1 - axis, 2])
    first, second = (
      pixels.take(np.clip(place, 0, old - 1), axis=axis) for place in (left, left + 1)
    )
    pixels = first * (1 - share) + second * share
  return pixels


def main(folder: str, *photos: str) -> None:
  config = json.loads((pathlib.Path(folder) / 'config.json').read_text())
  for photo in photos:
    prepared = prepare(photo, config['contract'], config['resolution'])
    np.save(pathlib.Path(photo).with_suffix('.npy'), prepared)


if __name__ == '__main__':
  main(*sys.argv[1:])
