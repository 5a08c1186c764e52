"""Runs a job: `python main.py --config=configs/v3_large.py` trains, the default.

`python main.py --help` lists the jobs and `python main.py --job=predict --help`
describes one. Each is a file in mobilenet/jobs; only the one asked for is imported.
"""

import contextlib
import dataclasses
import gc
import signal
import sys

from absl import logging

from input_pipeline import DataError, quiet
from mobilenet import command_line
from mobilenet.models.rows import ModelError
from mobilenet.training import mirror, preemption, processes
from mobilenet.training.allocator import keep_freed_memory
from mobilenet.training.compile_cache import use_compile_cache
from mobilenet.training.errors import TrainingError


def main(argv: list[str]) -> int:
  logging.use_absl_handler()
  logging.set_verbosity(logging.WARNING)  # of libraries; jobs print their own lines
  # Starting makes very many objects that stay. Searching them for cycles, again and
  # again, takes half a second of TensorFlow's import alone.
  gc.set_threshold(100_000, 20, 20)
  try:
    with quiet():  # one of the jobs imports TensorFlow
      job, given = command_line.parse(argv)
  except TrainingError as error:
    print(f'error: {error}', file=sys.stderr)
    return 2
  keep_freed_memory()
  given = dataclasses.replace(given, compiled=use_compile_cache())
  mistakes = (TrainingError, ModelError, DataError)
  several = given.flags.multihost and given.job not in ('sweep', 'compare')
  try:
    with (
      preemption.ctrl_c_is_heard(),
      processes.joined(given.flags, mistakes) if several else contextlib.nullcontext(),
      mirror.entered(
        given.flags.workdir,
        trains=given.job in ('train', 'sweep', 'compare', 'search'),
        several=given.flags.multihost
        or getattr(given.flags, 'index', None) is not None,
      ) as given.flags.workdir,
    ):
      return job.run(given)
  except mistakes as error:
    print(f'error: {error}', file=sys.stderr)
    return 1
  except KeyboardInterrupt:
    print('error: stopped by Ctrl-C', file=sys.stderr)
    return 128 + signal.SIGINT


if __name__ == '__main__':
  code = main(sys.argv)
  # Python looks for cycles once more before it ends, which takes a second.
  gc.freeze()
  sys.exit(code)
