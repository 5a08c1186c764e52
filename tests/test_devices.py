"""A test that needs more accelerators than there are is skipped, on a CPU it fails."""

import jax
import pytest

from tests import devices


@pytest.fixture
def one(monkeypatch):
  monkeypatch.setattr(jax, 'devices', lambda: ['the only one'])
  return monkeypatch


def test_of_eight_the_first_are_taken():
  assert devices.first(3) == jax.devices()[:3]


def test_one_accelerator(one):
  one.setattr(jax, 'default_backend', lambda: 'gpu')
  assert devices.first(1) == ['the only one']
  with pytest.raises(pytest.skip.Exception, match='needs 2 devices, and JAX has 1'):
    devices.first(2)


def test_a_cpu_of_one_device_is_a_mistake(one):
  one.setattr(jax, 'default_backend', lambda: 'cpu')
  with pytest.raises(AssertionError, match='fewer devices'):
    devices.first(2)
