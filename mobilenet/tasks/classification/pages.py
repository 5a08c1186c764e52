"""The report of an evaluation: files of numbers and pictures, and the page's sections.

Numbers are written first and shown then, so that the page says nothing that is not in
a file beside it.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from mobilenet.reports import canvas, csv_file, terminal
from mobilenet.tasks import Evaluated, Written
from mobilenet.tasks.classification import (
  calibration,
  classes,
  decision,
  figures,
  judgement,
  mistakes,
  report_page,
  thresholds,
)
from mobilenet.training import files, logs


def write_report(
  evaluated: Evaluated,
  *,
  positive: str = '',
  accept_share: float = 0.95,
  show: bool = True,
) -> Written:
  """Writes what an evaluation found, and makes the sections of its page.

  All but the predictions are of the examples that have a label. Where none has one the
  predictions are written alone, and a line says so.

  Args:
    evaluated: with predictions.
    positive: of two classes the one that is looked for; '' is the second.
    accept_share: see `decision.decide`.
    show: whether to print the per-class table.

  Returns:
    'balanced_accuracy' in percent, and the sections; nothing where no example has a
    label.

  Raises:
    TrainingError: a file cannot be written, or the positive class does not exist.
  """
  folder, names = evaluated.folder, evaluated.outputs
  kept, examples = evaluated.evaluation.predictions, evaluated.examples
  place = thresholds.positive_place(names, positive)
  path = classes.write_predictions(
    folder / 'predictions.csv',
    [examples.describe(int(index)) for index in kept['index']],
    kept['label'],
    kept['prediction'],
    kept['probabilities'].max(axis=1),
    class_names=names,
  )
  labelled = kept['label'] >= 0
  if not labelled.all():
    print(f'note: {_lacking(labelled)}; what the network says of all: {path}')
    kept = {name: values[labelled] for name, values in kept.items()}
  if not labelled.any():
    return Written({})
  labels, predicted = kept['label'], kept['prediction']
  probabilities = kept['probabilities']
  rows, overall = classes.per_class(
    labels, predicted, probabilities, names, positive=place
  )
  classes.write_per_class(folder / 'classes.csv', rows, overall)
  facts = judgement.Facts(
    evaluated=evaluated,
    rows=rows,
    overall=overall,
    matrix=classes.confusion_matrix(labels, predicted, len(names)),
    names=names,
    confidence=probabilities.max(axis=1),
    decided=_decided(evaluated, probabilities, labels, place, accept_share),
  )
  sections = [report_page.in_short(facts)]
  sections.append(report_page.where_it_fails(facts, _worst(facts, kept)))
  sections.append(report_page.each_class(facts))
  known = facts.decided if isinstance(facts.decided, decision.Decision) else None
  scaled = calibration.scaled(probabilities, known.temperature if known else 1)
  if len(names) == 2 and overall['roc_auc'] is not None:
    flagging = _flagging(folder, labels == place, scaled[:, place], known, overall)
    sections.append(report_page.flagging(flagging))
  sureness = _sureness(folder, probabilities, scaled, labels, known, evaluated.decide)
  sections.append(report_page.how_sure(sureness, facts.decided))
  if show:
    classes.print_per_class(rows, overall)
  return Written({'balanced_accuracy': 100 * overall['balanced_accuracy']}, sections)


def _decided(
  evaluated: Evaluated, probabilities, labels, place: int, accept_share: float
) -> decision.Decision | str | None:
  """Decides if that is asked for; else what was decided before for these weights."""
  run = evaluated.run
  if run is None:
    return None
  if not evaluated.decide:
    return decision.read(run.folder, run.step, evaluated.outputs)
  decided = decision.decide(
    probabilities,
    labels,
    evaluated.outputs,
    positive=place,
    accept_share=accept_share,
    split=evaluated.split,
    step=run.step,
  )
  if isinstance(decided, decision.Decision):
    decision.write(run.folder, decided)
  else:
    decision.remove(run.folder)
  return decided


def _worst(facts: judgement.Facts, kept) -> list[tuple[mistakes.Mistake, str]]:
  """The worst mistakes with captions; also drawn as mistakes.png."""
  evaluated, labels, predicted = facts.evaluated, kept['label'], kept['prediction']
  places = classes.worst_mistakes(labels, predicted, facts.confidence, mistakes.WORST)
  found = mistakes.collect(evaluated, kept['index'][places], predicted[places])
  drawn, titles, captions = canvas.drawable(facts.names), [], []
  for place in places:
    name = evaluated.examples.describe(int(kept['index'][place]))
    true, said = labels[place], predicted[place]
    certainty = facts.confidence[place]
    titles.append(figures.mistake_title(drawn[true], drawn[said], certainty, name))
    captions.append(
      f'{terminal.shorten(str(facts.names[true]), 40)}, taken for '
      f'{terminal.shorten(str(facts.names[said]), 40)} at {100 * certainty:.1f} %: '
      f'{_short_path(name)}'
    )
  folder = evaluated.folder
  figures.confusion(facts.matrix, drawn, folder / 'confusion.png')
  figures.mistakes([each.photo for each in found], titles, folder / 'mistakes.png')
  return list(zip(found, captions, strict=True))


def _short_path(name: str) -> str:
  """The file with the folder that it is in: predictions.csv has the whole path."""
  return '/'.join(name.replace('\\', '/').split('/')[-2:])


def _flagging(
  folder: pathlib.Path,
  is_positive: np.ndarray,
  scores: np.ndarray,
  known: decision.Decision | None,
  overall: Mapping[str, Any],
) -> report_page.Flagging:
  table = thresholds.table(is_positive, scores, known and known.threshold)
  csv_file.write_records(
    folder / 'thresholds.csv', [dataclasses.asdict(row) for row in table]
  )
  return report_page.Flagging(
    table=table,
    curve=thresholds.curve(is_positive, scores),
    area=overall['roc_auc'],
    positive=overall['positive'],
    share=float(is_positive.mean()),
  )


def _sureness(
  folder: pathlib.Path,
  probabilities: np.ndarray,
  scaled: np.ndarray,
  labels: np.ndarray,
  known: decision.Decision | None,
  own: bool,
) -> report_page.Sureness:
  """Writes calibration.json. `own`: the temperature was fitted on these examples."""
  confidence = probabilities.max(axis=1)
  correct = probabilities.argmax(axis=1) == labels
  before = calibration.bins(confidence, correct)
  numbers = {
    'calibration_error': calibration.error(confidence, correct),
    'calibration_error_by_chance': calibration.error_by_chance(confidence),
    'mean_confidence': float(confidence.mean()),
    'bins': [each._asdict() for each in before],
  }
  after = None
  if known is not None:
    sure = scaled.max(axis=1)
    accepted = sure >= known.accept
    after = calibration.bins(sure, correct)
    numbers |= {
      'temperature': known.temperature,
      'calibration_error_scaled': calibration.error(sure, correct),
      'accept': known.accept,
      'accepted': float(accepted.mean()),
      'accuracy_of_accepted': float(correct[accepted].mean()) if accepted.any() else 0,
      'bins_scaled': [each._asdict() for each in after],
    }
    if own:
      held_out = calibration.held_out_error(probabilities, labels)
      numbers['calibration_error_held_out'] = held_out
  text = json.dumps(logs.to_json(numbers), indent=2) + '\n'
  files.replace_file(folder / 'calibration.json', text.encode())
  return report_page.Sureness(numbers, before, after)


def _lacking(labelled: np.ndarray) -> str:
  number = len(labelled)
  if not labelled.any():
    return f'none of these {number:,} examples has a label, so nothing can be measured'
  lacking = number - np.count_nonzero(labelled)
  return (
    f'{lacking:,} of these {number:,} examples have no label and count in no number'
  )
