"""Images per second of the input pipeline, and of other people's, side by side.

    python -m mobilenet.bench.input_bench --out=runs/input_bench

Every contender runs in a process of its own and reads the same JPEGs with the same
number of threads or worker processes. They are timed one at a time, round by round in
an order that is drawn anew, so that a drift of the machine's speed affects all equally.
--peer_python=PATH runs the PyTorch peers under another interpreter.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import random
import signal
import statistics
import subprocess
import sys
import tempfile

from mobilenet.bench.input_worker import CONTENDERS, OPS, SIZE
from mobilenet.reports import csv_file, terminal
from mobilenet.training import files
from mobilenet.training.errors import TrainingError

TORCH = ('torchvision', 'timm')
INSTALL = 'pip install torch torchvision timm'
LABELS = {
  'ours': 'input_pipeline, up to the device',
  'plain': 'plain tf.data: decode, then crop',
  'torchvision': 'torchvision: PIL, DataLoader',
  'timm': 'timm: create_loader',
}
FIELDS = (
  'augmentation', 'contender', 'images_per_second', 'lowest', 'highest', 'ours_is_times'
)  # fmt: skip


class Worker:
  """A contender's process and its children, which are stopped between requests.

  A signal stops them: otherwise a loader would go on reading ahead on the cores that
  another one is timed on.
  """

  def __init__(self, name: str, python: str, arguments: dict):
    command = [python, '-m', 'mobilenet.bench.input_worker', name]
    self.name = name
    self._errors = tempfile.TemporaryFile('w+')  # noqa: SIM115 (closed in `close`)
    try:
      self._process = subprocess.Popen(
        [*command, json.dumps(arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=self._errors,
        text=True,
        process_group=0,  # a group, so that a signal reaches all of it
      )
    except OSError as error:
      self._errors.close()
      raise TrainingError(f'cannot run {python}: {error.strerror}') from error

  def ready(self) -> dict[str, str]:
    """Waits for the first batch; returns the versions of what was imported.

    Raises:
      TrainingError: there will be none; the line says why.
    """
    versions = self._answer()['versions']
    self._signal(signal.SIGSTOP)
    return versions

  def seconds(self, batches: int) -> float:
    """The seconds that so many batches take."""
    self._signal(signal.SIGCONT)
    self._process.stdin.write(f'{batches}\n')
    self._process.stdin.flush()
    seconds = self._answer()['seconds']
    self._signal(signal.SIGSTOP)
    return seconds

  def _signal(self, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):  # gone: `_answer` says why
      os.killpg(self._process.pid, number)

  def _answer(self) -> dict:
    line = self._process.stdout.readline()
    if not line:
      self._errors.seek(0)
      last = [text for text in self._errors.read().splitlines() if text.strip()]
      reason = last[-1].strip() if last else f'ended with {self._process.wait()}'
      raise TrainingError(f'{self.name}: {reason}')
    answer = json.loads(line)
    if 'error' in answer:
      raise TrainingError(f'{self.name}: {answer["error"]}')
    return answer

  def close(self) -> None:
    # A loader's worker processes end with their parent, if it is not killed.
    self._signal(signal.SIGCONT)
    self._process.stdin.close()
    try:
      self._process.wait(timeout=10)
    except subprocess.TimeoutExpired:
      self._process.kill()
      self._process.wait()
    self._process.stdout.close()
    self._errors.close()


def measure(workers, *, rounds: int, batches: int, batch_size: int) -> dict:
  """Contender -> images per second of every round."""
  rates = {worker.name: [] for worker in workers}
  draw = random.Random(0)
  for _ in range(rounds):
    for worker in draw.sample(workers, len(workers)):
      seconds = worker.seconds(batches)
      rates[worker.name].append(batches * batch_size / seconds)
  return rates


def summarise(augmentation: str, rates: dict) -> list[dict]:
  """Rows with the median, the spread, and how many times as fast ours is.

  The last is the median of the rounds' ratios: the contenders of a round run within the
  same minute.
  """
  rows = []
  for name, values in rates.items():
    ratios = [mine / theirs for mine, theirs in zip(rates['ours'], values, strict=True)]
    numbers = (
      statistics.median(values), min(values), max(values), statistics.median(ratios)
    )  # fmt: skip
    rows.append(dict(zip(FIELDS, (augmentation, name, *numbers), strict=True)))
  return rows


def describe(arguments, photos: pathlib.Path, versions: dict[str, str]) -> str:
  """What was measured, on what, in a paragraph."""
  sizes = [path.stat().st_size for path in photos.glob('train/*/*.jpg')]
  listed = ', '.join(f'{name} {number}' for name, number in versions.items())
  return (
    f'{len(sizes)} JPEGs of {statistics.mean(sizes) / 1000:.0f} KB on average to '
    f'{SIZE} px, batch {arguments.batch}, {arguments.threads} threads or worker '
    f'processes of {os.cpu_count()} cores; medians of {arguments.rounds} interleaved '
    f'rounds of {arguments.batches} batches (lowest to highest). Python '
    f'{platform.python_version()}, {listed}.'
  )


def markdown(rows: list[dict], notes: list[str]) -> str:
  lines = [
    '| augmentation | loader | images/s | lowest to highest | ours is |',
    '|---|---|---|---|---|',
  ]
  for row in rows:
    lines.append(
      f'| {row["augmentation"]} | {LABELS[row["contender"]]} '
      f'| {row["images_per_second"]:.0f} | {row["lowest"]:.0f} to {row["highest"]:.0f} '
      f'| {row["ours_is_times"]:.2f} times as fast |'
    )
  return '\n'.join([*lines, '', *notes, ''])


def run(arguments, photos: pathlib.Path) -> tuple[list[dict], list[str]]:
  """Rows of all augmentations, and notes: what is missing, and how it was measured."""
  rows, notes, versions = [], [], {}
  for augmentation in arguments.augmentations:
    workers = []
    try:
      for name in dict.fromkeys(['ours', *arguments.contenders]):
        if name == 'plain' and augmentation == 'randaug':
          continue  # tf.data has no such ops
        python = arguments.peer_python if name in TORCH else sys.executable
        worker = Worker(
          name,
          python,
          {
            'folder': str(photos),
            'augmentation': augmentation,
            'size': SIZE,
            'batch_size': arguments.batch,
            'threads': arguments.threads,
          },
        )
        try:
          versions |= worker.ready()
        except TrainingError as error:
          worker.close()
          if name == 'ours':
            raise
          hint = f'; {INSTALL}' if 'not installed' in str(error) else ''
          notes.append(f'{augmentation}: {error}{hint}')
          continue
        workers.append(worker)
      rates = measure(
        workers,
        rounds=arguments.rounds,
        batches=arguments.batches,
        batch_size=arguments.batch,
      )
      rows += summarise(augmentation, rates)
    finally:
      for worker in workers:
        worker.close()
  return rows, [*notes, describe(arguments, photos, versions)]


def show(rows: list[dict]) -> None:
  table = terminal.make_table(
    'Input pipeline',
    [('augmentation', 'left'), ('loader', 'left'), ('images/s', 'right'),
     ('lowest', 'right'), ('highest', 'right'), ('ours is', 'right')],
  )  # fmt: skip
  for row in rows:
    numbers = (row['images_per_second'], row['lowest'], row['highest'])
    terminal.add_row(
      table,
      row['augmentation'],
      LABELS[row['contender']],
      *(f'{number:.0f}' for number in numbers),
      f'{row["ours_is_times"]:.2f} x',
    )
  terminal.show(table)


def write(out: pathlib.Path, rows: list[dict], notes: list[str]) -> None:
  """Writes `input_bench.csv` and `input_bench.md`."""
  csv_file.write_records(out / 'input_bench.csv', rows)
  files.replace_file(out / 'input_bench.md', markdown(rows, notes).encode())


def parse(argv: list[str] | None = None) -> argparse.Namespace:
  parser = argparse.ArgumentParser(
    description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
  )
  parser.add_argument(
    '--photos', help='folder with train/<class>/*.jpg; made-up photos by default'
  )
  parser.add_argument('--out', type=pathlib.Path, default=pathlib.Path('runs/bench'))
  parser.add_argument(
    '--contenders', nargs='+', choices=CONTENDERS, default=list(CONTENDERS)
  )
  parser.add_argument(
    '--augmentations', nargs='+', choices=OPS, default=list(OPS), help='of each image'
  )
  parser.add_argument('--batch', type=int, default=64)
  parser.add_argument('--batches', type=int, default=40, help='timed in a round')
  parser.add_argument('--rounds', type=int, default=9)
  parser.add_argument('--threads', type=int, default=os.cpu_count())
  parser.add_argument(
    '--peer_python', default=sys.executable, help='interpreter of the PyTorch peers'
  )
  return parser.parse_args(argv)


def benchmark(arguments: argparse.Namespace) -> None:
  """Measures, writes a page and a CSV file, and prints the table.

  Raises:
    TrainingError: ours cannot run, a contender ended, or a file cannot be written.
  """
  with tempfile.TemporaryDirectory() as folder:
    if arguments.photos:
      photos = pathlib.Path(arguments.photos)
    else:
      from input_pipeline.made_photos import write_photos

      photos = pathlib.Path(folder)
      write_photos(photos, 400)
    rows, notes = run(arguments, photos)
  write(arguments.out, rows, notes)
  show(rows)
  print('\n'.join(notes))


def main(argv: list[str] | None = None) -> int:
  try:
    benchmark(parse(argv))
  except TrainingError as error:
    print(f'error: {error}', file=sys.stderr)
    return 1
  return 0


if __name__ == '__main__':
  sys.exit(main())
