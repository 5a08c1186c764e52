"""A function's equations as steps that point at each other: what a graph is made of.

Steps are never changed. A rule makes another step in the place of one, and what nobody
points at any more is gone.
"""

import collections
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Constant:
  """What does not depend on the images.

  name: of the first variable that it was computed from; '' for a number of the code.
  """

  array: np.ndarray
  name: str = ''

  @property
  def shape(self) -> tuple[int, ...]:
    return self.array.shape


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
  """An op on the outputs of other steps; its own output is of `shape`, for one image.

  op: of `ops.OPS`, or that of a JAX equation which a pattern has to take.
  scope: the modules it was traced in: 'Classifier/backbone/stem/conv'.
  """

  op: str
  inputs: tuple['Step | Constant', ...]
  attributes: dict[str, Any]
  shape: tuple[int, ...]
  scope: str = ''

  def but(self, op: str | None = None, /, **attributes) -> 'Step':
    """The same with another op or other attributes."""
    attributes = self.attributes | attributes
    return dataclasses.replace(self, op=op or self.op, attributes=attributes)


Value = Step | Constant
# (step, how many use a step's output) -> what stands in its place; None to keep it.
Rule = Callable[[Step, collections.Counter], Value | None]


def number(value: Value) -> float | None:
  """That which a constant is; None for a step, or for an array of several."""
  if isinstance(value, Constant) and value.array.size == 1:
    return float(value.array.reshape(()))
  return None


def is_step(value: Value, *ops: str) -> bool:
  return isinstance(value, Step) and value.op in ops


def ordered(output: Step) -> list[Step]:
  """All steps that an output needs, each after those that it needs itself."""
  found, seen, stack = [], set(), [(output, False)]
  while stack:
    step, ready = stack.pop()
    if ready:
      found.append(step)
    elif step not in seen:
      seen.add(step)
      stack.append((step, True))
      stack += [(v, False) for v in reversed(step.inputs) if isinstance(v, Step)]
  return found


def rewrite(output: Step, rules: Sequence[Rule]) -> Step:
  """Applies rules until none has anything more to say."""
  changed = True
  while changed:
    output, changed = _rewrite_once(output, rules)
  return output


def _rewrite_once(output: Step, rules: Sequence[Rule]) -> tuple[Step, bool]:
  order, made, changed = ordered(output), {}, False
  uses = collections.Counter(value for step in order for value in step.inputs)
  for step in order:
    inputs = tuple(made.get(value, value) for value in step.inputs)
    new = step
    if any(a is not b for a, b in zip(inputs, step.inputs, strict=True)):
      new = dataclasses.replace(step, inputs=inputs)
      uses[new] = uses[step]
    for rule in rules:
      other = rule(new, uses)
      if other is not None:
        # Of one that was there the uses add up: too many of them keep a rule waiting.
        uses[other] += uses[new]
        new, changed = other, True
        break
    made[step] = new
  return made[output], changed
