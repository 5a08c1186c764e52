"""Names what is on photos, and shows where the network sees it.

    python main.py --job=predict --workdir=runs/folder --out=predictions --cam photos/

TensorFlow is not needed.
"""

import pathlib
from collections.abc import Sequence

import numpy as np

import input_pipeline
from input_pipeline import photos as photo_files
from mobilenet import experiment, trained
from mobilenet.command_line import Flag, Given
from mobilenet.reports import prediction, predictions
from mobilenet.training import workdir
from mobilenet.training.errors import require

ARGUMENTS = 'PHOTOS_OR_FOLDERS...'
FLAGS = (
  Flag('top', int, 5, 'How many classes a photo.'),
  Flag('out', str, None, 'A folder for predictions as CSV and JSON.'),
  Flag('cam', bool, False, 'Draw where in each photo its first class is seen.'),
)


def run(given: Given) -> int:
  out = given.flags.out and workdir.local_path(given.flags.out)
  predict(
    given.run_folder(),
    given.arguments,
    top=given.flags.top,
    out=out,
    activation=given.flags.cam,
  )
  return 0


def predict(
  folder: pathlib.Path,
  photos: Sequence[str],
  *,
  top: int = 5,
  out: pathlib.Path | None = None,
  activation: bool = False,
) -> None:
  """Prints the most probable classes of photos; TensorFlow is not needed.

  Args:
    folder: the run's.
    photos: files and folders, which are searched.
    top: classes a photo.
    out: a folder for predictions.csv and predictions.json, and for the pictures.
    activation: draw where in each photo its first class is seen (Grad-CAM).

  Raises:
    TrainingError, ModelError, DataError: no run, no photos, none can be read.
  """
  require(bool(photos), 'name photos or folders: main.py --job=predict ... cat.jpg')
  require(
    out is not None or not activation,
    '--cam draws pictures: say where with --out=FOLDER',
  )
  paths = photo_files.find_photos(photos)
  run = trained.load_run(folder)
  ops = input_pipeline.parse_ops(experiment.ops(run.config, 'eval_ops'), 'eval')
  batch_size = min(len(paths), 32)
  predicted = prediction.predict_photos(*trained.folded(run), paths, ops, batch_size)
  if contract := experiment.contract_of(run.config):
    seen = photo_files.read_photo(predicted.photos[0])
    experiment.warn_of_range(contract, photo_files.prepare(seen, ops))
  found = predictions.top_predictions(
    predicted.photos, predicted.probabilities, run.class_names, top
  )
  predictions.print_predictions(found, title=f'{run.config.model.name}, {folder.name}')
  if out is None:
    return
  for path in predictions.write_predictions(out, found):
    print(f'written: {path}')
  if activation:
    draw_activations(run, predicted, ops, out)


def draw_activations(run: trained.Run, predicted, ops, out: pathlib.Path) -> None:
  """One picture a photo, of where its most probable class is seen."""
  from mobilenet.reports import activation_map
  from mobilenet.weights.class_names import display_name

  taken = set()
  for path, row in zip(predicted.photos, predicted.probabilities, strict=True):
    photo, label = photo_files.read_photo(path), int(np.argmax(row))
    image = photo_files.prepare(photo, ops)
    heat = activation_map.activation_maps(
      run.model, run.variables, image[None], [label]
    )[0]
    name, number = f'{path.stem}-cam.png', 1
    while name in taken:  # of photos of the same name in different folders
      name, number = f'{path.stem}-{number}-cam.png', number + 1
    taken.add(name)
    activation_map.activation_picture(
      out / name,
      photo,
      photo_files.seen_window(photo.shape, ops),
      heat,
      f'{display_name(run.class_names[label])}, {100 * row[label]:.1f} %',
    )
  print(f'written: {len(taken)} pictures in {out}')
