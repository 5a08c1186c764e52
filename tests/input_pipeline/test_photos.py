"""Photos read with Pillow and prepared with NumPy are those that evaluation sees."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, features

from input_pipeline import DataError, array_ops, catalogue, parse_ops, photos

# Sides shrink, grow, stay, are odd, even, and one pixel.
SHAPES = [(1, 5), (33, 50), (64, 64), (101, 64), (150, 201)]


def picture(height, width, seed=0):
  """uint8 (height, width, 3); noise is the hardest to resize."""
  return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def by_tensorflow(image, ops):
  from input_pipeline import decoding, keys

  key = keys.position_key(keys.named_seed(0, 'test'), 0, 0)
  return decoding.apply_ops(image, ops, key, encoded=False).numpy()


def assert_as_tensorflow(image, string, atol):
  ops = parse_ops(string, 'eval')
  ours, theirs = photos.prepare(image, ops), by_tensorflow(image, ops)
  assert ours.dtype == np.float32
  assert ours.flags.c_contiguous
  assert ours.shape == theirs.shape
  np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)


@pytest.mark.parametrize('shape', SHAPES)
@pytest.mark.parametrize('size', [1, 31, 64])
@pytest.mark.parametrize('antialias', [False, True])
@pytest.mark.parametrize('method', catalogue.RESIZE_METHODS)
def test_resize(shape, size, antialias, method):
  """Both sum in float32, in another order, and place their taps in float32.

  Where the filter is wide, a tap's place is off by one part in 2^24 of the side, and a
  hundred taps add that up: 0.006 of 255 is the most that was seen.
  """
  string = f'resize({size}, {method!r}, antialias={antialias})'
  assert_as_tensorflow(picture(*shape), string, 0 if method == 'nearest' else 0.02)


@pytest.mark.parametrize('shape', [(33, 50), (50, 33), (64, 64), (375, 500), (7, 301)])
@pytest.mark.parametrize('size', [24, 37, 64])
def test_resize_small_rounds_alike(shape, size):
  assert_as_tensorflow(picture(*shape), f'resize_small({size})', 0.02)


def torchvision_size(shape, size):
  """torchvision.transforms.functional._compute_resized_output_size, in its floats."""
  short, long = sorted(shape)
  other = int(size * long / short)
  return (size, other) if shape[0] == short else (other, size)


def test_resize_small_truncates_the_long_side_as_torchvision():
  assert array_ops.small_shape((375, 500), 256) == (256, 341)  # 341.33
  assert array_ops.small_shape((500, 333), 232) == (348, 232)  # 348.35
  assert array_ops.small_shape((10, 27), 5) == (5, 13)  # 13.5
  rng = np.random.default_rng(0)
  for height, width, size in rng.integers(1, 5000, (2000, 3)).tolist():
    expected = torchvision_size((height, width), size)
    assert array_ops.small_shape((height, width), size) == expected


def test_central_crop_rounds_its_place_as_torchvision():
  places = [array_ops.crop_window((20 + n, 20), 20)[0] for n in range(8)]
  assert places == [0, 0, 1, 2, 2, 2, 3, 4]  # int(round(n / 2.0)) of torchvision


@pytest.mark.parametrize('fraction', [0.01, 0.5, 0.7, 0.875, 0.9, 1.0])
def test_central_fraction_takes_the_same_window(fraction):
  for side in range(1, 260, 7):
    assert_as_tensorflow(picture(side, 9), f'central_fraction({fraction})', 0)


@pytest.mark.parametrize('shape', [(20, 20), (21, 20), (41, 52), (40, 53)])
def test_central_crop_takes_the_same_window(shape):
  assert_as_tensorflow(picture(*shape), 'central_crop(20)', 0)


@pytest.mark.parametrize(
  ('string', 'atol'),
  [
    ('bgr', 0),
    ('grey', 1e-4),  # three products are added in another order
    ('value_range(-1, 1)', 1e-6),
    ('value_range(0, 255)', 1e-4),
    ('normalize()', 1e-6),
    ('normalize((0.5, 0.4, 0.3), (0.1, 0.2, 0.3))', 1e-6),
    ('', 0),
    # What weights come with: V1 to V3 of slim, torchvision, timm, Caffe.
    ('central_fraction(0.875)|resize(64)|value_range(-1, 1)', 2e-4),
    ('resize_small(73, antialias=True)|central_crop(64)|normalize()', 5e-4),
    ('resize_small(73, "bicubic", antialias=True)|central_crop(64)|normalize()', 5e-4),
    ('resize(64, "nearest")|grey|bgr|value_range(0, 1)', 1e-6),
    ('resize(64)|bgr|normalize((0.41, 0.46, 0.48), (0.2, 0.2, 0.3))', 5e-4),
  ],
)
def test_scales_and_whole_strings(string, atol):
  for shape in [(80, 99), (131, 77)]:
    assert_as_tensorflow(picture(*shape), string, atol)


def test_every_fixed_op_is_there():
  assert set(array_ops.OPS) == set(catalogue.FIXED_OPS)


def test_the_scale_of_bytes_ends_with_the_last_op():
  with pytest.raises(DataError, match='must be the last op'):
    parse_ops('value_range(-1, 1)|bgr', 'eval')


def test_central_crop_of_a_smaller_image_says_what_to_do():
  with pytest.raises(DataError, match=r'30 x 40 pixels\); put resize_small\(64\)'):
    photos.prepare(picture(30, 40), parse_ops('central_crop(64)', 'eval'))


@pytest.mark.parametrize(
  ('string', 'expected'),
  [
    ('resize(10)|bgr|value_range(0, 1)', (0, 0, 40, 80)),
    ('central_fraction(0.5)|resize(10)', (10, 20, 20, 40)),
    ('resize_small(20)|central_crop(10)', (10, 30, 20, 20)),
    ('central_crop(20)|central_fraction(0.5)', (15, 35, 10, 10)),
    ('resize(20)|central_crop(10)', (10, 20, 20, 40)),
  ],
)
def test_seen_window(string, expected):
  assert photos.seen_window((40, 80, 3), parse_ops(string, 'eval')) == expected


def test_seen_window_is_what_prepare_takes():
  """A ramp tells from which columns and rows the prepared image came."""
  rows, columns = np.mgrid[:90, :120].astype(np.float32)
  ramp = np.stack([rows, columns, columns], axis=-1)
  ops = parse_ops('central_fraction(0.875)|resize_small(45)|central_crop(32)', 'eval')
  seen = photos.prepare(ramp, ops)
  y, x, height, width = photos.seen_window(ramp.shape, ops)
  for channel, begin, length in ((0, y, height), (1, x, width)):
    # Centres of pixels lie half a pixel from their edges.
    pixel = length / 32
    first, last = seen[0, 0, channel], seen[-1, -1, channel]
    assert first == pytest.approx(begin + pixel / 2 - 0.5, abs=0.02)
    assert last == pytest.approx(begin + length - pixel / 2 - 0.5, abs=0.02)


@pytest.mark.parametrize('subsampling', [0, 2])
def test_a_jpeg_has_the_pixels_of_tensorflow(tmp_path, jpeg, subsampling):
  """Both by libjpeg's exact cosine transform; a level is left to its versions."""
  from input_pipeline import decoding

  smooth = Image.open(io.BytesIO(jpeg(3, 121, 150)))
  path = tmp_path / 'photo.jpg'
  smooth.save(path, quality=92, subsampling=subsampling)
  predicted = photos.read_photo(path).astype(int)
  evaluated = decoding.decode(path.read_bytes()).numpy()
  assert predicted.shape == evaluated.shape == (121, 150, 3)
  assert abs(predicted - evaluated).max() <= 1


def encoded(image, **kwargs):
  data = io.BytesIO()
  image.save(data, **kwargs)
  return data.getvalue()


PICTURE = Image.fromarray(picture(6, 7))
GREY = PICTURE.getchannel('R')


def sixteen_bits():
  return Image.fromarray(np.arange(0, 65536, 1093, np.uint16).reshape(6, 10))


@pytest.mark.parametrize(
  ('name', 'image', 'kwargs'),
  [
    ('rgb.png', PICTURE, {}),
    ('grey.png', GREY, {}),
    ('alpha.png', Image.merge('RGBA', [*PICTURE.split(), GREY]), {}),
    ('grey_alpha.png', Image.merge('LA', [GREY, PICTURE.getchannel('B')]), {}),
    ('palette.png', PICTURE.quantize(9), {}),
    ('see_through.png', PICTURE.quantize(9), {'transparency': 2}),
    ('bits.png', GREY.point(lambda value: 255 * (value > 99), '1'), {}),
    ('deep.png', sixteen_bits(), {}),
    ('rgb.bmp', PICTURE, {}),
    ('whole.webp', PICTURE, {'lossless': True}),
  ],
)  # fmt: skip
def test_formats_without_loss_equal_tensorflow(tmp_path, name, image, kwargs):
  from input_pipeline import decoding

  data = encoded(image, format=name.split('.')[1], **kwargs)
  (tmp_path / name).write_bytes(data)
  ours = photos.read_photo(tmp_path / name)
  assert ours.dtype == np.uint8
  np.testing.assert_array_equal(ours, decoding.decode(data).numpy())


def test_the_first_frame_of_a_gif(tmp_path):
  from input_pipeline import decoding

  frames = [Image.fromarray(picture(6, 7, seed)).quantize(200) for seed in (0, 1)]
  path = tmp_path / 'moving.GIF'
  frames[0].save(path, format='gif', save_all=True, append_images=frames[1:])
  ours = photos.read_photo(path)
  np.testing.assert_array_equal(ours, np.asarray(frames[0].convert('RGB')))
  np.testing.assert_array_equal(ours, decoding.decode(path.read_bytes()).numpy())


def test_a_cmyk_jpeg_has_sensible_colours(tmp_path):
  path = tmp_path / 'print.jpg'
  red = Image.new('RGB', (16, 16), (200, 30, 20)).convert('CMYK')
  red.save(path, quality=95)
  assert abs(photos.read_photo(path).astype(int) - [200, 30, 20]).max() < 6


def test_a_turned_photo_stands_upright(tmp_path):
  exif = Image.Exif()
  exif[0x0112] = 6  # to be shown turned by 90 degrees
  path = tmp_path / 'turned.jpg'
  Image.fromarray(picture(8, 16)).save(path, exif=exif)
  assert photos.read_photo(path).shape == (16, 8, 3)


@pytest.mark.parametrize(
  ('content', 'expected'),
  [
    (b'', 'it is not a JPEG, PNG, GIF, BMP'),
    (b'no image at all', 'it is not a JPEG'),
    (encoded(Image.fromarray(picture(64, 64)), format='jpeg')[:900], 'truncated'),
    (encoded(Image.fromarray(picture(64, 64)), format='png')[:900], 'cannot be read'),
    # Another format under a known ending is not let through either.
    (encoded(Image.fromarray(picture(8, 8)), format='tga'), 'it is not a JPEG'),
  ],
)
def test_a_broken_file_is_named_in_one_line(tmp_path, content, expected):
  path = tmp_path / 'broken.jpg'
  path.write_bytes(content)
  with pytest.raises(DataError, match=expected) as error:
    photos.read_photo(path)
  assert str(path) in str(error.value)
  assert '\n' not in str(error.value)


def touch(folder, *names):
  for name in names:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).touch()


def test_photos_are_found_in_files_and_folders(tmp_path):
  touch(tmp_path, 'b/2.JPG', 'b/1.png', 'b/deep/0.webp', 'b/notes.txt', 'a.gif')
  touch(tmp_path, 'b/.hidden.jpg', 'b/.git/x.jpg')
  found = photos.find_photos([tmp_path / 'b', str(tmp_path / 'a.gif'), tmp_path / 'b'])
  assert [path.relative_to(tmp_path).as_posix() for path in found] == [
    'b/1.png',
    'b/2.JPG',
    'b/deep/0.webp',
    'a.gif',
  ]


@pytest.mark.parametrize(
  ('name', 'expected'),
  [
    ('cta.jpg', 'no file or folder .*: did you mean cat.jpg'),
    ('none/such.jpg', 'no file or folder'),
    ('empty', 'no photos .* in '),
    ('phone.XCF', r'is not taken for a photo; passed over: 1 \.xcf'),
    ('notes.txt', r'is not taken for a photo; passed over: 1 \.txt'),
  ],
)
def test_what_is_no_photo_is_named(tmp_path, name, expected):
  touch(tmp_path, 'cat.jpg', 'phone.XCF', 'notes.txt', 'empty/readme.txt')
  with pytest.raises(DataError, match=expected) as error:
    photos.find_photos([tmp_path / name])
  assert name in str(error.value)
  assert '\n' not in str(error.value)


def test_no_paths_at_all():
  with pytest.raises(DataError, match='no photos were named'):
    photos.find_photos([])


def test_neither_tensorflow_nor_jax_is_imported(tmp_path):
  Image.fromarray(picture(20, 30)).save(tmp_path / 'photo.png')
  code = (
    'import sys\n'
    'from input_pipeline import parse_ops, photos\n'
    f'(path,) = photos.find_photos([{os.fspath(tmp_path)!r}])\n'
    'ops = parse_ops("resize(8)|normalize()", "eval")\n'
    'assert photos.prepare(photos.read_photo(path), ops).shape == (8, 8, 3)\n'
    'assert not {"tensorflow", "jax"} & set(sys.modules)\n'
  )
  subprocess.run([sys.executable, '-c', code], check=True)


def test_a_process_ends_while_photos_are_read_ahead(tmp_path):
  """Threads of tf.data that wait for Python, as those that read WebP, end with it."""
  if not features.check('webp'):
    pytest.skip('this Pillow has no WebP')
  for n in range(40):
    path = tmp_path / f'{"ab"[n % 2]}' / f'{n}.webp'
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(picture(60, 60)).save(path)
  code = (
    'import input_pipeline\n'
    'source = input_pipeline.open_source(\n'
    f'  "folder", "train", data_dir={os.fspath(tmp_path)!r}\n'
    ')\n'
    'batches = input_pipeline.train_batches(\n'
    '  source, ops="resize(32)|value_range(0, 1)", batch_size=4, seed=0\n'
    ')\n'
    'print(next(batches)["image"].shape)\n'
  )
  done = subprocess.run(
    [sys.executable, '-c', code], capture_output=True, text=True, check=True, timeout=60
  )
  assert done.stdout == '(4, 32, 32, 3)\n'
