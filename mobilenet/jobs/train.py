"""Trains, evaluates and reports; the same command again resumes.

    python main.py --config=configs/quickstart.py

The folder of the run keeps the config, the metrics, checkpoints and the report. SIGTERM
and Ctrl-C save a checkpoint before they end the run, with exit code 75: the same
command goes on. A second one ends it at once. A newest checkpoint that is damaged is
set aside, and the one before it is used. --log_to sends the log elsewhere as well:
docs/watching.md.
"""

from mobilenet import watching
from mobilenet.command_line import Flag, Given
from mobilenet.runs.training import train
from mobilenet.training import compile_cache
from mobilenet.training.preemption import STOPPED

FLAGS = (
  Flag('log_to', str, None, 'Log also to prometheus, wandb or mlflow, with commas.'),
)
INSTEAD = {'data_dir': '--config.data.dir', 'init': '--config.init'}


def run(given: Given) -> int:
  programs = given.compiled and given.compiled / compile_cache.PROGRAMS
  outcome = train(
    given.needed_config(),
    given.run_folder(),
    programs,
    log_to=watching.parse(given.flags.log_to),
  )
  return STOPPED if outcome.stopped else 0
