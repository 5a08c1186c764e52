"""Kills, stops and delays processes of training, and compares what they end with.

    python -m tests.chaos kills --kills=200 --seed=0
    python -m tests.chaos skew --launches=40 --seed=0 --skew=90

Runs of main.py with a network of three rows, on CPUs. The exit code is 1 if a run does
not end bit for bit as the undisturbed one, or hangs, or a signal during training gives
another exit code than 75 (0 where it was finished). The folders of such runs stay, with
all that their processes printed. What is drawn depends on the seed and the number of a
kill; the moment within a program is never quite the same.
"""

import argparse
import functools
import pathlib
import shutil
import signal
import sys
import tempfile

from tests.chaos import kills, skew, tables
from tests.chaos.starts import Trial


def main(argv: list[str] | None = None) -> int:
  given = _parse(argv)
  folder = pathlib.Path(given.folder or tempfile.mkdtemp(prefix='chaos-'))
  if any(folder.iterdir() if folder.is_dir() else ()):
    print(f'error: {folder} is not empty: choose another --folder', file=sys.stderr)
    return 2
  trial = Trial(folder.resolve(), given.epochs, given.hang, given.join)
  print(f'{given.what}, seed {given.seed}, in {folder}', flush=True)
  write = functools.partial(_write, given.out)
  if given.what == 'kills':
    found = kills.run(
      trial,
      kills=given.kills,
      processes=given.processes,
      seed=given.seed,
      first=given.first,
      changed=lambda runs: write(tables.of_kills(runs)),
    )
    summary, wrong = tables.of_kills(found), [w for r in found for w in r.wrong()]
  else:
    found = skew.run(
      trial,
      launches=given.launches,
      processes=given.processes,
      seed=given.seed,
      skew=given.skew,
      at_once=given.at_once,
      first=given.first,
      changed=lambda launches: write(tables.of_launches(launches)),
    )
    summary, wrong = tables.of_launches(found), [w for r in found for w in r.wrong]
  print(f'\n{summary}')
  write(summary)
  if wrong:
    print('\n'.join(wrong), file=sys.stderr)
    print(
      f'error: {len(wrong)} wrong with --seed={given.seed}; to repeat one, give its '
      'number as --first and the same --processes',
      file=sys.stderr,
    )
    return 1
  shutil.rmtree(folder)
  return 0


def _parse(argv: list[str] | None) -> argparse.Namespace:
  parser = argparse.ArgumentParser(
    prog='python -m tests.chaos',
    description=__doc__,
    formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('what', choices=('kills', 'skew'))
  add = parser.add_argument
  add('--kills', type=int, default=20, help='disturbances in all (%(default)s)')
  add('--launches', type=int, default=4, help='with skew, in all (%(default)s)')
  add('--seed', type=int, default=0, help='of what is drawn (%(default)s)')
  add(
    '--processes',
    type=_numbers,
    help='numbers of them: 1,2,4 for kills, side by side, the fewer the more kills; '
    '2,4 for skew',
  )
  add('--first', type=int, default=1, help='number of the first kill or launch')
  add('--skew', type=float, default=90, help='seconds, at most (%(default)g)')
  add('--at_once', type=int, default=3, help='launches side by side (%(default)s)')
  add('--epochs', type=int, default=8, help='of a run, of three steps each')
  add(
    '--hang',
    type=float,
    default=600,
    help='seconds without an end after which a start hangs (%(default)g)',
  )
  add(
    '--join',
    type=int,
    help='seconds that processes wait for one that has not started: 150 for kills, '
    '600 for skew',
  )
  add('--out', type=pathlib.Path, help='Markdown file for the summary')
  add('--folder', help='of the runs (a temporary one)')
  given = parser.parse_args(argv)
  of_kills = given.what == 'kills'
  given.processes = given.processes or ([1, 2, 4] if of_kills else [2, 4])
  given.join = given.join or (150 if of_kills else 600)
  return given


def _numbers(text: str) -> list[int]:
  numbers = [int(part) for part in text.split(',') if part.isdecimal()]
  if (
    ','.join(map(str, numbers)) != text
    or 0 in numbers
    or len({*numbers}) < len(numbers)
  ):
    raise argparse.ArgumentTypeError(f'{text!r} is not like 1,2,4')
  return numbers


def _write(out: pathlib.Path | None, text: str) -> None:
  if out:
    out.write_text(text)


if __name__ == '__main__':
  signal.signal(signal.SIGINT, signal.SIG_DFL)  # it ends at once, and its runs with it
  sys.exit(main())
