"""Writes the 5,000 digits as photos with a CSV of five tags."""
import csv, pathlib, sys
import numpy as np
from PIL import Image
import input_pipeline

TAGS = {'even': '02468', 'prime': '2357', 'loop': '0689', 'straight': '147', 'above four': '56789'}
root = pathlib.Path(sys.argv[1])
rows = []
for part in ('train', 'test'):
  source = input_pipeline.open_source('digits', part)
  batches = input_pipeline.eval_batches(source, ops='resize(28)', batch_size=500)
  (root / part).mkdir(parents=True)
  for batch in batches:
    for index, image, label in zip(batch['index'], batch['image'], batch['label']):
      if index >= 0:
        name = f'{part}/{index}.png'
        Image.fromarray(np.round(image).astype(np.uint8)).save(root / name)
        rows.append([name, part] + [int(str(label) in digits) for digits in TAGS.values()])
with open(root / 'tags.csv', 'w', newline='') as file:
  csv.writer(file).writerows([['photo', 'split', *TAGS], *rows])
