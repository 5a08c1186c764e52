"""Places for the loop: classification of cells, judged by distance."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from input_pipeline import cells as partition
from mobilenet.models.classifier import Answer
from mobilenet.tasks import Batch, Evaluated, Metric, Shown, Sums, Written
from mobilenet.tasks.classification.task import Classification
from mobilenet.tasks.places.distances import RADII, haversine, share_within
from mobilenet.training.errors import TrainingError, require

DATA = ('places', 'made_places')  # config.data.name


@dataclasses.dataclass(frozen=True)
class Places(Classification):
  """Softmax over the cells of `input_pipeline.cells`; the loss is classification's.

  The answer is the centre of the most probable cell. What counts is the share of photos
  whose answer is within `metric_km` of where they were taken, those in no cell too.

  metric_km: one of `distances.RADII`.
  cells: what the outputs stand for, tokens of S2; see `knowing`.
  """

  metric_km: int = 200
  cells: tuple[str, ...] = ()

  fields: ClassVar[tuple[str, ...]] = ('label', 'position')
  needs_examples: ClassVar[bool] = True

  def __post_init__(self):
    super().__post_init__()
    require(
      self.metric_km in RADII,
      f'--config.places.metric_km={self.metric_km}: it is one of '
      f'{", ".join(map(str, RADII))}',
    )

  @property
  def metric(self) -> Metric:
    title = f'Within {self.metric_km:,} km ({RADII[self.metric_km]})'
    return Metric(_name(self.metric_km), title, '%')

  def check_training(self, source, split_flag: str) -> None:
    require(
      source.name in DATA,
      f'{source.name} does not say where its photos were taken: set '
      '--config.data.name=places for a folder with a CSV of latitudes and longitudes',
    )
    count = len(source.class_names)
    require(
      count > 1,
      f'the photos for training make {count} cell{"s" * (count != 1)}, and it takes '
      'two to tell apart: a cell is split above --config.data.cells.most photos and '
      'dropped below --config.data.cells.fewest; lower them, or give more photos',
    )

  def for_training(self, source) -> 'Places':
    if -1 in source.labels:
      raise TrainingError(
        f'{source.labels.count(-1):,} photos of {source.split} lie in no cell, and '
        'only the split train leaves those out: --config.data.train_split=train'
      )
    return super().for_training(source).knowing(source.class_names)

  def knowing(self, outputs: Sequence[str]) -> 'Places':
    return dataclasses.replace(self, cells=tuple(outputs))

  def sums(self, outputs: jax.Array | Answer, batch: Batch) -> Sums:
    """As classification's; 'count' is of all photos, 'in_cells' of those with a label.

    Loss, top1 and top5 are of these alone.
    """
    found = super().sums(outputs, batch)
    mask = batch.get('mask', jnp.ones(len(batch['label']), jnp.float32))
    return {**found, 'in_cells': found['count'], 'count': jnp.sum(mask)}

  def zero_sums(self) -> dict[str, np.ndarray]:
    return {**super().zero_sums(), 'in_cells': np.zeros((), np.float32)}

  def metrics(self, sums) -> dict[str, float]:
    return super().metrics({**sums, 'count': sums['in_cells']})

  def kept(self, logits: jax.Array, batch: Batch) -> dict[str, jax.Array]:
    """The most probable cell alone: of all, the probabilities would fill the memory."""
    best = jnp.argmax(logits, axis=-1)
    probability = jnp.max(jax.nn.softmax(logits, axis=-1), axis=-1)
    return {'prediction': best, 'probability': probability}

  def finish(
    self, metrics: dict[str, float], kept: dict[str, np.ndarray] | None
  ) -> dict[str, float]:
    """Adds 'within_..._km' in % and 'median_km', of all photos.

    NaN without photos, or where a probability is no number: `argmax` answers then, too.
    """
    known = bool(kept) and bool(np.isfinite(kept['probability']).all())
    found = self.distances(kept) if known else np.zeros(0)
    shares = {_name(radius): share_within(found, radius) for radius in RADII}
    median = float(np.median(found)) if len(found) else math.nan
    return {**metrics, **shares, 'median_km': median}

  def distances(self, kept: Mapping[str, np.ndarray]) -> np.ndarray:
    """float64 (N,), km from where photos were taken to what is answered."""
    answers = partition.centres(self.cells)[kept['prediction']]
    return haversine(kept['position'], answers)

  def write_report(self, evaluated: Evaluated) -> Written:
    from mobilenet.tasks.places import pages  # figures, not for the loop

    return pages.write_report(self.knowing(evaluated.outputs), evaluated)

  def show_predictions(
    self, photos: list, predicted: dict[str, Any], shown: Shown
  ) -> None:
    from mobilenet.tasks.places import photo_pages

    photo_pages.show_predictions(photos, predicted['probabilities'], shown)


def _name(radius: int) -> str:
  return f'within_{radius}_km'
