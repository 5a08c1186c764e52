"""Measures on a folder of your own what docs/check_data.md says of the flowers.

python -m tests.data_check.measuring flowers --init=mobilenet_v2-b0353104.pth

Copies: each of up to 600 photos is changed in many ways, and the share of copies is
printed that is recognised. Pairs of different photos that are taken for copies are
written to pairs.png. Labels: 5 % are swapped at random, three times, and the share of
them is printed that comes in the first tenth of the list.
"""

import argparse
import io

import numpy as np
from PIL import Image, ImageDraw

from input_pipeline import photo_reader
from mobilenet.data_check import duplicates, listing, mislabelled, photo_facts, scan
from mobilenet.data_check.photo_facts import Photo
from mobilenet.jobs.check_data import Judge


def encoded(image, quality=85):
  data = io.BytesIO()
  image.save(data, 'JPEG', quality=quality)
  return data.getvalue()


def resized(factor):
  def change(image):
    sides = [max(1, round(side * factor)) for side in image.size]
    return encoded(image.resize(sides, Image.Resampling.BICUBIC))

  return change


def cropped(share):
  def change(image):
    x, y = (round(side * share) for side in image.size)
    return encoded(image.crop((x, y, image.width - x, image.height - y)))

  return change


CHANGES = {
  'JPEG quality 90': lambda image: encoded(image, 90),
  'JPEG quality 60': lambda image: encoded(image, 60),
  'JPEG quality 30': lambda image: encoded(image, 30),
  'half the size': resized(0.5),
  'a third of the size': resized(1 / 3),
  'three times the size': resized(3),
  'squashed to 224 x 224': lambda image: encoded(image.resize((224, 224))),
  'made grey': lambda image: encoded(image.convert('L')),
  '15 % brighter': lambda image: encoded(image.point(lambda v: min(255, v * 1.15))),
  '2 % cut off each side': cropped(0.02),
  '5 % cut off each side': cropped(0.05),
  'mirrored': lambda image: encoded(image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)),
}


def facts_of(name, data):
  known = photo_facts.of_file(data) | photo_facts.of_pixels(photo_reader.pixels(data))
  return Photo(name=name, part='', class_name='', **known)


def measure_copies(listed, photos):
  readable = [photo for photo in photos if photo.is_read]
  rng = np.random.default_rng(0)
  chosen = rng.choice(len(readable), min(600, len(readable)), replace=False)
  found = dict.fromkeys(CHANGES, 0)
  for place in chosen:
    original = readable[place]
    data = photo_facts.read_file(listed.path(original.name))
    image = Image.fromarray(photo_reader.pixels(data))
    for name, change in CHANGES.items():
      copy = facts_of(name, change(image))
      found[name] += bool(duplicates.near_pairs([original, copy]))
  for name, count in found.items():
    print(f'{name:24} {count / len(chosen):7.1%} of {len(chosen)}')


def draw_pairs(listed, photos):
  """All pairs of files of different content, for a person to look at."""
  readable = [photo for photo in photos if photo.is_read]
  firsts = list({photo.content: photo for photo in readable}.values())
  pairs = duplicates.near_pairs(firsts)
  sheet = Image.new('RGB', (5 * 330, (len(pairs) + 4) // 5 * 180 + 1), 'white')
  pen = ImageDraw.Draw(sheet)
  for n, pair in enumerate(pairs):
    x, y = n % 5 * 330, n // 5 * 180
    pen.text((x, y), f'{n + 1}', fill='black')
    paths = [listed.path(firsts[place].name) for place in pair]
    for k, picture in enumerate(scan.pictures(paths, 155)):
      sheet.paste(Image.fromarray(picture), (x + 160 * k, y + 15))
  sheet.save('pairs.png')
  print(f'{len(pairs)} pairs of files that differ are taken for copies: pairs.png')


def measure_labels(photos, judge):
  places, features = judge.features.all()
  given = [photos[place].class_name for place in places]
  names = sorted(set(given))
  for seed in range(3):
    rng = np.random.default_rng(seed)
    swapped = rng.choice(len(given), len(given) // 20, replace=False)
    labels = list(given)
    for n in swapped:
      labels[n] = rng.choice([name for name in names if name != given[n]])
    found = mislabelled.doubts(np.arange(len(given)), features, labels)
    first = set(found.indexes[: len(given) // 10].tolist())
    suspects = set(found.indexes[: found.suspects].tolist())
    print(
      f'seed {seed}: {len(swapped)} labels swapped, '
      f'{len(first & set(swapped)) / len(swapped):.1%} of them in the first tenth, '
      f'{len(suspects & set(swapped))} among {len(suspects)} suspects'
    )


def main():
  parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
  parser.add_argument('folder')
  parser.add_argument('--init')
  parser.add_argument('--resolution', type=int, default=128)
  given = parser.parse_args()
  listed = listing.of_folder(given.folder, 'FOLDER')
  judge = Judge.of_weights(given.init, given.resolution) if given.init else None
  photos = scan.scan(
    [listed.path(file.name) for file in listed.files],
    listed.files,
    prepare=judge and judge.prepare,
    take=judge and judge.features.take,
  )
  draw_pairs(listed, photos)
  measure_copies(listed, photos)
  if judge:
    measure_labels(photos, judge)


if __name__ == '__main__':
  main()
