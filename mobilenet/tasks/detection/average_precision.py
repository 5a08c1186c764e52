"""COCO's numbers of a detector, computed by faster-coco-eval (pycocotools, faster).

Truth and detections are given as shares of the picture, and compared in its pixels.
"""

import contextlib
import io
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

# COCO's twelve numbers, in their order (https://cocodataset.org/#detection-eval). AP:
# mean over IoU 0.5 to 0.95, all classes; at one IoU; of boxes below 32 x 32 pixels, up
# to 96 x 96, and above. AR: recall with so many detections of a picture, likewise.
NAMES = (
  *('mAP', 'AP50', 'AP75', 'AP_small', 'AP_medium', 'AP_large'),
  *('AR_1', 'AR_10', 'AR_100', 'AR_small', 'AR_medium', 'AR_large'),
)
IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)


class AveragePrecision(NamedTuple):
  """numbers: in %, by the names of `NAMES`; without those that no box is there for,
  but mAP, which is NaN then. precision: (10 IoUs, 101 recalls, K classes), 0 to 1, NaN
  for a class without boxes. K is one more than the greatest class number met.
  """

  numbers: dict[str, float]
  precision: np.ndarray


def of_examples(kept: Mapping[str, np.ndarray]) -> AveragePrecision:
  """Of evaluated examples.

  Args:
    kept: 'boxes' (N, M, 4), 'classes' (N, M), 'crowd' (N, M), 'size' (N, 2), and what
      was found: 'found_boxes' (N, D, 4), 'found_scores' (N, D), 'found_classes' (N, D).
  """
  truth = _truth(kept)
  found = _found(kept)
  if not any(not each['iscrowd'] for each in truth['annotations']):
    return AveragePrecision({'mAP': math.nan}, np.zeros((10, 101, 0)))
  from faster_coco_eval import COCO, COCOeval_faster

  with contextlib.redirect_stdout(io.StringIO()):
    ours = COCO(truth)
    # Nothing found is no file that it can load, but an answer all the same.
    theirs = ours.loadRes(found) if len(found) else COCO({**truth, 'annotations': []})
    evaluation = COCOeval_faster(ours, theirs, 'bbox', print_function=lambda *_: None)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
  numbers = dict(zip(NAMES, (100 * np.asarray(evaluation.stats[:12])), strict=True))
  numbers = {name: float(value) for name, value in numbers.items() if value >= 0}
  # (IoU, recall, class, area, most): all areas, 100 detections.
  precision = np.asarray(evaluation.eval['precision'], np.float64)[:, :, :, 0, -1]
  return AveragePrecision(numbers, np.where(precision < 0, np.nan, precision))


def _truth(kept) -> dict:
  images, annotations = [], []
  classes = kept['classes']
  most = max(classes.max(initial=0), kept['found_classes'].max(initial=0))
  for n, (height, width) in enumerate(kept['size'].tolist()):
    images.append({'id': n + 1, 'height': height, 'width': width})
  sides = _in_pixels(kept['boxes'], kept['size'])
  for n, m in np.argwhere(classes >= 0).tolist():
    x, y, width, height = sides[n, m].tolist()
    annotations.append(
      {
        'id': len(annotations) + 1,
        'image_id': n + 1,
        'category_id': int(classes[n, m]) + 1,
        'bbox': [x, y, width, height],
        'area': width * height,
        'iscrowd': int(kept['crowd'][n, m]),
      }
    )
  categories = [{'id': k + 1, 'name': str(k)} for k in range(most + 1)]
  return {'images': images, 'annotations': annotations, 'categories': categories}


def _found(kept) -> np.ndarray:
  """(R, 7) float64: picture, x, y, width, height, score, class."""
  scores = kept['found_scores']
  there = scores > 0
  picture = np.broadcast_to(np.arange(len(scores))[:, None] + 1, scores.shape)
  sides = _in_pixels(kept['found_boxes'], kept['size'])
  columns = (picture[there], *sides[there].T, scores[there])
  return np.stack([*columns, kept['found_classes'][there] + 1], axis=1)


def _in_pixels(boxes, size) -> np.ndarray:
  """(N, M, 4) shares to (x, y, width, height) in pixels, float64."""
  scale = np.tile(np.asarray(size, np.float64), 2)[:, None]  # (height, width) twice
  top, left, bottom, right = np.moveaxis(np.asarray(boxes, np.float64) * scale, -1, 0)
  return np.stack([left, top, right - left, bottom - top], axis=-1)
