"""Photos whose label a simple classifier on a trained network's features doubts.

The trunk of the network stays as it is. Each photo is judged by a logistic regression
that was fitted to other photos, and those of whose label it is least sure come first:
the self-confidence of 'Confident Learning', Northcutt et al. (1911.00068), in 20 lines
of NumPy, which is why cleanlab is not needed.
"""

import dataclasses
import functools
import warnings
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from input_pipeline import DataError, photos
from input_pipeline.op_string import Op

FOLDS = 5
FEWEST = FOLDS  # photos of a class: each fold needs one
BATCH = 32
FIT = 3.0  # weight of a photo's mean loss against the penalty; 1 to 10 did as well
# Beyond this ratio of sides, resizing the short one makes an image too large to hold.
LONGEST = 12


@dataclasses.dataclass(frozen=True)
class Doubts:
  """What the classifier says of N photos.

  indexes: places of the photos, (N,), the least certain first.
  confidence: probability of the photo's own label, (N,).
  likely: the most probable other class, (N,) names.
  suspects: of how many, from the beginning, the label is likely to be wrong.
  accuracy: share of all photos whose label is the classifier's first guess.
  left_out: classes with too few photos to be judged.
  """

  indexes: np.ndarray
  confidence: np.ndarray
  likely: tuple[str, ...]
  suspects: int
  accuracy: float
  left_out: tuple[str, ...] = ()


def preparation(ops: tuple[Op, ...]) -> Callable[[np.ndarray], np.ndarray]:
  """Pixels to what the network is given; a DataError for a photo too long for it."""

  def prepare(pixels):
    short, long = sorted(pixels.shape[:2])
    if long > LONGEST * short:
      raise DataError(f'its sides are {long} and {short} px')
    return photos.prepare(pixels, ops)

  return prepare


class Features:
  """Collects the features of photos, (channels,) each, a batch at a time.

  Args:
    model: whose `features` are averaged over the image.
    variables: of the model.
  """

  def __init__(self, model: nn.Module, variables):
    self._run = functools.partial(_pooled, model, jax.device_put(variables))
    self._waiting, self._done, self._places = [], [], []

  def take(self, place: int, image: np.ndarray) -> None:
    """Adds a photo, prepared, float32 (H, W, 3)."""
    self._places.append(place)
    self._waiting.append(image)
    if len(self._waiting) == BATCH:
      self._compute()

  def _compute(self):
    images = np.stack(self._waiting)
    missing = BATCH - len(images)  # filled up, so that one shape is compiled
    images = np.pad(images, [(0, missing), (0, 0), (0, 0), (0, 0)])
    self._done.append(self._run(images)[: len(self._waiting)])
    self._waiting = []

  def all(self) -> tuple[np.ndarray, np.ndarray]:
    """(places (N,), features (N, channels)) of the photos so far."""
    if self._waiting:
      self._compute()
    if not self._done:
      return np.zeros(0, np.int64), np.zeros((0, 1), np.float32)
    return np.array(self._places), np.concatenate(jax.device_get(self._done))


@functools.partial(jax.jit, static_argnums=0)
def _pooled(model, variables, images):
  maps, _ = model.apply(variables, images, method='features')
  return jnp.mean(maps.astype(jnp.float32), axis=(1, 2))


def doubts(
  places: np.ndarray, features: np.ndarray, labels: Sequence[str]
) -> Doubts | None:
  """Judges each photo by those of other folds.

  Args:
    places: of the photos, (N,).
    features: (N, channels).
    labels: N names of classes; those with fewer than `FEWEST` photos are left out.

  Returns:
    None where fewer than two classes are left.
  """
  labels = np.asarray(labels, str)
  names, counts = np.unique(labels, return_counts=True)
  kept = np.isin(labels, names[counts >= FEWEST])
  left_out = tuple(names[counts < FEWEST].tolist())
  names = names[counts >= FEWEST]
  if len(names) < 2:
    return None
  places, features = places[kept], features[kept]
  given = np.searchsorted(names, labels[kept])
  found = probabilities(features, given)
  rows = np.arange(len(given))
  own = found[rows, given]
  others = found.copy()
  others[rows, given] = -1
  order = np.argsort(own, kind='stable')
  return Doubts(
    indexes=places[order],
    confidence=own[order],
    likely=tuple(names[others.argmax(axis=1)[order]].tolist()),
    suspects=int(wrong(found, given).sum()),
    accuracy=float((found.argmax(axis=1) == given).mean()),
    left_out=left_out,
  )


def wrong(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
  """(N,) bool: which labels are likely to be wrong, by confident learning.

  A photo counts for another class if its probability there reaches the average that
  photos of that class have for it, and its own class does not come first.

  Args:
    probabilities: (N, K), each row by a classifier that has not seen the photo.
    labels: (N,) of 0..K-1; each class has photos.
  """
  classes = range(probabilities.shape[1])
  usual = np.array([probabilities[labels == k, k].mean() for k in classes])
  reached = np.where(probabilities >= usual, probabilities, -1)
  return (reached.max(axis=1) >= 0) & (reached.argmax(axis=1) != labels)


def probabilities(features: np.ndarray, labels: np.ndarray) -> np.ndarray:
  """(N, K): what a logistic regression on the other folds says of each photo."""
  from sklearn.exceptions import ConvergenceWarning
  from sklearn.linear_model import LogisticRegression
  from sklearn.model_selection import StratifiedKFold, cross_val_predict

  spread = features.std(axis=0)
  scaled = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
  # A strong penalty: a wrong label must not be learned by heart. scikit-learn weighs it
  # against the sum over all photos. Classes are not weighted, which found fewer swapped
  # labels where classes are unbalanced.
  classifier = LogisticRegression(C=FIT / len(labels), max_iter=200, tol=1e-2)
  folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
  with warnings.catch_warnings():
    warnings.simplefilter('ignore', ConvergenceWarning)  # nearly there is enough
    return cross_val_predict(
      classifier, scaled, labels, cv=folds, method='predict_proba'
    )
