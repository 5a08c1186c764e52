"""Slices of TPUs that programs are compiled for, on any machine, without a TPU."""

import importlib.util
import os
from typing import NamedTuple

import jax
from jax.experimental import topologies

from mobilenet.training.errors import TrainingError, require

INSTALL = 'pip install -r requirements-plan.txt'


class Chip(NamedTuple):
  """What Google Cloud's documentation states of a chip, all published numbers.

  https://cloud.google.com/tpu/docs/system-architecture-tpu-vm

  memory: bytes of HBM. memory_rate: its bytes a second. peak: bfloat16 operations a
  second, two for a multiply-add. link_rate: bytes a second between chips, all links of
  one together.
  """

  memory: float
  memory_rate: float
  peak: float
  link_rate: float


_GIB, _GBPS = 2**30, 1e9 / 8
CHIPS = {
  'v4': Chip(32 * _GIB, 1.228e12, 275e12, 2400 * _GBPS),
  'v5e': Chip(16 * _GIB, 0.819e12, 197e12, 1600 * _GBPS),
  'v5p': Chip(95 * _GIB, 2.765e12, 459e12, 4800 * _GBPS),
  'v6e': Chip(32 * _GIB, 1.640e12, 918e12, 3584 * _GBPS),
}


class Slice(NamedTuple):
  """The devices of a slice. device: a chip, or the part of one that a device is."""

  name: str
  devices: list
  hosts: int
  device: Chip


def open_slice(name: str) -> Slice:
  """The slice of a name such as 'v5e:4x4': a kind of chip, and chips along each axis.

  Raises:
    TrainingError: libtpu is missing, or does not know the name.
  """
  kind, _, _ = name.partition(':')
  require(
    kind in CHIPS and ':' in name,
    f'--topology={name}: give a kind of chip ({", ".join(CHIPS)}) and the chips along '
    'each axis, such as v5e:4x4 (16 chips) or v4:2x2x2 (8 chips)',
  )
  require(
    importlib.util.find_spec('libtpu') is not None,
    f'--job=plan compiles with libtpu, which is not installed: {INSTALL}',
  )
  _stand_in()

  try:
    devices = topologies.get_topology_desc(name, 'tpu').devices
  except jax.errors.JaxRuntimeError as error:
    reason = ' '.join(str(error).split())
    raise TrainingError(
      f'--topology={name}: there is no such slice ({reason[:160]}); v5e and v6e have '
      'two axes, such as v5e:4x4, v4 and v5p three, such as v4:2x2x4'
    ) from error
  cores = 1 + max(device.core_on_chip for device in devices)
  hosts = len({device.process_index for device in devices})
  return Slice(name, devices, hosts, Chip(*(n / cores for n in CHIPS[kind])))


def _stand_in() -> None:
  """What libtpu would ask of the machine that it is made for."""
  for name, value in {
    'TPU_SKIP_MDS_QUERY': '1',
    'TPU_ACCELERATOR_TYPE': 'v5litepod-8',
    'TPU_WORKER_HOSTNAMES': 'localhost',
    'TPU_WORKER_ID': '0',
    'ALLOW_MULTIPLE_LIBTPU_LOAD': '1',  # nobody's chips are taken
  }.items():
    os.environ.setdefault(name, value)
