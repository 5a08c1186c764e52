"""A learning rate for a config, from a range test on its own data and network."""

import pathlib
import tempfile
from collections.abc import Iterator

from ml_collections import ConfigDict

from mobilenet.reports import canvas, counter
from mobilenet.reports import rate_range as report
from mobilenet.runs import first_ranges, preparation, training
from mobilenet.runs.announcements import tell
from mobilenet.training import rate_range, workdir
from mobilenet.training.errors import TrainingError
from mobilenet.training.schedules import batch_scale

FIGURE, TABLE = 'find_rate.png', 'find_rate.csv'


def find_rate(
  config: ConfigDict,
  out: pathlib.Path,
  *,
  lowest: float,
  highest: float,
  steps: int,
  compiled: pathlib.Path | None = None,
) -> float:
  """Runs the test, prints and writes what it measured, and suggests a rate.

  Everything is the config's but the schedule: data, network, weights, loss, optimizer.
  No run is begun and no checkpoint is kept. Where the config lets the classifier learn
  first (`head_first`), it does so here too, in a folder that is deleted: the test then
  begins where the rest of the network will.

  Args:
    config: of the training that is to come.
    out: the folder for the figure and the CSV.
    lowest, highest, steps: see `rate_range.rising`.
    compiled: as in `training.train`, for the classifier.

  Returns:
    The value of `config.schedule.learning_rate`.

  Raises:
    TrainingError, ModelError, DataError: as `training.train`; or no loss is finite, or
      there is nothing to suggest.
  """
  schedule = rate_range.rising(lowest, highest, steps)
  config, weights, teacher = preparation.complete(config)
  found = preparation.open_run(config, teacher, None)
  # Raises for what training would refuse.
  preparation.schedule_of(config, found.plan)
  model, _, tx, variables, _ = preparation.make(config, found, weights, schedule)
  tell([*found.data.notes, *([found.teacher.described(config)] if teacher else [])])
  if config.head_first.epochs:
    with tempfile.TemporaryDirectory(prefix='find_rate-') as folder:
      head = workdir.local_path(folder) / training.HEAD_FOLDER
      outcome, variables = training.train_head(
        config, model, head, compiled, found.data
      )
    if outcome.stopped:
      raise TrainingError(f'{outcome.stopped}: nothing was measured')
  if config.model.rounded:
    variables = first_ranges.observed(
      config, model, variables(), found.data.train, found.mesh
    )
  learner, data = training.to_learn(
    config,
    model,
    variables,
    found.data.train,
    found.data.evaluation,
    found.mesh,
    found.teacher,
  )
  print(
    f'{config.model.name} x{config.model.width:g} at {config.resolution} px: {steps} '
    f'steps of {config.batch_size} images, learning rate {lowest:g} to {highest:g}'
  )
  batches = data.train(0)
  with counter.counting(steps, 'steps') as advance:
    measured = rate_range.measure(
      model=learner,
      task=found.task,
      tx=tx,
      schedule=schedule,
      variables=variables(),
      batches=batches,
      steps=steps,
      seed=config.seed,
      mesh=found.mesh,
      advance=advance,
      accumulate=config.accumulate,
    )
  for name in getattr(batches, 'corrupt', ()):
    print(f'left out, since it cannot be read: {name}')
  suggestion = rate_range.suggest(measured)
  title = f'{config.model.name}, batches of {config.batch_size}'
  report.show(measured)
  report.write_csv(out / TABLE, measured)
  canvas.save_png(report.draw(measured, suggestion, title=title), out / FIGURE)
  if measured.ended:
    print(f'ended after {len(measured.rates)} of {steps} steps: {measured.ended}')
  print(f'figure: {out / FIGURE}')
  if suggestion is None:
    raise TrainingError(
      'no rate is suggested: the loss neither falls by more than the noise of its '
      f'batches nor climbs; try more --steps than {steps}, or other rates than '
      f'--lowest={lowest:g} to --highest={highest:g}'
    )
  scale = batch_scale(config.schedule, config.batch_size)
  rate = _round(suggestion.rate / scale)
  for line in _told(suggestion, scale, highest):
    print(line)
  print(f'--config.schedule.learning_rate={rate}')
  return float(rate)


def _told(
  suggestion: rate_range.Suggestion, scale: float, highest: float
) -> Iterator[str]:
  """The suggestion in words; rates are those that a config with this scale gives."""
  rate, least, climb = (
    value and _round(value / scale)
    for value in (suggestion.rate, suggestion.least, suggestion.climb)
  )
  if least:
    yield f'suggested is the rate at which the loss falls fastest, {rate}'
    yield f'the loss is least at {least}' + f' and climbs from {climb} on' * bool(climb)
  else:
    yield (
      'the loss falls at no rate by more than its noise: the network is good already, '
      'or needs more --steps to show what it learns'
    )
    yield (
      f'it climbs from {climb} on; suggested is 1/{rate_range.BELOW_CLIMB:g} of that, '
      f'{rate}'
    )
  if suggestion.falling:
    yield (
      f'note: it still falls at the highest rate; --highest={10 * highest:g} looks '
      'further'
    )
  if scale != 1:
    yield (
      'note: these are as the config has them; schedule.reference_batch_size '
      f'multiplies them by {scale:g}, which table and figure show'
    )


def _round(rate: float) -> str:
  return f'{rate:.2g}'
