"""Writes the 5,000 digits as photos, with a CSV of five tags.

PYTHONPATH=. python docs/results/tags/digit_tags.py FOLDER
"""

import csv
import pathlib
import sys

import numpy as np
from PIL import Image

import input_pipeline

# Tag -> the digits that have it.
TAGS = {
  'even': '02468',
  'prime': '2357',
  'loop': '0689',
  'straight': '147',
  'above four': '56789',
}


def main(root: pathlib.Path) -> None:
  rows = []
  for part in ('train', 'test'):
    (root / part).mkdir(parents=True)
    source = input_pipeline.open_source('digits', part)
    for batch in input_pipeline.eval_batches(source, ops='resize(28)', batch_size=500):
      for index, image, label in zip(
        batch['index'], batch['image'], batch['label'], strict=True
      ):
        name = f'{part}/{index}.png'
        Image.fromarray(np.round(image).astype(np.uint8)).save(root / name)
        tags = [int(str(label) in digits) for digits in TAGS.values()]
        rows.append([name, part, *tags])
  with (root / 'tags.csv').open('w', newline='') as file:
    csv.writer(file).writerows([['photo', 'split', *TAGS], *rows])


if __name__ == '__main__':
  main(pathlib.Path(sys.argv[1]))
