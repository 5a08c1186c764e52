"""Makes a run from other people's weights.

    python main.py --job=import --init=mobilenet_v2-b0353104.pth --workdir=runs/v2

You can evaluate the run, predict with it and export it. The network and its
preprocessing are read from the file. No config is needed; what a given one sets of the
network and the preprocessing stays.
"""

import copy
import dataclasses
import json
import pathlib
from collections.abc import Sequence
from typing import Any

from ml_collections import ConfigDict

import input_pipeline
from mobilenet import config_files, experiment, limits, trained
from mobilenet.command_line import Flag, Given
from mobilenet.models import counting, detectors, named
from mobilenet.training import files, workdir
from mobilenet.training.errors import TrainingError, require
from mobilenet.weights import own_file
from mobilenet.weights.starting import start_from, unnamed

FINETUNE = 'configs/finetune.py'  # its fields are those of an imported workdir

FEW = 6  # up to so many classes are named where they are counted

FLAGS = (
  Flag('init', str, None, 'The weight file.'),
  Flag('class_names', str, None, 'A file of the class names, one per line.'),
)


def run(given: Given) -> int:
  config = given.config or config_files.load_config(FINETUNE)
  if given.flags.init is not None:
    config.init = given.flags.init
  require(
    given.flags.workdir is not None, 'name the folder to make: --workdir=runs/...'
  )
  import_weights(config, given.run_folder(), given.flags.class_names)
  return 0


def import_weights(
  config: ConfigDict, folder: pathlib.Path, class_file: str | None = None
) -> None:
  """Makes a workdir from other people's weights, for evaluation, prediction and export.

  Args:
    config: with `init`, the file; what it sets of the network and the contract stays.
    folder: the workdir; it must hold no run yet.
    class_file: names of the classes in the order of the outputs, one per line or a
      JSON list; None for those in the file, or ImageNet's of 1,000, or numbers.

  Raises:
    TrainingError, ModelError: the file cannot be used or the folder holds a run.
  """
  limits.check(config)
  require(bool(config.init), 'give the weight file: --init=FILE')
  require(
    not workdir.holds_run(folder),
    f'{folder} holds a run already; choose another --workdir',
  )
  weights = trained.load_weights(config.init)
  require(
    weights.has_head,
    f'{config.init} has no classifier; train one on it with '
    f'--config=configs/finetune.py --config.init={config.init}',
  )
  names, notes = class_names(weights, class_file), experiment.notes(config, weights)
  config = copy.deepcopy(config)
  config.task = named.kind(weights.model['name'])
  if config.task != 'classification':
    config.data.eval_ops = 'resize({resolution})'  # it looks at whole pictures
    config.data.name = {'detection': 'boxes', 'segmentation': 'masks'}[config.task]
    config[config.task] = reading(config, weights.model['name'])
    # Of recipes for classifiers, which detectors and segmenters refuse.
    config.loss.label_smoothing = config.loss.balance = 0.0
    config.loss.name, config.loss.target_threshold = 'softmax', None
    config.loss.sum_classes = False
    config.head_first.epochs = 0.0
  config = experiment.with_weights(config, weights)
  model = experiment.make_model(config, names)
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


def reading(config: ConfigDict, name: str) -> dict[str, Any]:
  """How the outputs of a detector or segmenter are read: the section of its task.

  That of the config, if it has one; else that of the run whose weights are imported,
  or what belongs to the published weights of a name.
  """
  if config.task in config:
    return config[config.task].to_dict()
  folder = pathlib.Path(config.init).expanduser()
  stored = workdir.read_config(folder) if folder.is_dir() else None
  if stored is not None:
    return stored.get(config.task, {})
  return dict(detectors.DETECTORS[name].reading) if config.task == 'detection' else {}


def _counted(names: Sequence[str]) -> str:
  """'2 classes (cats, dogs)'; of many only the number."""
  few = f' ({", ".join(names)})' if len(names) <= FEW else ''
  return f'{len(names)} classes{few}'


def class_names(weights, class_file: str | None) -> tuple[str, ...]:
  """The names of the classes, see `import_weights`."""
  count = weights.model['num_classes']
  if class_file is None:
    return weights.class_names or unnamed(count)
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
    f'{class_file} has {len(names)} names, the network {count} classes: one per line',
  )
  require(
    len(set(names)) == count and all(names),
    f'{class_file} has empty or repeated names; each class needs one of its own',
  )
  return names
