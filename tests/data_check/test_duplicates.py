"""Copies are found whatever was done to them, and other photos are not."""

import io

import numpy as np
import pytest
from PIL import Image, ImageFilter

from input_pipeline import photo_reader
from mobilenet.data_check import duplicates, photo_facts
from mobilenet.data_check.photo_facts import Photo
from tests.data_check.conftest import jpeg, photo


def facts(name, image, part='train', **options):
  data = jpeg(image, **options)
  known = {**photo_facts.of_file(data)}
  known |= photo_facts.of_pixels(photo_reader.pixels(data))
  return Photo(name=name, part=part, class_name='a', **known)


def names(groups):
  return [{photo.name for photo in group.photos} for group in groups]


@pytest.mark.parametrize(
  'change',
  [
    lambda image: image.resize((60, 45)),
    lambda image: image.resize((360, 270)),
    lambda image: image.resize((100, 100)),
    lambda image: image.convert('L'),
    lambda image: image.point(lambda value: min(255, int(value * 1.15))),
    lambda image: image.filter(ImageFilter.GaussianBlur(1)),
  ],
  ids=['half', 'three times', 'squashed', 'grey', 'brighter', 'blurred'],
)
def test_changed_copies_are_found(change):
  original = photo(1)
  photos = [
    facts('original', original),
    facts('other', photo(2)),
    facts('copy', change(original), quality=60),
  ]
  (group,) = duplicates.groups(photos)
  assert {p.name for p in group.photos} == {'original', 'copy'}
  assert not group.exact


def test_equal_files_are_exact_and_chains_are_one_group():
  original = photo(1)
  photos = [
    facts('a', original),
    facts('b', original),
    facts('c', photo(5)),
    facts('d', original, quality=30),
    facts('e', photo(7)),
    facts('f', photo(7)),
  ]
  groups = duplicates.groups(photos)
  assert names(groups) == [{'a', 'b', 'd'}, {'e', 'f'}]
  assert [group.exact for group in groups] == [False, True]


def test_blank_photos_are_copies_only_to_the_byte():
  navy, red = Image.new('RGB', (90, 90), 'navy'), Image.new('RGB', (90, 90), 'red')
  assert duplicates.groups([facts('navy', navy), facts('red', red)]) == ()
  (group,) = duplicates.groups([facts('navy', navy), facts('same', navy)])
  assert group.exact


def test_dark_photos_with_few_bright_spots_differ():
  """Most of their hash is zeros, of all of them."""

  def spots(seed):
    rng = np.random.default_rng(seed)
    dark = np.zeros((128, 128, 3), np.uint8)
    for y, x in rng.integers(0, 120, (6, 2)):
      dark[y : y + 8, x : x + 8] = 200
    return Image.fromarray(dark)

  photos = [facts(f'{n}', spots(n)) for n in range(12)]
  hashes = np.stack([photo.hash for photo in photos])
  bits = np.bitwise_count(hashes[:, None] ^ hashes).sum(axis=-1)
  assert (bits[np.triu_indices(12, 1)] <= duplicates.MOST_BITS).any()
  assert duplicates.groups(photos) == ()


def test_photos_that_cannot_be_read_are_left_out():
  broken = Photo(name='x', part='', class_name='', content='', problem='truncated')
  assert duplicates.groups([broken, broken]) == ()
  assert duplicates.groups([]) == ()


def test_blocks_do_not_matter(monkeypatch):
  photos = [facts(f'{n}', photo(n % 5), quality=60 + n) for n in range(15)]
  whole = duplicates.near_pairs(photos)
  monkeypatch.setattr(duplicates, '_BLOCK', 4)
  assert sorted(duplicates.near_pairs(photos)) == sorted(whole)
  assert len(whole) == 15


def test_facts_of_a_broken_header_do_not_stop_the_scan():
  """EXIF that is no EXIF, in a photo that can be read."""
  data = io.BytesIO()
  photo(1).save(data, 'JPEG', exif=b'Exif\0\0II*\0\xff\xff\xff\xff')
  known = photo_facts.of_file(data.getvalue())
  assert (known['width'], known['camera'], known['orientation']) == (120, '', 1)
