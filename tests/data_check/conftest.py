"""A folder of photos with every fault that a check should find, each in a file."""

import io
import os

import numpy as np
import pytest
from PIL import Image

CLASSES = ('ash', 'birch', 'cedar')
CAMERAS = {'ash': 'Acme One', 'birch': 'Bolt Two', 'cedar': 'Cam Three'}
PHOTOS = 14  # of each class to train on


def photo(seed, width=120, height=90):
  """A smooth picture with its own colours and shapes."""
  coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3)).astype(np.uint8)
  return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def jpeg(image, quality=90, **options):
  data = io.BytesIO()
  image.save(data, 'JPEG', quality=quality, **options)
  return data.getvalue()


def exif(camera='', orientation=1):
  tags = Image.Exif()
  if camera:
    maker, model = camera.split()
    tags[0x010F], tags[0x0110] = maker, f'{maker} {model}'
  tags[0x0112] = orientation
  return tags.tobytes()


@pytest.fixture(scope='session')
def sound(tmp_path_factory):
  """train/ and val/ of three classes; all photos alike in kind, nothing is wrong."""
  root = tmp_path_factory.mktemp('sound') / 'photos'
  seed = 0
  for part, count in (('train', PHOTOS), ('val', 4)):
    for name in CLASSES:
      (root / part / name).mkdir(parents=True)
      for n in range(count):
        (root / part / name / f'{n}.jpg').write_bytes(jpeg(photo(seed)))
        seed += 1
  return root


@pytest.fixture(scope='session')
def planted(tmp_path_factory):
  """(folder, other folder) with the faults that test_planted.py names."""
  root = tmp_path_factory.mktemp('planted') / 'photos'
  seed = 1000
  for part, count in (('train', PHOTOS), ('val', 4)):
    for name in CLASSES:
      (root / part / name).mkdir(parents=True)
      for n in range(count):
        data = jpeg(photo(seed), exif=exif(CAMERAS[name]))
        (root / part / name / f'{n}.jpg').write_bytes(data)
        seed += 1
  train, val = root / 'train', root / 'val'

  whole = jpeg(photo(1))
  (train / 'ash/truncated.jpg').write_bytes(whole[: len(whole) // 2])
  (train / 'ash/text.jpg').write_text('this is no photo')
  (train / 'ash/gone.jpg').symlink_to(root / 'nowhere.jpg')
  (train / 'ash/notes.txt').write_text('a note')
  (train / 'ash/one_pixel.png').write_bytes(png(Image.new('RGB', (1, 1), 'red')))
  (train / 'ash/café 日本.jpg').write_bytes(jpeg(photo(2)))
  os.rename(train / 'ash/13.jpg', os.fsencode(train) + b'/ash/caf\xe9.jpg')
  (train / 'ash/turned.jpg').write_bytes(jpeg(photo(3), exif=exif(orientation=6)))

  ramp = np.linspace(0, 65535, 80 * 60).astype(np.uint16).reshape(60, 80)
  (train / 'birch/deep.png').write_bytes(png(Image.fromarray(ramp)))
  (train / 'birch/cmyk.jpg').write_bytes(jpeg(photo(4).convert('CMYK')))
  frames = [photo(5).convert('P'), photo(6).convert('P')]
  frames[0].save(train / 'birch/moving.gif', save_all=True, append_images=frames[1:])
  (train / 'birch/palette.png').write_bytes(png(photo(7).convert('P')))
  (train / 'birch/really_png.jpg').write_bytes(png(photo(8)))
  (train / 'birch/strip.jpg').write_bytes(jpeg(photo(9, 600, 60)))
  (train / 'birch/blank.jpg').write_bytes(jpeg(Image.new('RGB', (120, 90), 'navy')))
  (train / 'birch/see_through.png').write_bytes(png(photo(10).convert('RGBA')))

  (val / 'ash/same.jpg').write_bytes((train / 'ash/0.jpg').read_bytes())
  original = Image.open(train / 'ash/1.jpg')
  (val / 'ash/again.jpg').write_bytes(jpeg(original, quality=40))
  (val / 'ash/smaller.jpg').write_bytes(
    jpeg(Image.open(train / 'ash/2.jpg').resize((60, 45)))
  )
  (train / 'birch/from_ash.jpg').write_bytes((train / 'ash/3.jpg').read_bytes())
  (train / 'birch/twice.jpg').write_bytes((train / 'birch/0.jpg').read_bytes())
  for part in (train, val):
    (part / 'lonely').mkdir()
  (train / 'lonely/single.jpg').write_bytes(jpeg(photo(11)))

  other = root.with_name('other') / 'cedar'
  other.mkdir(parents=True)
  (other / 'taken_over.jpg').write_bytes(
    jpeg(Image.open(train / 'cedar/5.jpg').resize((90, 68)), quality=60)
  )
  (other / 'own.jpg').write_bytes(jpeg(photo(12)))
  (other / 'broken.jpg').write_bytes(b'\xff\xd8')
  return root, other.parent


def png(image):
  data = io.BytesIO()
  image.save(data, 'PNG')
  return data.getvalue()
