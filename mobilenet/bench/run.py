"""The benchmark: named networks against their peers, side by side on this machine."""

import argparse
import datetime
import os
import pathlib
import platform
import shlex
import sys
from collections.abc import Sequence

from mobilenet.bench import (
  drawing,
  grow,
  input_bench,
  lowering_report,
  measure,
  page,
  roofline_report,
)
from mobilenet.bench.comparison import compare, remarks
from mobilenet.bench.contenders import CONTENDERS, DTYPES, OURS, Model, why_not
from mobilenet.bench.machine import cores, cpu_name
from mobilenet.bench.measure import Measurement, Settings
from mobilenet.reports import canvas, csv_file, result
from mobilenet.training import files
from mobilenet.training.errors import require

MODELS = (
  'mobilenet_v1,mobilenet_v2,mobilenet_v3_large,mobilenet_v3_small,'
  'mobilenet_v4_conv_small'
)
FRESH = ('compile', 'memory')
# Ours alone, part by part in one process.
BY_PARTS = {'lowerings': lowering_report, 'roofline': roofline_report}
ALONE = ('grow', *BY_PARTS, 'input')  # without comparing contenders


def check(settings: Settings) -> None:
  """Raises TrainingError for settings that no contender could run with."""
  for name in ('batch', 'resolution', 'rounds', 'threads'):
    value = getattr(settings, name)
    require(value is None or value >= 1, f'--{name} is {value}: it must be at least 1')
  require(
    settings.dtype in DTYPES,
    f'--dtype {settings.dtype!r} is none of {", ".join(DTYPES)}',
  )
  require(
    settings.threads <= cores(),
    f'--threads is {settings.threads}: this process may use {cores()} cores',
  )
  require(
    settings.threads == cores() or hasattr(os, 'sched_setaffinity'),
    '--threads needs Linux: elsewhere a process cannot be kept to some of the cores',
  )


def run(
  models: Sequence[Model],
  modes: Sequence[str],
  peers: Sequence[str],
  settings: Settings,
  out: pathlib.Path,
  *,
  against: str = OURS,
  start=measure.start,
  show: bool = True,
) -> int:
  """Measures and writes bench.md, bench.csv, rounds.csv, bench.png into a folder.

  The modes of `ALONE` also write files of their own. Results are
  written after each network and mode, so that an interrupted run leaves what it has.

  Args:
    models, modes, peers: see `contenders`.
    settings: what all of them share.
    out: folder, made if missing.
    against: whose numbers the ratios are of, see `contenders.chosen_against`.
    start: (spec, settings) -> Worker.
    show: whether to print the tables.

  Returns:
    The exit code: 1 if ours failed at something, else 0.
  """
  check(settings)
  try:
    settings.logs.mkdir(parents=True, exist_ok=True)
  except OSError as error:
    raise files.write_error(settings.logs, error) from error
  contenders = [OURS, *peers]
  report = Report(settings, out, command(), against)
  whole = settings
  for model in models:
    settings = whole.at(model)
    report.sizes[model.kind] = f'batch {settings.batch}, {settings.resolution} px'
    able = {}
    for name in contenders:
      reason = why_not(name, model, settings.dtype)
      if reason is None:
        able[name] = CONTENDERS[name].modes
      else:
        report.left_out.append(f'{CONTENDERS[name].title} {reason}')

    def present(mode, able=able):
      """Contenders in a mode, without those that are known not to be installed."""
      names = [name for name in able if mode in able[name]]
      return [name for name in names if name not in report.missing]

    for mode in modes:
      if mode in (*FRESH, *ALONE):
        continue
      specs = {
        name: measure.make_spec(name, model, mode, settings) for name in present(mode)
      }
      report.add(measure.interleaved(specs, mode, model, settings, start=start))
    rarely = [mode for mode in modes if mode in FRESH]
    if rarely:
      names = present(rarely[0])
      report.add(measure.fresh(names, rarely, model, settings, start=start))
    if 'grow' in modes:
      points, failures, told = grow.measure_growth(model, settings, start=start)
      report.add_alone(failures, told)
      name = grow.write(model, points, settings, out, report.environment())
      report.grown += [name] if name else []
      report.write()
    for mode, of_parts in BY_PARTS.items():
      if mode in modes:
        records, failures, told = of_parts.measured(model, settings, start=start)
        report.add_alone(failures, told)
        report.parts[mode] += records
        report.write()
  if 'input' in modes:
    input_bench.benchmark(input_arguments(peers, settings, out))
  if show:
    page.show(report.lines, report.sections(each=False))
    for remark in report.remarks:
      print(remark)
    print(f'benchmark: {out}')
  failed = [m for m in report.measurements if m.contender == OURS and m.error]
  return 1 if failed or report.failures else 0


def input_arguments(
  peers: Sequence[str], settings: Settings, out: pathlib.Path
) -> argparse.Namespace:
  """Arguments of the input benchmark; PyTorch's loaders run if timm is a peer."""
  torch = [name for name in input_bench.TORCH if 'timm' in peers]
  return input_bench.parse(
    [
      f'--out={out}', f'--rounds={settings.rounds}', f'--threads={settings.threads}',
      f'--peer_python={settings.pythons.get("timm", sys.executable)}',
      '--contenders', 'ours', *(['plain', *torch] if peers else []),
    ]
  )  # fmt: skip


class Report:
  """What has been measured so far, and its files."""

  def __init__(self, settings: Settings, out: pathlib.Path, command: str, against: str):
    self.settings, self.out, self.command = settings, out, command
    self.against = against
    self.measurements: list[Measurement] = []
    self.left_out: list[str] = []
    self.sizes: dict[str, str] = {}  # of the batches, by kind of network
    self.failures: list[str] = []  # of ours, in modes that it has alone
    self.grown: list[str] = []
    self.parts: dict[str, list[dict]] = {mode: [] for mode in BY_PARTS}
    self.alone: dict = {}  # what the last worker of such a mode says of itself
    self.began = datetime.datetime.now(datetime.UTC).isoformat(timespec='minutes')
    self.load = f'{os.getloadavg()[0]:.1f}' if hasattr(os, 'getloadavg') else ''

  @property
  def lines(self):
    return compare(self.measurements, self.against)

  @property
  def remarks(self) -> list[str]:
    return remarks(self.lines, [*self.failures, *self.left_out])

  @property
  def missing(self) -> set[str]:
    """Contenders that are not installed: they are not tried again."""
    return {m.contender for m in self.measurements if m.missing}

  def add(self, measurements: Sequence[Measurement]) -> None:
    self.measurements += measurements
    for m in measurements:
      if m.error:
        self.settings.say(f'{CONTENDERS[m.contender].title}: {m.error}')
    self.write()

  def add_alone(self, failures: Sequence[str], told: dict) -> None:
    """Adds the results of a mode in which nothing is compared."""
    self.failures += failures
    self.alone = told or self.alone

  def sections(self, each: bool = True) -> list[tuple]:
    """Tables of parts, as `page` takes them; `each` with every convolution's."""
    return [
      *lowering_report.sections(self.parts['lowerings'], each=each),
      *roofline_report.sections(self.parts['roofline']),
    ]

  def write(self) -> None:
    environment, lines = self.environment(), self.lines
    text = page.markdown(
      lines, self.remarks, environment, sections=self.sections(), grown=self.grown
    )
    files.replace_file(self.out / 'bench.md', text.encode())
    for mode, own in self.parts.items():
      # Parts of programs are thousands; the page says where they were timed.
      records = own if mode == 'roofline' else [each | environment for each in own]
      if records:
        csv_file.write_records(self.out / f'{mode}.csv', records)
    if not lines:
      return
    records = [page.record(line, environment) for line in lines]
    csv_file.write_records(self.out / 'bench.csv', records)
    rounds = page.rounds(lines)
    if rounds:
      csv_file.write_records(self.out / 'rounds.csv', rounds)
      caption = f'{environment["settings"]}; {environment["machine"]}'
      figure = drawing.contenders(lines, caption)
      canvas.save_png(figure, self.out / 'bench.png')

  def environment(self) -> dict[str, str]:
    """Where and how the numbers were made, as lines of text.

    This process does not ask for the device's name: it would then own a TPU.
    """
    s, versions, devices = self.settings, {}, {}
    for prepared in [self.alone, *(m.prepared for m in self.measurements)]:
      versions |= prepared.get('versions', {})
      if prepared.get('device', 'cpu') != 'cpu':
        devices[prepared['device']] = None
    revision, modified = result.git_state()
    sizes = list(self.sizes.values())
    if len(sizes) > 1:
      sizes = [f'{size} ({kind})' for kind, size in self.sizes.items()]
    machine = [*devices, f'{cpu_name()}, {s.threads} of {cores()} cores']
    return {
      'command': self.command,
      'machine': '; '.join(machine),
      'settings': ', '.join([*sizes, s.dtype, f'{s.rounds} rounds']),
      'versions': ', '.join(f'{name} {version}' for name, version in versions.items()),
      'system': platform.platform(),
      'began': f'{self.began}, load average then {self.load}',
      'git revision': (revision or '')[:10] + (' (modified)' if modified else ''),
    }


def command() -> str:
  """The command line of this process."""
  return shlex.join(['python', *sys.argv])
