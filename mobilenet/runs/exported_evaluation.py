"""An exported file evaluated in its own runtime, as `training.evaluation` does runs."""

import math
from collections.abc import Iterable, Mapping

import jax
import numpy as np

from mobilenet import trained
from mobilenet.runs.exported_file import ExportedFile
from mobilenet.training.errors import require
from mobilenet.training.evaluation import Evaluation


def evaluate(
  file: ExportedFile,
  run: trained.Run,
  batches: Iterable[Mapping[str, np.ndarray]],
  source,
) -> Evaluation:
  """What a file answers for every example, measured by the task.

  Metrics that the answers do not tell, such as a detector's losses, are left out.

  Args:
    file: what answers.
    run: whose data it is; the images are prepared for it.
    batches: of `experiment.eval_batches`.
    source: that they are of.

  Raises:
    TrainingError: the file has other classes than the run.
    ExportError: it takes images of another size.
  """
  opened, task = file.opened, file.task
  require(
    task.own_classes or file.outputs == tuple(run.outputs),
    f'{opened.path} has other classes than {run.folder}: give the run that '
    'it was made of as --workdir',
  )
  contract = trained.contract_of_run(run.config)
  totals: dict[str, float] = {}
  rows, count, seen = [], 0, 0
  for batch in batches:
    batch = {name: np.asarray(value) for name, value in batch.items()}
    seen += int((batch['index'] >= 0).sum())
    read = batch['mask'] > 0
    if not read.any():
      continue
    images = batch.pop('image')[read]
    batch = {name: value[read] for name, value in batch.items()}
    count += len(images)
    outputs = task.answered(opened.named_answers(images, contract))
    for name, value in jax.device_get(task.sums(outputs, batch)).items():
      totals[name] = totals.get(name, 0.0) + np.asarray(value, np.float64)
    kept = {name: batch[name] for name in ('index', *task.fields)}
    rows.append(kept | jax.device_get(task.kept(outputs, batch)))
  predictions = {}
  if rows:
    joined = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
    order = np.argsort(joined['index'], kind='stable')
    predictions = {name: values[order] for name, values in joined.items()}
  assert seen == source.num_examples, f'evaluated {seen} of {source.num_examples}'
  metrics = task.finish(task.metrics(totals or task.zero_sums()), predictions)
  measured = round(float(totals.get('count', 0)))
  return Evaluation(
    metrics={k: v for k, v in metrics.items() if not _is_untold(k, v)},
    count=measured,
    unreadable=seen - count,
    untold=count - measured,
    predictions=predictions,
  )


def _is_untold(name: str, value: float) -> bool:
  return name.endswith('loss') and math.isnan(value)
