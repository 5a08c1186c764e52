"""What all experiments share: the fields of a config, its argument, its sweeps."""

import difflib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ml_collections import ConfigDict
from ml_collections.config_dict import placeholder


def base() -> ConfigDict:
  """Every field of an experiment, with defaults that suit no experiment in particular.

  Durations name their unit. A placeholder (None) stands for the default of whatever
  reads the field, such as the network or the optimizer.
  """
  config = ConfigDict()
  config.seed = 0
  config.task = 'classification'  # what a run learns: a folder of mobilenet/tasks
  config.resolution = 224  # px; stands for {resolution} in the op strings below

  config.model = ConfigDict()
  config.model.name = ''
  config.model.width = 1.0
  config.model.dropout = 0.0
  config.model.stochastic_depth = 0.0
  config.model.padding = placeholder(str)
  config.model.stem_width = placeholder(int)
  config.model.hidden_width = placeholder(int)
  config.model.hidden_act = placeholder(str)
  config.model.act = placeholder(str)
  config.model.expansion = placeholder(str)
  # Rows of a network that has no name here: the searched.json of a search.
  config.model.table = placeholder(str)
  config.model.norm = placeholder(bool)  # False: norms are folded into convolutions
  config.model.norm_momentum = placeholder(float)
  config.model.norm_epsilon = placeholder(float)
  # Images that a norm takes together in training: those of a device of the papers. None
  # or 0: the whole batch, over all devices.
  config.model.norm_group = placeholder(int)
  config.model.init = placeholder(str)
  config.model.dtype = 'float32'
  config.model.lowering = 'auto'
  config.model.remat = False  # less memory: backward passes compute rows again
  config.model.trained = 'all'  # or 'classifier', 'last 3', 'stride 8': see freezing.py
  config.model.rounded = False  # trained as int8 files compute: see configs/qat.py

  config.init = ''  # a weight file, or a finished workdir, to start from
  config.new_head = False  # replace its classifier by a new one
  # Before the run the classifier alone may learn, on images without augmentation, while
  # the rest of the network is frozen.
  config.head_first = ConfigDict()
  config.head_first.epochs = 0.0
  config.head_first.learning_rate = 0.003
  # How images are prepared for those weights; None means as the weights have it. In op
  # strings {contract} stands for all of it, {normalize} for its last step.
  config.contract = ConfigDict()
  config.contract.mean = placeholder(tuple)
  config.contract.std = placeholder(tuple)
  config.contract.resize = placeholder(str)
  config.contract.crop_fraction = placeholder(float)
  config.contract.interpolation = placeholder(str)
  config.contract.antialias = placeholder(bool)
  config.contract.resolution = placeholder(int)
  config.contract.channel_order = placeholder(str)
  config.contract.label_offset = placeholder(int)

  config.data = ConfigDict()
  config.data.name = (
    'imagenet2012'  # TFDS' name, 'folder', 'boxes', 'masks', 'made', ...
  )
  config.data.dir = ''  # the folder, or TFDS' directory ('' is TFDS' default)
  config.data.train_split = 'train'
  config.data.eval_split = 'validation'
  config.data.holdout = 0.2  # of a folder without train/: the share for evaluation
  config.data.group = ''  # what stays on one side: 'patient\\d+' in names, or a .csv
  config.data.fold = ''  # '2/5' evaluates on the second of five parts instead
  config.data.train_ops = 'inception_crop({resolution})|flip|value_range(-1, 1)'
  config.data.eval_ops = (
    'central_fraction(0.875)|resize({resolution})|value_range(-1, 1)'
  )
  config.data.batch_ops = ''  # 'mixup(0.2)' and the like
  config.data.repeats = 1  # rows of a batch for each of its images, drawn anew each
  # Given weights bring their own preparation: eval_ops becomes {contract}, the end of
  # train_ops becomes {normalize}. True keeps both as written above.
  config.data.own_ops = False
  config.data.corrupt_limit = 10  # unreadable images before the run stops
  config.data.shuffle_buffer = 50_000  # examples; for data that is read in order
  config.data.made_examples = 1024
  config.data.made_classes = 10

  config.batch_size = 256  # over all devices
  config.accumulate = 1  # parts of a batch, computed one after the other: less memory
  config.shards = 1  # devices that share one copy of weights, optimizer and averages
  config.eval_batch_size = 256
  config.epochs = 100.0
  config.steps = placeholder(int)  # instead of epochs

  config.optimizer = ConfigDict()
  config.optimizer.name = 'rmsprop_tf'
  config.optimizer.decay = placeholder(float)
  config.optimizer.momentum = placeholder(float)
  config.optimizer.eps = placeholder(float)
  config.optimizer.nesterov = placeholder(bool)
  config.optimizer.b1 = placeholder(float)
  config.optimizer.b2 = placeholder(float)
  config.optimizer.weight_decay = placeholder(float)  # decoupled: adamw's
  config.optimizer.decay_depthwise = False
  config.optimizer.clip_norm = placeholder(float)
  config.optimizer.layer_decay = placeholder(float)  # of the rate, row by row
  config.optimizer.stale_steps = 0  # asynchronous workers less one: staleness.py

  config.schedule = ConfigDict()
  config.schedule.name = 'cosine'
  config.schedule.learning_rate = 0.1
  config.schedule.reference_batch_size = placeholder(int)
  config.schedule.warmup_epochs = 0.0
  config.schedule.warmup_from = 0.0
  config.schedule.decay_rate = placeholder(float)
  config.schedule.decay_every_epochs = placeholder(float)
  config.schedule.staircase = placeholder(bool)
  config.schedule.end_factor = placeholder(float)
  config.schedule.power = placeholder(float)

  config.loss = ConfigDict()
  config.loss.name = 'softmax'  # or 'sigmoid': a yes or no to every class
  config.loss.target_threshold = placeholder(float)  # sigmoid's: 1 above it, else 0
  config.loss.sum_classes = False  # sigmoid's: the sum over classes, not their mean
  config.loss.label_smoothing = 0.0
  config.loss.l2 = 0.0  # factor of 0.5 * sum(w^2), in the loss
  config.loss.l2_depthwise = False
  config.loss.balance = 0.0  # 1: every class counts the same, whatever its size

  # A network that the run learns from besides the labels (1503.02531).
  config.teacher = ConfigDict()
  config.teacher.weights = ''  # a weight file or a finished workdir, or instead:
  config.teacher.logits = ''  # its answers for each photo, from --job=logits
  config.teacher.hard = 1.0  # the labels' share of the loss; 1: no teacher
  config.teacher.temperature = 2.0  # divides both networks' logits
  config.teacher.features = 0.0  # weight of similarities, see configs/distill.py
  config.teacher.resolution = placeholder(int)  # px that it sees; None: its own
  config.teacher.crc32 = placeholder(str)  # of the teacher; a run fills it in

  config.report = ConfigDict()
  config.report.positive = (
    ''  # of two classes the one that is looked for; '': the second
  )
  config.report.accept_share = 0.95  # of right answers; fewer: more 'none of these'

  config.ema_decay = placeholder(float)
  # Keep the best of all evaluations, by the task's metric, instead of the last. After
  # `patience` evaluations without a better one the run ends.
  config.keep_best = False
  config.patience = placeholder(int)
  config.max_skipped_in_a_row = 20  # non-finite steps before the run stops
  config.log_steps = 100
  config.eval_every_epochs = 1.0
  config.checkpoint_every_epochs = 1.0
  return config


def parse_arg(arg: str | None, **defaults):
  """Reads the text after a config's ':', 'width=0.75,resolution=192,quick'.

  Args:
    arg: comma-separated name=value, or a bare name for True; None for no argument.
    **defaults: the known names; a value is parsed as the type of its default.

  Returns:
    A dict with a value for every name.

  Raises:
    ValueError: an unknown name, or a value of another type, in one line.
  """
  values = dict(defaults)
  for part in filter(None, (arg or '').split(',')):
    name, given, text = part.partition('=')
    if name not in defaults:
      near = difflib.get_close_matches(name, defaults, n=1, cutoff=0.5)
      hint = f'did you mean {near[0]}?' if near else f'there are {", ".join(defaults)}'
      raise ValueError(f'config argument {name!r} does not exist; {hint}')
    kind = type(defaults[name])
    if kind is bool:
      if given and text not in ('true', 'True', 'false', 'False'):
        raise ValueError(f'config argument {part!r}: {name} is true or false')
      values[name] = not given or text in ('true', 'True')
      continue
    try:
      values[name] = kind(text)
    except ValueError:
      raise ValueError(
        f'config argument {part!r}: {name} is {_KINDS[kind]}, such as '
        f'{name}={defaults[name]}'
      ) from None
  return values


_KINDS = {int: 'a whole number', float: 'a number', str: 'a word'}


def quick(config: ConfigDict, width: float = 0.25) -> ConfigDict:
  """Shrinks an experiment to a minute: made-up data, narrow, small, few steps.

  Optimizer, loss, schedule, augmentation and averages stay the experiment's own. The
  learning rate is scaled down to the small batch.
  """
  shrink = 16 / config.batch_size
  if config.schedule.reference_batch_size is None:
    config.schedule.learning_rate *= shrink
  config.data.name = 'made'
  config.data.dir = ''
  config.data.train_split, config.data.eval_split = 'train', 'validation'
  config.data.made_examples = 256
  config.model.width = width
  config.model.norm_momentum = 0.9  # few steps
  config.resolution = 64
  config.batch_size = 16
  config.eval_batch_size = 32
  config.epochs = 4.0
  config.steps = None
  config.schedule.warmup_epochs = min(config.schedule.warmup_epochs, 1.0)
  config.log_steps = 8
  config.eval_every_epochs = 2.0
  config.checkpoint_every_epochs = 2.0
  return config


def adamw(config: ConfigDict, learning_rate: float) -> ConfigDict:
  """AdamW: on small data from scratch it starts faster than RMSprop and SGD."""
  config.optimizer.name = 'adamw'
  config.optimizer.eps = 1e-6
  config.optimizer.weight_decay = 0.05
  config.schedule.learning_rate = learning_rate
  config.loss.label_smoothing = 0.1
  return config


def digits(config: ConfigDict) -> ConfigDict:
  """The 5,000 handwritten digits (4,000 for training), shifted and rotated a little."""
  config.data.name = 'digits'
  config.data.eval_split = 'test'
  config.data.train_ops = 'shift(3)|rotate(10)|resize({resolution})|value_range(-1, 1)'
  config.data.eval_ops = 'resize({resolution})|value_range(-1, 1)'
  config.data.shuffle_buffer = 4000
  config.batch_size = 64
  config.eval_batch_size = 200
  return config


def trained_on_digits(
  config: ConfigDict, learning_rate: float, epochs: float
) -> ConfigDict:
  """The digits with a recipe that fits them: a few minutes on two cores."""
  adamw(digits(config), learning_rate)
  config.batch_size = 32  # more steps in few epochs
  config.model.norm_momentum = 0.95
  config.epochs = epochs
  config.schedule.warmup_epochs = 1.0
  config.ema_decay = 0.99
  config.log_steps = 50
  config.eval_every_epochs = 4.0
  config.checkpoint_every_epochs = 4.0
  return config


def photos(config: ConfigDict) -> ConfigDict:
  """A folder of a few thousand photos; random crops, flips and colours."""
  config.data.name = 'folder'
  config.data.eval_split = 'val'
  config.data.train_ops = (
    'inception_crop({resolution}, area=(0.25, 1))|flip|color|value_range(-1, 1)'
  )
  config.data.eval_ops = (
    'central_fraction(0.875)|resize({resolution})|value_range(-1, 1)'
  )
  config.batch_size = 64
  config.eval_batch_size = 128
  return config


Items = Iterable[tuple[str, dict]]  # (item name, {dotted field: value}), ...


def grid(fields: Mapping[str, Sequence]) -> Iterator[tuple[str, dict]]:
  """A sweep of all combinations of the fields' values; the last field varies fastest.

  `grid({'model.width': (1.0, 0.5), 'resolution': (224, 192)})` yields
  ('w1.0_r224', {'model.width': 1.0, 'resolution': 224}) and three more.
  """
  for values in itertools.product(*fields.values()):
    overrides = dict(zip(fields, values, strict=True))
    yield item_name(overrides), overrides


def learning_rates(*rates: float) -> Items:
  return grid({'schedule.learning_rate': rates})


def seeds(number: int) -> Items:
  """The same experiment from seed 0 to `number` - 1, to see how much is chance."""
  return grid({'seed': range(number)})


def folds(number: int = 5) -> Items:
  """Cross-validation of a folder: every part of it is evaluated on once."""
  return grid({'data.fold': [f'{n}/{number}' for n in range(1, number + 1)]})


def choose(sweep_name: str, /, **sweeps: Items) -> Items:
  """The sweep of that name.

  Raises:
    ValueError: there is none; the line gives the nearest name and all others.
  """
  if sweep_name not in sweeps:
    near = difflib.get_close_matches(sweep_name, sweeps, n=1, cutoff=0.5)
    hint = f'did you mean {near[0]}? ' if near else ''
    raise ValueError(
      f'sweep {sweep_name!r} does not exist; {hint}there are {", ".join(sweeps)}'
    )
  return sweeps[sweep_name]


def item_name(overrides: Mapping[str, object]) -> str:
  """{'model.width': 0.75, 'resolution': 128} -> 'w0.75_r128', fit for a folder."""
  parts = []
  for field, value in overrides.items():
    label = _LABELS.get(field, field.rpartition('.')[2] + '=')
    parts.append(label + re.sub(r'[^\w.=+-]+', '-', str(value)).strip('-'))
  return '_'.join(parts)


_LABELS = {
  'model.name': '',
  'model.width': 'w',
  'resolution': 'r',
  'schedule.learning_rate': 'lr',
  'seed': 'seed',
  'data.fold': 'fold',
  'optimizer.stale_steps': 'stale',
}
