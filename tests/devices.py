"""Devices for tests of meshes: a CPU has eight (see conftest.py), a GPU often one."""

import jax
import pytest


def first(count: int) -> list[jax.Device]:
  """So many devices; where accelerators are fewer, the test is skipped.

  A CPU with fewer is a mistake in the settings: the test fails there.
  """
  devices = jax.devices()
  if len(devices) < count and jax.default_backend() != 'cpu':
    pytest.skip(f'it needs {count} devices, and JAX has {len(devices)} here')
  assert len(devices) >= count, 'XLA_FLAGS asks for fewer devices than the tests need'
  return devices[:count]
