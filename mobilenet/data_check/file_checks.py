"""Checks of single photos: files, sizes, colours. Each takes Facts, gives Founds."""

import collections
import os

import numpy as np

from input_pipeline import photo_files
from mobilenet.data_check.facts import Facts, Found, counted, of_photos, some

SMALLEST = 32  # px of the shorter side
LARGEST = 25_000_000  # px in all; more takes seconds and much memory in every epoch
LONGEST = 4  # ratio of the sides
UNUSUAL = 16  # times the pixels of the median photo, or a sixteenth
BLANK = 2.0  # contrast, of 255
MIXED = 0.02  # of the photos: fewer in grey are exceptions


def unreadable(facts: Facts) -> list[Found]:
  photos = [photo for photo in facts.photos if not photo.is_read]
  return of_photos('{photos} cannot be read', photos, lambda photo: photo.problem)


def unreadable_others(facts: Facts) -> list[Found]:
  photos = [photo for photo in facts.others if not photo.is_read]
  return of_photos(
    '{photos} of the other folder cannot be read', photos, lambda photo: photo.problem
  )


def passed_over(facts: Facts) -> list[Found]:
  names = facts.listing.passed_over
  return [Found(photo_files.passed_over(names), names)] if names else []


def loose(facts: Facts) -> list[Found]:
  names = facts.listing.loose
  line = f'{counted(len(names), "photo lies", "photos lie")} outside of class folders'
  return [Found(line, names)] if names else []


def tiny(facts: Facts) -> list[Found]:
  photos = [p for p in facts.readable if min(p.width, p.height) < SMALLEST]
  return of_photos(f'{{photos}} with a side below {SMALLEST} px', photos, _size)


def huge(facts: Facts) -> list[Found]:
  photos = [p for p in facts.readable if p.width * p.height > LARGEST]
  return of_photos(
    f'{{photos}} of more than {LARGEST // 1_000_000} megapixels', photos, _size
  )


def long(facts: Facts) -> list[Found]:
  photos = [
    p
    for p in facts.readable
    if max(p.width, p.height) > LONGEST * min(p.width, p.height)
  ]
  return of_photos(
    f'{{photos}} more than {LONGEST} times as long as wide', photos, _size
  )


def unusual_size(facts: Facts) -> list[Found]:
  areas = {p.name: p.width * p.height for p in facts.readable}
  if not areas:
    return []
  median = float(np.median(list(areas.values())))
  photos = [
    p
    for p in facts.readable
    if not median / UNUSUAL <= areas[p.name] <= median * UNUSUAL
  ]
  return of_photos(
    f'{{photos}} with {UNUSUAL} times more or fewer pixels than the median photo',
    photos,
    _size,
  )


def below_resolution(facts: Facts) -> list[Found]:
  side = facts.resolution
  if side is None:
    return []
  photos = [p for p in facts.readable if min(p.width, p.height) < side]
  if len(photos) <= len(facts.readable) / 2:
    return []
  return of_photos(
    f'{{photos}} of {len(facts.readable):,} have a side below the {side} px that the '
    'network sees',
    photos,
    _size,
  )


def blank(facts: Facts) -> list[Found]:
  photos = [p for p in facts.readable if p.contrast < BLANK]
  return of_photos('{photos} of nearly one brightness', photos)


def grey_and_colour(facts: Facts) -> list[Found]:
  grey = [p for p in facts.readable if p.is_grey]
  share = len(grey) / max(1, len(facts.readable))
  line = f'grey and colour photos are mixed: {{photos}} of {len(facts.readable):,} grey'
  if share in (0, 1):
    return []
  if share > 1 - MIXED:
    grey = [p for p in facts.readable if not p.is_grey]
    line = (
      f'nearly all photos are grey: {{photos}} of {len(facts.readable):,} in colour'
    )
  return of_photos(line, grey)


def deep(facts: Facts) -> list[Found]:
  photos = [p for p in facts.readable if (p.bits or 8) > 8]
  return of_photos('{photos} with 16 bits a channel', photos, lambda p: p.mode)


def cmyk(facts: Facts) -> list[Found]:
  photos = [p for p in facts.readable if p.mode == 'CMYK']
  return of_photos('{photos} in CMYK, the colours of printing', photos)


def palette(facts: Facts) -> list[Found]:
  photos = [p for p in facts.readable if p.mode in ('P', 'PA') and p.frames == 1]
  return of_photos('{photos} with a palette', photos, lambda p: p.format)


def transparent(facts: Facts) -> list[Found]:
  photos = [p for p in facts.readable if p.transparent]
  return of_photos('{photos} with transparency', photos, lambda p: p.mode)


def animated(facts: Facts) -> list[Found]:
  photos = [p for p in facts.readable if p.frames > 1]
  return of_photos(
    '{photos} with several frames', photos, lambda p: counted(p.frames, 'frame')
  )


def turned(facts: Facts) -> list[Found]:
  photos = [p for p in facts.readable if p.orientation != 1]
  return of_photos(
    '{photos} that EXIF turns', photos, lambda p: f'orientation {p.orientation}'
  )


def misnamed(facts: Facts) -> list[Found]:
  photos = [
    p
    for p in facts.readable
    if photo_files.FORMATS[os.path.splitext(p.name)[1].lower()] != p.format
    and not {p.format, _by_name(p)} <= {'BMP', 'DIB'}
  ]
  kinds = collections.Counter(f'{p.format} as {_ending(p)}' for p in photos)
  return of_photos(
    f'{{photos}} of another format than the name says ({some(kinds)})',
    photos,
    lambda p: p.format,
  )


def _ending(photo):
  return os.path.splitext(photo.name)[1].lower()


def _by_name(photo):
  return photo_files.FORMATS[_ending(photo)]


def _size(photo):
  return f'{photo.width} x {photo.height} px'
