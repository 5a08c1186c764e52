"""What is done with trained networks: evaluate, predict, import, export.

evaluate_run(pathlib.Path('runs/mine'), split='test')
import_weights(config, pathlib.Path('runs/v2'))
predict(pathlib.Path('runs/v2'), ['cat.jpg'])
"""

import dataclasses
import json
import pathlib
from collections.abc import Sequence

import jax
import numpy as np
from ml_collections import ConfigDict

import input_pipeline
from mobilenet import experiment, trained
from mobilenet.models import counting
from mobilenet.reports import result, run_report
from mobilenet.training import files, sharding, workdir
from mobilenet.training.errors import TrainingError, require
from mobilenet.training.evaluation import evaluate
from mobilenet.training.step import make_eval_step
from mobilenet.weights import own_file
from mobilenet.weights.starting import start_from

FEW = 6  # classes, which are named where they are counted


def evaluate_run(
  folder: pathlib.Path, split: str | None = None, data_dir: str | None = None
) -> None:
  """Evaluates the newest checkpoint of a run, or imported weights, and reports.

  Args:
    folder: the run's.
    split: of the data; None for the config's `data.eval_split`.
    data_dir: where other data of the same classes lies; None for the run's own.

  Raises:
    TrainingError, DataError: no run or nothing trained is there, or the data cannot be
      read or has other classes.
  """
  mesh = sharding.make_mesh()
  run = trained.load_run(folder, mesh)
  config, task = run.config, experiment.make_task(run.config)
  split = split or config.data.eval_split
  source = experiment.open_source(config, split, data_dir)
  workdir.check_classes(folder, source.class_names, split)
  batches = experiment.eval_batches(config, source, mesh)
  # The network as it was trained, not folded: the numbers are those of the training's
  # own evaluation, to the last digit.
  evaluation = evaluate(
    make_eval_step(run.model, task, mesh),
    task,
    {'best': run.variables},
    batches,
    mesh,
    num_examples=source.num_examples,
    keep_predictions=True,
  )['best']
  for name in batches.corrupt:
    print(f'left out, since it cannot be read: {name}')
  if jax.process_index() == 0:
    report = folder / f'report-{split}'
    run_report.write_evaluation(
      report,
      evaluation,
      class_names=source.class_names,
      describe=source.describe,
      batches=lambda: experiment.eval_batches(config, source, mesh, all_here=True),
    )
    result.print_result(
      {
        'config': f'{folder.name}, step {run.step}, on {split}',
        **evaluation.metrics,
        'num_examples': evaluation.count,
        'unreadable_examples': evaluation.unreadable,
      }
    )
    print(f'report: {report}')


def import_weights(
  config: ConfigDict, folder: pathlib.Path, class_file: str | None = None
) -> None:
  """Makes a workdir of other people's weights, for evaluation, prediction and export.

  Args:
    config: with `init`, the file; what it sets of the network and the contract stays.
    folder: the workdir; it must hold no run yet.
    class_file: names of the classes in the order of the outputs, one a line or a JSON
      list; None for those of the file, of ImageNet where there are 1,000, or numbers.

  Raises:
    TrainingError, ModelError: the file cannot be used or the folder holds a run.
  """
  require(bool(config.init), 'give the weight file: --init=FILE')
  require(
    workdir.read_config(folder) is None,
    f'{folder} holds a run already; choose another --workdir',
  )
  weights = trained.load_weights(config.init)
  require(
    weights.has_head,
    f'{config.init} has no classifier; train one on it with '
    f'--config=configs/finetune.py --config.init={config.init}',
  )
  names, notes = class_names(weights, class_file), experiment.notes(config, weights)
  config = experiment.with_weights(config, weights)
  model = experiment.make_model(config, len(names))
  parameters, multiply_adds = counting.count(model, config.resolution)
  ops = experiment.ops(config, 'eval_ops')
  input_pipeline.check_ops(ops, 'eval')
  # Fields that the config sets may make another network than the file's.
  drawn = experiment.initial_variables(config, model)
  variables = start_from(weights, drawn, new_head=False)
  contract = trained.contract_of_run(config)
  with files.together(folder, last=workdir.CONFIG_FILE) as draft:
    own_file.save(
      draft / own_file.FILE,
      dataclasses.replace(
        weights, variables=variables, contract=contract, class_names=names
      ),
    )
    workdir.write_classes(draft, names)
    workdir.write_config(draft, config.to_dict())
  style = model.network.style
  print(
    f'{weights.origin}\n'
    f'{parameters:,} parameters, {multiply_adds / 1e6:.1f} M multiply-adds at '
    f'{config.resolution} px, {_counted(names)}\n'
    f'images: {ops}; padding {style.padding}, BatchNorm epsilon '
    f'{style.norm_epsilon:g}'
  )
  experiment.warn_of_own_ops(config)
  if weights.contract and weights.contract.label_offset:
    print(f'left out: the first {weights.contract.label_offset} of the classes')
  for note in notes:
    print(f'note: {note}')
  print(f'workdir: {folder}')


def _counted(names: Sequence[str]) -> str:
  """'2 classes (cats, dogs)'; of many the number alone."""
  few = f' ({", ".join(names)})' if len(names) <= FEW else ''
  return f'{len(names)} classes{few}'


def class_names(weights, class_file: str | None) -> tuple[str, ...]:
  """The names of the classes, see `import_weights`."""
  count = weights.model['num_classes']
  if class_file is None:
    return weights.class_names or tuple(f'class {n}' for n in range(count))
  try:
    text = pathlib.Path(class_file).expanduser().read_text(encoding='utf-8')
    names = json.loads(text) if class_file.endswith('.json') else text.splitlines()
  except (OSError, ValueError) as error:
    raise TrainingError(
      f'cannot read class names from {class_file}: {error}'
    ) from error
  require(
    isinstance(names, list),
    f'cannot read class names from {class_file}: its JSON is no list',
  )
  names = tuple(str(name).strip() for name in names)
  require(
    len(names) == count,
    f'{class_file} has {len(names)} names, the network {count} classes: one a line',
  )
  require(
    len(set(names)) == count and all(names),
    f'{class_file} has empty or repeated names; each class needs one of its own',
  )
  return names


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
  from input_pipeline import photos as photo_files
  from mobilenet.reports import prediction, predictions

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
  from input_pipeline import photos as photo_files
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


def export_weights(folder: pathlib.Path, framework: str, out: pathlib.Path) -> None:
  """Writes a run's weights as another framework loads them.

  Args:
    folder: the run's.
    framework: a key of `exporting.FRAMEWORKS`.
    out: the file.

  Raises:
    TrainingError, ModelError: no run, or the framework has no such network.
  """
  from mobilenet.weights import exporting

  weights = trained.to_weights(trained.load_run(folder))
  for line in exporting.export(weights, framework, out):
    print(line)
