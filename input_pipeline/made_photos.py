"""JPEGs that cost a decoder what photos cost: 500 px, 1/f spectrum, some 70 KB."""

import pathlib

import numpy as np
from PIL import Image

_SHAPES = ((375, 500), (333, 500), (500, 375), (375, 500))  # height, width
_CLASSES = 4
_QUALITY = 85


def write_photos(folder: pathlib.Path, count: int, seed: int = 0) -> None:
  """Writes `folder/train/<class>/<number>.jpg`, as `open_source('folder')` reads it.

  Photos are what JPEG was made for: their amplitude falls with one over the spatial
  frequency, and their channels differ little. Noise of that kind compresses, and so
  decodes, like a photo; white noise would not.
  """
  rng = np.random.default_rng(seed)
  for number in range(count):
    path = folder / 'train' / f'class{number % _CLASSES}' / f'{number:05d}.jpg'
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = _photo(rng, *_SHAPES[number // _CLASSES % len(_SHAPES)])
    Image.fromarray(pixels).save(path, quality=_QUALITY)


def _photo(rng, height, width):
  rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
  frequency = np.hypot(rows, columns)
  frequency[0, 0] = 1 / max(height, width)

  def plane():
    waves = rng.standard_normal((2, *frequency.shape))
    noise = np.fft.irfft2((waves[0] + 1j * waves[1]) / frequency**1.1, (height, width))
    return noise / noise.std()

  light = plane()
  channels = [0.9 * light + 0.25 * plane() for _ in range(3)]
  return (np.stack(channels, axis=-1) * 50 + 115).clip(0, 255).astype(np.uint8)
