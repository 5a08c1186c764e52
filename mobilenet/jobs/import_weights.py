"""Makes a run of other people's weights, to evaluate, predict with and export.

    python main.py --job=import --init=mobilenet_v2-b0353104.pth --workdir=runs/v2

The network and how images must be prepared are read from the file. A config is not
needed; what one sets of the network and the preparation stays.
"""

import dataclasses
import json
import pathlib

from ml_collections import ConfigDict

from mobilenet import config_files, experiment, limits, trained
from mobilenet.command_line import Flag, Given
from mobilenet.models import counting
from mobilenet.training import workdir
from mobilenet.training.errors import TrainingError, require
from mobilenet.weights import own_file

FINETUNE = 'configs/finetune.py'  # its fields are those of an imported workdir

FLAGS = (
  Flag('init', str, None, 'The weight file.'),
  Flag('class_names', str, None, 'A file of the class names, one a line.'),
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
  """Makes a workdir of other people's weights, for evaluation, prediction and export.

  Args:
    config: with `init`, the file; what it sets of the network and the contract stays.
    folder: the workdir; it must hold no run yet.
    class_file: names of the classes in the order of the outputs, one a line or a JSON
      list; None for those of the file, of ImageNet where there are 1,000, or numbers.

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
  config = experiment.with_weights(config, weights)
  names = class_names(weights, class_file)
  model = experiment.make_model(config, names)
  parameters, multiply_adds = counting.count(model, config.resolution)
  own_file.save(
    folder / own_file.FILE,
    dataclasses.replace(
      weights, contract=experiment.contract_of(config), class_names=names
    ),
  )
  workdir.write_classes(folder, names)
  workdir.write_config(folder, config.to_dict())  # last: with it, the run is there
  print(
    f'{weights.origin}\n'
    f'{parameters:,} parameters, {multiply_adds / 1e6:.1f} M multiply-adds at '
    f'{config.resolution} px, {len(names)} classes\n'
    f'images: {experiment.contract_of(config).eval_ops(config.resolution)}; '
    f'padding {config.model.padding}, BatchNorm epsilon {config.model.norm_epsilon:g}'
  )
  if weights.contract and weights.contract.label_offset:
    print(f'left out: the first {weights.contract.label_offset} of the classes')
  for note in weights.notes:
    print(f'note: {note}')
  print(f'workdir: {folder}')


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
