"""Says whether a config fits a slice of TPUs.

    python main.py --job=plan --config=configs/v3_large.py --topology=v5e:16x16

No TPU is needed. It compiles the training step and prints what a device needs: memory,
what it sends to others, and, by the numbers that Google states of a chip, the least
time of a step.
libtpu compiles on any Linux machine: pip install -r requirements-plan.txt. Data is not
read. docs/scaling.md says more.
"""

import copy
import sys
import time

import jax

from mobilenet import experiment, limits
from mobilenet.command_line import Flag, Given
from mobilenet.runs import planned_step
from mobilenet.scaling import report, topology
from mobilenet.training import sharding
from mobilenet.training.errors import require

FLAGS = (
  Flag('topology', str, None, "Slices to plan for: 'v5e:4x4', or several with commas."),
  Flag('num_classes', int, 1000, 'Outputs of the network.'),
  Flag('num_examples', int, 1_281_167, 'Of the training split, for the schedule.'),
)
LESS = (
  'lower --config.batch_size, raise --config.accumulate, set --config.model.remat, or '
  'let devices share the state with --config.shards'
)


def run(given: Given) -> int:
  config = given.needed_config()
  limits.check(config)
  config = experiment.with_table(config)
  require(
    bool(config.model.name),
    'the config names no network: add --config.model.name=mobilenet_v3_large',
  )
  require(
    config.task == 'classification',
    f'--job=plan compiles the steps of classifiers, not of {config.task}: '
    'give a config of one',
  )
  require(
    bool(given.flags.topology),
    '--job=plan needs a slice to plan for: --topology=v5e:4x4',
  )
  slices = [topology.open_slice(name) for name in given.flags.topology.split(',')]
  rows, all_fit = [], True
  for number, place in enumerate(slices):
    if number:
      print()
    began = time.monotonic()
    mesh = sharding.make_mesh(place.devices, config.shards)
    print(f'compiling for {place.name} ...', flush=True)
    try:
      cost = planned_step.measure(
        copy.deepcopy(config), mesh, given.flags.num_classes, given.flags.num_examples
      )
    except jax.errors.JaxRuntimeError as error:
      text = ' '.join(str(error).split())
      if 'RESOURCE_EXHAUSTED' not in text:
        raise
      print(f'{place.name}: does not fit ({text[:200]}): {LESS}', file=sys.stderr)
      all_fit = False
      continue
    print('\n'.join(report.lines(config, cost, place)))
    print(f'compiled in {time.monotonic() - began:.0f} s')
    if not report.fits(cost, place):
      print(f'{place.name}: does not fit: {LESS}', file=sys.stderr)
      all_fit = False
    rows.append(report.row(config, cost, place))
  if len(slices) > 1 and rows:
    print('\n'.join(['', report.HEADER, *rows]))
  return 0 if all_fit else 1
