"""What people see of predicted photos: a table, files, a contact sheet, heat maps."""

import pathlib
from collections.abc import Sequence

import numpy as np

from input_pipeline import photos as photo_files
from mobilenet.reports import canvas, counter, pictures
from mobilenet.tasks import Shown
from mobilenet.tasks.classification import (
  activation_map,
  calibration,
  contact_sheet,
  decision,
  predictions,
)
from mobilenet.weights.class_names import display_name

ALL_FILE = 'predictions_all.csv'
SHEET = 'predictions.html'

_MOST_COLUMNS = 50  # classes in predictions.csv; more are in a file of their own


def show_predictions(
  photos: Sequence[pathlib.Path], probabilities: np.ndarray, shown: Shown
) -> None:
  """See `Task.show_predictions`; probabilities are (N, K), as the network gives them.

  Where the run has a decision they are shown at its temperature, which changes no
  photo's most probable class.
  """
  names, title = shown.outputs, shown.title
  # Before the temperature: this checks that they are numbers.
  predictions.top_predictions(photos, probabilities, names, shown.top)
  if shown.run is None:
    made = shown.decision and decision.Decision(**shown.decision)
  else:
    made = decision.read(shown.run.folder, shown.run.step, names)
  if made is None:
    print(
      'note: without a decision.json, percentages are not calibrated and no photo is '
      'refused'
    )
  else:
    probabilities = calibration.scaled(probabilities, made.temperature)
    title = f'{title}; {decision.described(made)}'
  found = predictions.top_predictions(photos, probabilities, names, shown.top)
  said = decision.answers(probabilities, names, made)
  predictions.print_predictions(found, said['answer'], title=title)
  if shown.out is None:
    return
  columns = predictions.all_columns(probabilities, names)
  few = columns if len(names) <= _MOST_COLUMNS else {}
  written = [*predictions.write_predictions(shown.out, found, said, few)]
  if not few:
    written.append(
      predictions.write_all(shown.out / ALL_FILE, photos, {**said, **columns})
    )
  written.append(
    contact_sheet.write(
      shown.out / SHEET,
      photos,
      said['answer'],
      probabilities,
      [display_name(name) for name in names],
      title=title,
    )
  )
  for path in written:
    print(f'written: {path}')
  if shown.activation:
    _draw_activations(photos, probabilities, shown)


def _draw_activations(photos, probabilities: np.ndarray, shown: Shown) -> None:
  """Draws one picture per photo, of where its most probable class is seen."""
  taken, written = set(), 0
  names = canvas.drawable([display_name(name) for name in shown.outputs])
  variables = activation_map.on_one_device(shown.run.variables)
  with counter.counting(len(photos), 'heat maps') as advance:
    for path, row in zip(photos, probabilities, strict=True):
      photo, label = photo_files.read_photo(path), int(np.argmax(row))
      image = photo_files.prepare(photo, shown.ops)
      heat = activation_map.activation_maps(
        shown.run.model, variables, image[None], [label]
      )[0]
      window = photo_files.seen_window(photo.shape, shown.ops)
      stem = pictures.free_stem(path.stem, taken)
      title = f'{names[label]}, {100 * row[label]:.1f} %'
      activation_map.activation_picture(
        shown.out / f'{stem}-cam.png', photo, window, heat, title
      )
      written += 1
      if shown.own_size:
        activation_map.write_own_size(
          shown.out / f'{stem}-heat.jpg', photo, window, heat
        )
        written += 1
      advance(1)
  print(f'written: {written} pictures in {shown.out}')
