"""Intersection over union of classes, from confusion matrices of pixels."""

import math

import jax
import jax.numpy as jnp
import numpy as np


def confusion(truth: jax.Array, labels: jax.Array, num_classes: int) -> jax.Array:
  """Pixels by (class, predicted class), of each image: (N, K, K) int32.

  Args:
    truth: (N, H, W); what is no class, such as 255, does not count.
    labels: (N, H, W), predicted, from 0 to K-1.
    num_classes: K.
  """
  truth, labels = truth.astype(jnp.int32), labels.astype(jnp.int32)
  known = (truth >= 0) & (truth < num_classes)
  nowhere = num_classes * num_classes
  places = jnp.where(known, truth * num_classes + labels, nowhere)

  def count(places):
    return jnp.zeros(nowhere, jnp.int32).at[places].add(1, mode='drop')

  counts = jax.vmap(count)(places.reshape(len(places), -1))
  return counts.reshape(-1, num_classes, num_classes)


def total(each: np.ndarray) -> np.ndarray:
  """The confusion of all images, int64: int32 counts no further than 2 ** 31."""
  return each.sum(axis=0, dtype=np.int64)


def iou(matrix: np.ndarray) -> np.ndarray:
  """(..., K, K) to (..., K), 0 to 1; NaN for classes neither there nor predicted."""
  right = np.diagonal(matrix, axis1=-2, axis2=-1).astype(np.float64)
  either = matrix.sum(-1) + matrix.sum(-2) - right
  return np.divide(right, either, np.full_like(right, np.nan), where=either > 0)


def recall(matrix: np.ndarray) -> np.ndarray:
  """(..., K, K) to (..., K): the share of a class's pixels found; NaN without any."""
  right = np.diagonal(matrix, axis1=-2, axis2=-1).astype(np.float64)
  there = matrix.sum(-1)
  return np.divide(right, there, np.full_like(right, np.nan), where=there > 0)


def numbers(matrix: np.ndarray) -> dict[str, float]:
  """mIoU and the mean accuracy of classes, in %; NaN where no pixel counts.

  The mean is over classes that are there or were predicted.
  """
  return {
    'mIoU': 100.0 * mean(iou(matrix)),
    'class_accuracy': 100.0 * mean(recall(matrix)),
  }


def mean(values: np.ndarray) -> float:
  """Of the values that are no NaN."""
  values = values[~np.isnan(values)]
  return float(values.mean()) if len(values) else math.nan
