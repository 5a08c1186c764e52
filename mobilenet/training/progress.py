"""What a person sees while a run goes on: a bar on a terminal, plain lines elsewhere.

Elsewhere (a pipe, a file, a scheduler's log) one line a log step, for example

  step 400/4000 epoch 3.2 | loss 1.234 top1 67.1 % | lr 0.0123 | 812 img/s |
    waiting for data 3 % | eta 0:03:12

without the line break.
"""

import collections.abc
import contextlib
import datetime
import math
import time

import rich.console
import rich.live
import rich.progress_bar
import rich.table
import rich.text

from mobilenet.training.units import decimal, in_percent

_RATES = ('lr', 'learning_rate')
_BETWEEN_LINES = 1.0  # s
# What a run does before its first step: the latter where its programs may be kept.
COMPILING, PREPARING = 'compiling the first step', 'preparing the first step'


def format_metric(name: str, value: float) -> str:
  """'top1', 67.12 -> 'top1 67.1 %'; 'loss', 1.2341 -> 'loss 1.234'."""
  if in_percent(name):
    return f'{name} {value:.1f} %'
  if isinstance(value, str | int):
    return f'{name} {value}'
  value = float(value)
  if name.endswith('loss') and 1e-3 <= abs(value) < 1e3:
    return f'{name} {value:.3f}'
  return f'{name} {decimal(value, 3)}'


class Progress:
  """Shows how far a run is, how fast it goes and what it waits for.

  Rates leave out the first step, which compiles, and whatever happens inside
  `pause()`; the remaining time (eta) counts the pauses, since they recur.

      with Progress(total_steps, batch_size=96, steps_per_epoch=41.6) as progress:
        for ...:
          progress.advance(waited=seconds_in_next_batch)
          if a log step: progress.update(step, {'loss': ..., 'top1': ..., 'lr': ...})
          if an evaluation:
            with progress.pause('evaluating'): ...
            progress.evaluated(step, {'top1': ...})

  Args:
    total_steps: steps of the whole run; it is over at this step.
    batch_size: examples a step, over all processes.
    steps_per_epoch: may be fractional.
    start_step: steps already done by an earlier start.
    enabled: False on all processes but the first: nothing is shown, rates are kept.
    console: where to show it; standard output by default.
    clock: seconds from any origin.
    begins: with what, in words.
  """

  def __init__(
    self,
    total_steps: int,
    *,
    batch_size: int,
    steps_per_epoch: float,
    start_step: int = 0,
    enabled: bool = True,
    console: rich.console.Console | None = None,
    clock: collections.abc.Callable[[], float] = time.monotonic,
    begins: str = COMPILING,
  ):
    self._total_steps = total_steps
    self._batch_size = batch_size
    self._steps_per_epoch = steps_per_epoch
    self._enabled = enabled
    self._console = console or rich.console.Console()
    self._clock = clock
    self._step = start_step
    self._began = clock()
    # The interval since the last update; None until the first step has compiled.
    self._mark: float | None = None
    self._steps, self._waited, self._paused = 0, 0.0, 0.0
    self._pauses, self._pause_began = 0, 0.0
    # The run since the first step: its begin, and steps and seconds without pauses.
    self._first: float | None = None
    self._done, self._all_steps, self._all_seconds = 0, 0, 0.0
    self._all_waited = 0.0
    self._rate: float | None = None
    self._waiting: float | None = None
    self._shown: dict = {}
    self._evaluated: dict = {}
    self._doing = begins
    self._live = None
    self._line = -math.inf  # when the last line was printed

  @property
  def images_per_second(self) -> float | None:
    """Of the interval that the last update closed; None before there is one."""
    return self._rate

  @property
  def average_images_per_second(self) -> float | None:
    """Of all closed intervals together."""
    return self._per_second(self._all_steps, self._all_seconds)

  @property
  def waiting_share(self) -> float | None:
    """Share of the last closed interval spent waiting for data, 0 to 1."""
    return self._waiting

  @property
  def average_waiting_share(self) -> float | None:
    """Of all closed intervals together; None before there is one."""
    if not self._all_seconds:
      return None
    return min(1.0, self._all_waited / self._all_seconds)

  @property
  def seconds(self) -> float:
    """Since the beginning, compilation and pauses included."""
    return self._clock() - self._began

  def advance(self, steps: int = 1, *, waited: float = 0.0) -> None:
    """Counts steps just dispatched, for which data was waited for `waited` seconds."""
    self._step += steps
    if self._mark is None:
      self._mark = self._first = self._clock()
      self._paused, self._doing = 0.0, ''
      return
    self._done += steps
    self._steps += steps
    self._waited += waited

  def compiling(self, name: str) -> None:
    """Tells that a program is compiled, which takes a while."""
    self._doing = f'compiling ({name})'
    if self._enabled and self._live is None:
      self._print(f'{self._where(self._step)} | {self._doing}')

  def update(self, step: int, shown: collections.abc.Mapping) -> None:
    """Shows metrics as of `step` and closes the interval the rates are taken over.

    Where lines are printed, there is one a second at most, and one of the last step.

    Args:
      step: the step the metrics belong to (it may lie behind the steps counted).
      shown: name -> number; 'lr' or 'learning_rate', 'loss', 'top1' and whatever
        else; those that `units` knows are in percent.
    """
    self._close_interval()
    self._shown = dict(shown)
    if not self._enabled or self._live is not None:
      return
    now = self._clock()
    if now - self._line >= _BETWEEN_LINES or step == self._total_steps:
      self._line = now
      parts = [self._where(step), *self._parts(), f'eta {self._eta(step)}']
      self._print(' | '.join(filter(None, parts)))

  def evaluated(self, step: int, shown: collections.abc.Mapping) -> None:
    """Shows the result of an evaluation on a line that stays."""
    self._evaluated = dict(shown)
    metrics = ' '.join(format_metric(*item) for item in shown.items())
    self.note(f'{self._where(step)} | evaluation | {metrics}')

  def note(self, text: str) -> None:
    """Prints a line that stays; on a terminal it scrolls away above the bar."""
    if self._enabled:
      self._print(text)

  @contextlib.contextmanager
  def pause(self, doing: str = ''):
    """What happens inside (evaluation, a checkpoint) is not counted in the rates."""
    before, self._doing = self._doing, doing or self._doing
    self._pauses += 1
    if self._pauses == 1:
      self._pause_began = self._clock()
    try:
      yield
    finally:
      self._doing = before
      self._pauses -= 1
      if not self._pauses:
        self._paused += self._clock() - self._pause_began

  def __enter__(self):
    self._began = self._clock()
    if not self._enabled:
      return self
    if 0 < self._step < self._total_steps:
      self.note(f'resuming at step {self._step}')
    # A terminal forced by the environment (FORCE_COLOR) may still be a file.
    if self._console.is_interactive and self._console.file.isatty():
      self._live = rich.live.Live(
        console=self._console, get_renderable=self._render, refresh_per_second=4
      )
      self._live.start()
    elif self._step < self._total_steps:
      self._print(f'{self._where(self._step)} | {self._doing}')
    return self

  def __exit__(self, *exception):
    if self._live is not None:
      self._live.stop()
      self._live = None

  def _close_interval(self) -> None:
    if self._mark is None:
      return
    now = self._clock()
    if self._pauses:
      self._paused += now - self._pause_began
      self._pause_began = now
    seconds = now - self._mark - self._paused
    if self._steps and seconds > 0:
      # In this order: a terminal's bar is drawn from another thread.
      self._waiting = min(1.0, self._waited / seconds)
      self._rate = self._per_second(self._steps, seconds)
      self._all_steps += self._steps
      self._all_seconds += seconds
      self._all_waited += self._waited
    self._mark, self._steps, self._waited, self._paused = now, 0, 0.0, 0.0

  def _per_second(self, steps: int, seconds: float) -> float | None:
    return steps * self._batch_size / seconds if seconds > 0 else None

  def _where(self, step: int) -> str:
    epoch = step / self._steps_per_epoch
    return f'step {step}/{self._total_steps} epoch {epoch:.1f}'

  def _parts(self) -> tuple[str, str, str, str]:
    """Metrics, learning rate, speed, waiting; '' for what is not known yet."""
    metrics = [
      format_metric(*item) for item in self._shown.items() if item[0] not in _RATES
    ]
    rates = [f'lr {self._shown[name]:.3g}' for name in _RATES if name in self._shown]
    speed = waiting = ''
    if self._rate is not None:
      speed = f'{self._rate:.{0 if self._rate >= 10 else 1}f} img/s'
      waiting = f'waiting for data {100 * self._waiting:.0f} %'
    return ' '.join(metrics), ' '.join(rates), speed, waiting

  def _eta(self, step: int) -> str:
    if not self._done:
      return 'unknown'
    per_step = (self._clock() - self._first) / self._done
    seconds = max(0, self._total_steps - step) * per_step
    return str(datetime.timedelta(seconds=round(seconds)))

  def _print(self, text: str) -> None:
    self._console.print(text, markup=False, highlight=False, soft_wrap=True)

  def _render(self):
    """The bar with how far the run is, and below it what was measured last."""
    row = rich.table.Table.grid(padding=(0, 1), expand=True)
    row.add_column(ratio=1)
    row.add_column(no_wrap=True)
    row.add_row(
      rich.progress_bar.ProgressBar(total=self._total_steps, completed=self._step),
      f'{self._where(self._step)} | eta {self._eta(self._step)}',
    )
    metrics, rates, speed, waiting = self._parts()
    evaluated = self._evaluated.get('top1')
    if evaluated is not None:
      evaluated = 'eval ' + format_metric('top1', evaluated)
    # A narrow terminal cuts the end, so what matters least comes last.
    parts = [self._doing, metrics, evaluated, speed, rates, waiting]
    table = rich.table.Table.grid(expand=True)
    table.add_row(row)
    table.add_row(
      rich.text.Text(' | '.join(filter(None, parts)), overflow='ellipsis', no_wrap=True)
    )
    return table
