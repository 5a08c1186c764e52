"""Evaluated examples with boxes, made up."""

import numpy as np

EMPTY = -1


def examples(truth, found, *, crowd=(), size=(100, 200), detections=8, boxes=4):
  """What an evaluation keeps of pictures.

  Args:
    truth: of each picture (class, box)s. found: of each (class, box, score)s.
    crowd: (picture, box) pairs that are crowds.
  """
  count = len(truth)
  kept = {
    'index': np.arange(count),
    'boxes': np.zeros((count, boxes, 4), np.float32),
    'classes': np.full((count, boxes), EMPTY, np.int32),
    'crowd': np.zeros((count, boxes), bool),
    'size': np.tile(np.array(size, np.int32), (count, 1)),
    'found_boxes': np.zeros((count, detections, 4), np.float32),
    'found_scores': np.zeros((count, detections), np.float32),
    'found_classes': np.zeros((count, detections), np.int32),
  }
  for n in range(count):
    for m, (label, box) in enumerate(truth[n]):
      kept['classes'][n, m], kept['boxes'][n, m] = label, box
    for d, (label, box, score) in enumerate(found[n]):
      kept['found_classes'][n, d], kept['found_boxes'][n, d] = label, box
      kept['found_scores'][n, d] = score
  for place in crowd:
    kept['crowd'][place] = True
  return kept


LEFT, RIGHT = (0.1, 0.1, 0.6, 0.4), (0.2, 0.5, 0.9, 0.95)
