"""Names what is in photos, and shows where the network sees it.

    python main.py --job=predict --workdir=runs/folder --out=predictions --cam photos/
    python main.py --job=predict --exported=folder.tflite photos/

An exported file says itself how photos are prepared and what its answers mean; its
runtime computes them, so that you see what a phone will. TensorFlow is not needed.
"""

import pathlib
from collections.abc import Sequence

import input_pipeline
from input_pipeline import photos as photo_files
from mobilenet import experiment, trained
from mobilenet.command_line import Flag, Given
from mobilenet.reports import counter, prediction
from mobilenet.runs import exported_file
from mobilenet.runs.output_folder import check_out
from mobilenet.tasks import Shown
from mobilenet.training import workdir
from mobilenet.training.errors import require

NAME_PHOTOS = 'name photos or folders: main.py --job=predict ... cat.jpg'
ARGUMENTS = 'PHOTOS_OR_FOLDERS...'
FLAGS = (
  Flag('exported', str, None, 'A file of --job=export, instead of a run.'),
  Flag('runtime', str, None, "What runs it; the format's first by default."),
  Flag('top', int, 5, 'Number of answers per photo, the most probable first.'),
  Flag('out', str, None, 'A folder for predictions as CSV and JSON.'),
  Flag('cam', bool, False, 'Draw where the network sees the first answer.'),
  Flag('own_size', bool, False, 'With --cam: also over the photo at its own size.'),
  Flag('score', float, None, 'Of objects or tags: the least score that is shown.'),
)


def run(given: Given) -> int:
  score = given.flags.score
  require(score is None or 0 <= score <= 1, f'--score={score} must be from 0 to 1')
  flags, out = given.flags, given.flags.out and workdir.local_path(given.flags.out)
  if flags.exported is not None:
    require(not flags.cam, '--cam needs the run itself: give its --workdir')
    predict_exported(
      workdir.local_path(flags.exported),
      given.arguments,
      runtime=flags.runtime,
      top=flags.top,
      out=out,
      score=flags.score,
    )
    return 0
  require(flags.runtime is None, '--runtime is for an --exported file: name it')
  predict(
    given.run_folder(),
    given.arguments,
    top=given.flags.top,
    out=out,
    activation=given.flags.cam,
    own_size=given.flags.own_size,
    score=given.flags.score,
  )
  return 0


def predict(
  folder: pathlib.Path,
  photos: Sequence[str],
  *,
  top: int = 5,
  out: pathlib.Path | None = None,
  activation: bool = False,
  own_size: bool = False,
  score: float | None = None,
) -> None:
  """Prints what is in photos; TensorFlow is not needed.

  Args:
    folder: the run's.
    photos: files and folders, which are searched.
    top: answers per photo.
    out: a folder for predictions.csv, predictions.json, predictions.html, and for the
      pictures.
    activation: draw where in each photo the first answer is seen (Grad-CAM).
    own_size: with `activation`, also over the photo at its own size.
    score: of objects or tags, the least that is shown; None for the report's choice.

  Raises:
    TrainingError, ModelError, DataError: no run, no photos, or none that can be read.
  """
  require(bool(photos), NAME_PHOTOS)
  require(
    out is not None or not activation,
    '--cam draws pictures: say where with --out=FOLDER',
  )
  require(activation or not own_size, '--own_size is for the pictures of --cam: add it')
  paths = photo_files.find_photos(photos)
  run = trained.load_run(folder)
  task = experiment.make_task(run.config)
  require(
    task.has_embeddings or not activation,
    '--cam draws where a classifier looks; --out alone draws what is found',
  )
  if out is not None:
    check_out(out, paths, run.config)
  ops = input_pipeline.parse_ops(experiment.ops(run.config, 'eval_ops'), 'eval')
  batch_size = min(len(paths), 32)
  model, variables = trained.folded(run)
  with counter.counting(len(paths), 'photos') as advance:
    predicted = prediction.predict_photos(
      model, task, variables, paths, ops, batch_size, advance=advance
    )
  if contract := experiment.contract_of(run.config):
    seen = photo_files.read_photo(predicted.photos[0])
    experiment.warn_of_range(contract, photo_files.prepare(seen, ops))
  shown = Shown(
    title=f'{run.config.model.name}, {folder.name}',
    outputs=run.outputs,
    run=run,
    ops=ops,
    top=top,
    out=out,
    activation=activation,
    own_size=own_size,
    score=score,
  )
  task.show_predictions(predicted.photos, predicted.outputs, shown)


def predict_exported(
  file: pathlib.Path,
  photos: Sequence[str],
  *,
  runtime: str | None = None,
  top: int = 5,
  out: pathlib.Path | None = None,
  score: float | None = None,
) -> None:
  """Prints what an exported file says of photos, in its own runtime.

  Args:
    file: of `--job=export`.
    runtime: a key of `formats.RUNTIMES`; None for the format's first.
    photos, top, out, score: see `predict`.

  Raises:
    TrainingError, ModelError, DataError: no such file or runtime, no photos, or none
      that can be read.
  """
  require(bool(photos), NAME_PHOTOS)
  paths = photo_files.find_photos(photos)
  if out is not None:
    check_out(out, paths)
  found = exported_file.open_file(file, runtime)
  with counter.counting(len(paths), 'photos') as advance:
    predicted = prediction.photos_through(
      found.predictions, paths, found.ops, min(len(paths), 32), advance=advance
    )
  shown = Shown(
    title=f'{file.name}, {found.opened.name}',
    outputs=found.outputs,
    ops=found.ops,
    top=top,
    out=out,
    decision=found.decision,
    score=score,
  )
  found.task.show_predictions(predicted.photos, predicted.outputs, shown)
