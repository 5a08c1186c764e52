"""Detections as files: COCO's results, and a CSV."""

import json
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from mobilenet.reports import csv_file
from mobilenet.training import files


class Detections(NamedTuple):
  """What was found in N pictures, the best first; what is over has score 0.

  names: N pictures. sizes: (N, 2), height and width in pixels. boxes: (N, D, 4), shares
  (`models.boxes`). scores: (N, D). classes: (N, D). outputs: the classes' names.
  image_ids: N; () numbers the pictures from 1. category_ids: of the classes; () numbers
  them from 1.
  """

  names: Sequence[str]
  sizes: np.ndarray
  boxes: np.ndarray
  scores: np.ndarray
  classes: np.ndarray
  outputs: Sequence[str]
  image_ids: Sequence[int | str] = ()
  category_ids: Sequence[int] = ()

  def records(self, least_score: float) -> list[dict[str, Any]]:
    """One for each detection: COCO's four fields, and two for people.

    'bbox' is (x, y, width, height) in pixels of the picture.
    """
    image_ids = self.image_ids or range(1, len(self.names) + 1)
    category_ids = self.category_ids or range(1, len(self.outputs) + 1)
    found = []
    for n, name in enumerate(self.names):
      height, width = self.sizes[n].tolist()
      for d in np.flatnonzero(self.scores[n] >= max(least_score, 1e-12)):
        top, left, bottom, right = self.boxes[n, d].astype(float).tolist()
        number = int(self.classes[n, d])
        sides = (left * width, top * height)
        sides += ((right - left) * width, (bottom - top) * height)
        found.append(
          {
            'image_id': image_ids[n],
            'category_id': int(category_ids[number]),
            'bbox': [round(side, 2) for side in sides],
            'score': round(float(self.scores[n, d]), 5),
            'file_name': str(name),
            'category': str(self.outputs[number]),
          }
        )
    return found


def write_json(path: pathlib.Path, records: Sequence[dict[str, Any]]) -> pathlib.Path:
  """Writes records as COCO's evaluation reads them.

  Raises:
    TrainingError: the file cannot be written.
  """
  lines = ',\n'.join(json.dumps(record) for record in records)
  return files.replace_file(path, f'[\n{lines}\n]\n'.encode())


def write_csv(path: pathlib.Path, records: Sequence[dict[str, Any]]) -> pathlib.Path:
  """Writes records with a row for each.

  Raises:
    TrainingError: the file cannot be written.
  """
  columns = ('photo', 'category', 'score', 'x', 'y', 'width', 'height')
  rows = ((r['file_name'], r['category'], r['score'], *r['bbox']) for r in records)
  return csv_file.write(path, columns, rows)
