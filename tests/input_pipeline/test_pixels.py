"""One truth for every format: training's reader, prediction's reader and Pillow."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps, features

from input_pipeline import exif, photo_files, photo_reader
from input_pipeline.decoding import decode
from input_pipeline.errors import DataError

RNG = np.random.default_rng(0)
SHAPE = (23, 34)  # height, width: odd, and not a square


def colours(channels=3):
  return RNG.integers(0, 256, (*SHAPE, channels), np.uint8)


def smooth():
  """JPEG keeps it, so that a window off by a pixel is seen."""
  y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
  return np.stack([7 * y, 5 * x, 3 * (x + y)], axis=-1).astype(np.uint8)


def encoded(image, kind, **options):
  file = io.BytesIO()
  image.save(file, kind, **options)
  return file.getvalue()


def palette(transparent=False):
  image = Image.fromarray(RNG.integers(0, 4, SHAPE, np.uint8), 'L').convert('P')
  image.putpalette([255, 0, 0, 0, 0, 255, 9, 99, 199, 0, 128, 64] + [0] * 756)
  return image


def grey():
  return Image.fromarray(colours(1)[..., 0])


def deep():
  return Image.fromarray(RNG.integers(0, 65536, SHAPE, np.uint16))


def frames():
  return {'save_all': True, 'append_images': [Image.fromarray(colours())]}


# Name -> (file, what is seen in it).
FILES = {
  'jpeg': lambda: encoded(Image.fromarray(smooth()), 'JPEG', quality=90),
  'jpeg progressive': lambda: encoded(
    Image.fromarray(smooth()), 'JPEG', progressive=True
  ),
  'jpeg grey': lambda: encoded(grey(), 'JPEG'),
  'jpeg cmyk': lambda: encoded(Image.fromarray(smooth()).convert('CMYK'), 'JPEG'),
  'png': lambda: encoded(Image.fromarray(colours()), 'PNG'),
  'png grey': lambda: encoded(grey(), 'PNG'),
  'png 1 bit': lambda: encoded(grey().convert('1'), 'PNG'),
  'png 16 bit': lambda: encoded(deep(), 'PNG'),
  'png alpha': lambda: encoded(Image.fromarray(colours(4)), 'PNG'),
  'png grey alpha': lambda: encoded(Image.fromarray(colours(2), 'LA'), 'PNG'),
  'png palette': lambda: encoded(palette(), 'PNG'),
  'png transparent palette': lambda: encoded(palette(), 'PNG', transparency=0),
  'gif': lambda: encoded(palette(), 'GIF'),
  'gif transparent': lambda: encoded(palette(), 'GIF', transparency=0),
  'gif animated': lambda: encoded(palette(), 'GIF', **frames()),
  'bmp': lambda: encoded(Image.fromarray(colours()), 'BMP'),
  'bmp palette': lambda: encoded(palette(), 'BMP'),
  'bmp 1 bit': lambda: encoded(grey().convert('1'), 'BMP'),
  'webp': lambda: encoded(Image.fromarray(colours()), 'WEBP', lossless=True),
  'webp alpha': lambda: encoded(Image.fromarray(colours(4)), 'WEBP', exact=True),
  'webp animated': lambda: encoded(Image.fromarray(colours()), 'WEBP', **frames()),
  'tiff': lambda: encoded(Image.fromarray(colours()), 'TIFF'),
  'tiff 16 bit': lambda: encoded(deep(), 'TIFF'),
  'pgm': lambda: encoded(grey(), 'PPM'),
  'ppm': lambda: encoded(Image.fromarray(colours()), 'PPM'),
  'avif': lambda: encoded(Image.fromarray(smooth()), 'AVIF'),
}


def by_pillow(data):
  with Image.open(io.BytesIO(data)) as image:
    if image.mode.startswith('I'):
      deep = np.asarray(image).astype(int) >> 8
      return np.repeat(deep.astype(np.uint8)[..., None], 3, axis=-1)
    image.load()
    image.info.pop('transparency', None)
    return np.asarray(image.convert('RGB'))


@pytest.mark.parametrize('name', FILES)
@pytest.mark.filterwarnings('ignore::DeprecationWarning')  # Pillow: fromarray's mode
def test_both_readers_give_the_pixels_of_pillow(name):
  part = name.split()[0]
  if part in ('webp', 'avif') and not features.check(part):
    pytest.skip(f'this Pillow reads no {part}')
  data = FILES[name]()
  expected = by_pillow(data)
  assert expected.shape == (*SHAPE, 3)
  np.testing.assert_array_equal(photo_reader.pixels(data), expected)
  np.testing.assert_array_equal(decode(data).numpy(), expected)


def turned(kind, orientation):
  tags = Image.Exif()
  tags[0x0112] = orientation
  options = {'JPEG': {'quality': 95}, 'WEBP': {'lossless': True}}.get(kind, {})
  return encoded(Image.fromarray(smooth()), kind, exif=tags, **options)


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP'])
@pytest.mark.parametrize('orientation', range(1, 9))
def test_photos_stand_upright_in_both_readers(kind, orientation):
  data = turned(kind, orientation)
  with Image.open(io.BytesIO(data)) as image:
    expected = np.asarray(ImageOps.exif_transpose(image).convert('RGB'))
  assert expected.shape[:2] == (SHAPE if orientation < 5 else SHAPE[::-1])
  np.testing.assert_array_equal(photo_reader.pixels(data), expected)
  np.testing.assert_array_equal(decode(data).numpy(), expected)


@pytest.mark.parametrize('orientation', range(1, 9))
def test_a_window_is_that_of_the_upright_photo(orientation):
  """The fused crop: only the part is decoded, and it is the same to the bit."""
  data = turned('JPEG', orientation)
  whole, seen = decode(data).numpy(), []

  def window_of(shape):
    seen.append(shape)
    return 3, 5, 11, 9

  part = decode(data, window_of).numpy()
  np.testing.assert_array_equal(part, whole[3:14, 5:14])


def test_an_orientation_is_found_in_either_byte_order_and_behind_other_segments():
  assert exif.orientation(turned('JPEG', 6)) == 6
  plain = encoded(Image.fromarray(smooth()), 'JPEG')
  assert exif.orientation(plain) == 1
  block = b'MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x08\0\0'
  segment = b'\xff\xe1' + (2 + 6 + len(block)).to_bytes(2) + b'Exif\0\0' + block
  comment = b'\xff\xfe' + (2 + 40).to_bytes(2) + b'x' * 40
  assert exif.orientation(plain[:2] + comment + segment + plain[2:]) == 8
  assert exif.orientation(plain[:2] + b'\xff\xe1\x00\x08Exif\0\0' + plain[2:]) == 1
  assert exif.orientation(b'') == 1


def test_what_is_too_large_is_one_line_and_never_decoded(monkeypatch):
  monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 100)
  for kind in ('PNG', 'JPEG', 'BMP'):
    with pytest.raises(DataError, match='it has more than 200 pixels'):
      photo_reader.pixels(encoded(Image.fromarray(smooth()), kind))


def test_files_are_sorted_out_by_their_endings():
  names = ['a.JPG', 'b/c.png', 'notes.txt', 'd.heic', 'e.TIFF', 'README', 'f.txt']
  photos, others = photo_files.sort_out(names)
  heif = 'HEIF' in photo_files.formats()
  expected = ['a.JPG', 'b/c.png', *(['d.heic'] if heif else []), 'e.TIFF']
  assert photos == expected
  line = photo_files.passed_over(others)
  assert line.startswith('passed over: 2 .txt')
  assert '1 without an ending' in line
  if not heif:
    assert '1 .heic (pip install pillow-heif)' in line
  assert photo_files.passed_over([]) == ''
