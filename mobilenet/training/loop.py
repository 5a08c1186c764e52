"""The training loop: one for all tasks, on one device or many; it resumes by itself."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Collection, Iterator
from typing import Any

import flax.linen as nn
import jax
import numpy as np
import optax
from jax.sharding import Mesh

from mobilenet.training import logs, memory, processes, self_test, sharding
from mobilenet.training.best import Best
from mobilenet.training.checkpoints import Checkpointer
from mobilenet.training.evaluation import Evaluation, evaluate
from mobilenet.training.plan import Plan
from mobilenet.training.preemption import StopRequest
from mobilenet.training.programs import Programs
from mobilenet.training.progress import COMPILING, PREPARING, Progress
from mobilenet.training.state import TrainState, create, described, restore
from mobilenet.training.state import layout as state_layout
from mobilenet.training.step import first_non_finite, make_eval_step, make_train_step
from mobilenet.training.step_log import StepLog, seconds_before

Batches = Iterator[dict[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Data:
  """Where batches come from: this process's share, as dicts of NumPy arrays.

  An iterator may have `corrupt`, the names of examples it had to leave out so far.

  train: first step -> endless iterator. It holds no state that a checkpoint must keep:
    from step k it yields what the one from step 0 yields after k batches.
  evaluate: () -> iterator over every example once (see `evaluation.evaluate`).
  num_eval_examples: of the evaluation split.
  """

  train: Callable[[int], Batches]
  evaluate: Callable[[], Batches]
  num_eval_examples: int


@dataclasses.dataclass(frozen=True)
class Outcome:
  """The outcome of a run.

  state: after the last step done, or the best one where that is kept. step: the last
  one done. stopped: the signal, or None if it is finished.
  evaluations: 'raw', and 'ema' if averages are kept; empty if stopped.
  seconds: of all starts of this run together, up to the last log line.
  waiting_share: the share of the last start's time spent waiting for data, 0 to 1.
  left_out: the names of examples that could not be read since the last start.
  """

  state: TrainState
  step: int
  evaluations: dict[str, Evaluation]
  stopped: str | None
  seconds: float
  images_per_second: float | None
  waiting_share: float | None
  left_out: tuple[str, ...] = ()


def train(
  *,
  model: nn.Module,
  task,
  tx: optax.GradientTransformation,
  learning_rate: Callable[[int], jax.Array],
  variables: Callable[[], dict[str, Any]],
  data: Data,
  plan: Plan,
  batch_size: int,
  seed: int,
  ema_decay: float | None,
  workdir: str,
  mesh: Mesh,
  programs: Programs | None = None,
  unshown: Collection[str] = (),
  keep_best: bool = False,
  patience: int | None = None,
  accumulate: int = 1,
  watchers: Any = None,
) -> Outcome:
  """Trains from the newest whole checkpoint of `workdir`, or from `variables()`.

  With `keep_best` the outcome is the best evaluated state, and after `patience`
  evaluations without a better one the run is over.

  A batch is computed in `accumulate` parts, one after the other.

  `programs` are those of runs with the same arguments. `unshown`
  are metrics that say nothing about this data; they are written but not shown.
  `watchers` are told of every log line besides (`logs.Writer`).

  Raises:
    TrainingError: a workdir that cannot be written or read, a checkpoint of another
      model, or too many non-finite steps in a row (with the first bad layer named).
  """

  def new_state(initial):
    return create(initial, tx, task.zero_sums(), ema=ema_decay is not None)

  with contextlib.ExitStack() as stack:
    stack.enter_context(memory.told(memory.OF_TRAINING))
    checkpointer = stack.enter_context(Checkpointer(workdir))
    programs = programs or Programs(None, mesh)
    start = checkpointer.latest_step() or 0
    best = None
    if keep_best:
      best = stack.enter_context(
        Best(workdir, task.metric.name, patience=patience, eval_steps=plan.eval_steps)
      )

    def is_over(step) -> bool:
      return step >= plan.total_steps or bool(best and best.is_over(step))

    # Before the state, which takes a while: meanwhile data is read ahead.
    batches = None if is_over(start) else data.train(start)
    is_new = checkpointer.latest_step() is None
    initial = variables() if is_new else None
    like = described(lambda: new_state(initial if is_new else variables()), mesh)
    layout = state_layout(like)
    if is_new:
      first_state = jax.jit(new_state, out_shardings=layout)
      state = programs.kept('first state', first_state)(initial)
      del initial
    else:
      state = restore(checkpointer, like, model, mesh)
    train_step = make_train_step(
      model,
      task,
      tx,
      mesh,
      seed=seed,
      ema_decay=ema_decay,
      accumulate=accumulate,
      layout=layout,
    )
    train_step = processes.together('training', programs.kept('training', train_step))
    eval_step = make_eval_step(model, task, mesh, layout.variables)
    eval_step = processes.together('evaluation', programs.kept('evaluation', eval_step))
    if (whole := int(state.step)) != start:  # newer ones are damaged
      start = whole
      batches = None if is_over(start) else data.train(start)
    first_process = jax.process_index() == 0
    writer = stack.enter_context(
      logs.Writer(
        workdir,
        start_step=start,
        steps_per_epoch=plan.steps_per_epoch,
        enabled=first_process,
        also=watchers,
      )
    )
    progress = stack.enter_context(
      Progress(
        plan.total_steps,
        batch_size=batch_size,
        steps_per_epoch=plan.steps_per_epoch,
        start_step=start,
        enabled=first_process,
        begins=PREPARING if programs.keeps else COMPILING,
      )
    )
    stack.enter_context(programs.telling(progress.compiling))
    stop = stack.enter_context(StopRequest(start))
    log = StepLog(
      task,
      learning_rate,
      writer,
      progress,
      max_skipped_in_a_row=plan.max_skipped_in_a_row,
      seconds_before=seconds_before(workdir),
      find_bad=lambda state, batch: first_non_finite(
        model, task, state.variables, batch, seed=seed
      ),
      unshown=unshown,
    )
    evaluations: dict[str, Evaluation] = {}
    noted = set()

    def note_unreadable(batches) -> None:
      for name in sorted(set(getattr(batches, 'corrupt', ())) - noted):
        noted.add(name)
        progress.note(f'left out, since it cannot be read: {name}')

    def evaluate_all(state, last: bool) -> dict[str, Evaluation]:
      kinds = {'raw': state.variables}
      if state.ema is not None:
        kinds['ema'] = state.ema
      with progress.pause('evaluating'):
        batches = data.evaluate()
        found = evaluate(
          eval_step,
          task,
          kinds,
          batches,
          mesh,
          num_examples=data.num_eval_examples,
          keep_predictions=last,
        )
      note_unreadable(batches)
      return found

    if batches is None and first_process:
      progress.note(f'{workdir} is finished at step {start}: nothing to train')
    step = start
    while not is_over(step):
      step += 1
      began = time.monotonic()
      batch = next(batches)
      waited = time.monotonic() - began
      if step == start + 1:
        self_test.check(mesh, start, state.variables, batch)
      batch = sharding.put(mesh, batch)
      state, told = train_step(state, batch)
      progress.advance(waited=waited)
      # The numbers of an earlier step are read now that the device has work to do.
      log.flush(state, batch)
      last = step == plan.total_steps
      logged = step % plan.log_steps == 0 or last
      log.hold(step, told, state.sums if logged else None)
      if logged:
        note_unreadable(batches)
        state = state.replace(sums=jax.device_put(task.zero_sums(), layout.sums))
      if step % plan.eval_steps == 0 or last:
        log.flush(state, batch)
        evaluations = evaluate_all(state, last)
        log.evaluated(step, evaluations)
        if best:
          best.offer(step, state, evaluations)
      stopping = stop.after(step)
      if step % plan.checkpoint_steps == 0 or is_over(step) or stopping:
        log.flush(state, batch)
        with progress.pause('saving a checkpoint'):
          checkpointer.save(step, state)
      if stopping and not is_over(step):
        checkpointer.wait()
        break
    finished = is_over(step)
    if finished:
      if best and best.step not in (None, step):
        progress.note(f'the best evaluation was that of step {best.step}')
        state = best.state(like, model, mesh)
        evaluations = {}
      if not evaluations:
        evaluations = evaluate_all(state, last=True)
      kept = sharding.whole(mesh, (state.variables, state.ema))
      state = state.replace(variables=kept[0], ema=kept[1])
    return Outcome(
      state=state,
      step=step,
      evaluations=evaluations if finished else {},
      stopped=None if finished else stop.received,
      seconds=log.seconds(),
      images_per_second=progress.average_images_per_second,
      waiting_share=progress.average_waiting_share,
      left_out=tuple(sorted(noted)),
    )
