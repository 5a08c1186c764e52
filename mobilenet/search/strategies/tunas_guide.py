"""TuNAS: a controller chooses which network each step of the shared weights is for.

In the first quarter of the steps it learns nothing, and the largest network is trained
in place of what is drawn, ever more seldom: the weights of all networks begin alike.
Afterwards, each step, some networks are drawn and scored on held-out photos, and the
controller learns from their rewards (`search.tunas`).
"""

import itertools
import json
import pathlib

import numpy as np

from mobilenet.search import json_file, tunas
from mobilenet.search import space as spaces
from mobilenet.search.costs.cost import Cost
from mobilenet.search.space import Arch
from mobilenet.search.steps import Batches, Masked
from mobilenet.search.strategies.shared import Setup, Tree
from mobilenet.search.tunas import Controller
from mobilenet.training import files, sharding

SCORED = 2  # networks that the controller learns from in a step
RECALIBRATION = 1  # batches by which their norms are measured
DRAWN, LEARNED = 6, 7  # of what a seed is folded with
_NUMBERS = [[json_file.NUMBER]]
_SHAPE = {
  'logits': _NUMBERS,
  'squares': _NUMBERS,
  'baseline': json_file.NUMBER,
  'steps': int,
}


class Tunas:
  """A `shared.Guide`; its state is the controller.

  Args:
    setup: of the search.
    cost: of networks.
    target: that they should cost.
  """

  def __init__(self, setup: Setup, cost: Cost, target: float):
    self._setup, self._cost, self._target = setup, cost, target
    self._seed, self._total = setup.config.seed, setup.plan.total_steps
    self.controller = Controller.of([len(c.values) for c in setup.space.choices])
    self._held_out: Batches | None = None
    self._recalibration: Batches | None = None

  def archs(self, step: int) -> list[Arch]:
    rng = np.random.default_rng((self._seed, DRAWN, step))
    warm_up = 1 - step / max(1, tunas.DELAYED * self._total)
    if rng.random() < warm_up:
      return [spaces.largest(self._setup.space)]
    return self._drawn(rng, 1)

  def after(self, step: int, masked: Masked, variables: Tree) -> dict[str, float]:
    rate = tunas.rate(step, self._total)
    if rate == 0.0:
      return {}
    archs = self._drawn(np.random.default_rng((self._seed, LEARNED, step)), SCORED)
    networks = [spaces.network_of(self._setup.space, arch) for arch in archs]
    ratios = [cost / self._target for cost in self._cost.predict(networks)]
    metric = self._setup.photos.task.metric.name
    rewards = []
    for arch, ratio in zip(archs, ratios, strict=True):
      found = masked.score(
        variables, self._setup.choice(arch), self._for_norms(), self._choosing(step)
      )
      rewards.append(tunas.reward(found[metric] / 100, ratio))
    self.controller = tunas.updated(self.controller, archs, rewards, rate)
    return {'reward': float(np.mean(rewards)), 'cost_ratio': float(np.mean(ratios))}

  def save(self, folder: pathlib.Path, step: int) -> None:
    text = json.dumps(self.controller.as_lists()) + '\n'
    files.replace_file(_path(folder, step), text.encode())

  def restore(self, folder: pathlib.Path, step: int) -> None:
    path = _path(folder, step)
    said = json_file.read(path, _SHAPE, 'choose another --workdir to search anew')
    self.controller = Controller.from_lists(said)

  def likeliest(self) -> Arch:
    """What the controller ends with."""
    return spaces.canonical(self._setup.space, tunas.likeliest(self.controller))

  def _drawn(self, rng, count: int) -> list[Arch]:
    drawn = tunas.sample(self.controller, rng, count)
    return [spaces.canonical(self._setup.space, arch) for arch in drawn]

  def _for_norms(self) -> Batches:
    if self._recalibration is None:
      photos = self._setup.photos
      batches = itertools.islice(photos.train_batches(0), RECALIBRATION)
      self._recalibration = sharding.put_all(photos.mesh, batches)
    return self._recalibration

  def _choosing(self, step: int) -> Batches:
    """One batch of the photos that choose, another one each step."""
    if self._held_out is None:
      self._held_out = self._setup.photos.held_out_batches()
    return [self._held_out[step % len(self._held_out)]]


def _path(folder: pathlib.Path, step: int) -> pathlib.Path:
  return folder / f'controller_{step}.json'
