"""Trains, evaluates and reports; the same command again resumes.

    python main.py --config=configs/quickstart.py

The folder of the run keeps the config, the metrics, checkpoints and the report. SIGTERM
and Ctrl-C save a checkpoint before they end the run.
"""

from mobilenet.command_line import Given
from mobilenet.runs.training import train

FLAGS = ()
INSTEAD = {'data_dir': '--config.data.dir', 'init': '--config.init'}


def run(given: Given) -> int:
  programs = given.compiled and given.compiled / 'programs'
  train(given.needed_config(), given.run_folder(), programs)
  return 0
