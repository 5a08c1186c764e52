"""Writes the papers' tables with counted numbers and your runs.

    python main.py --job=table --table=v1/6,v4/6 --measure

Published numbers stand next to counted ones and the top-1, mAP or mIoU of your finished
runs on whole data sets. No config is needed. docs/tables.md says what the columns mean.
"""

from mobilenet.command_line import Flag, Given
from mobilenet.tables import writing
from mobilenet.training import workdir

FLAGS = (
  Flag('table', str, 'all', 'all, or names such as v1/6,v2/4.'),
  Flag('measure', bool, False, 'Time batches of one image on this machine.'),
  Flag('runs', str, None, 'Folder of finished runs; runs by default.'),
)


def run(given: Given) -> int:
  out, asked = given.folder('tables'), given.flags.runs
  runs = workdir.local_path(asked or 'runs')
  writing.write_tables(
    writing.chosen(given.flags.table),
    out,
    runs_folder=runs if asked or runs.is_dir() else None,
    measure=given.flags.measure,
  )
  print(f'tables: {out}')
  return 0
