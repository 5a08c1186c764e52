"""Each network is traced once for all tests of weights: shapes alone, half a second."""

import functools

import pytest

from mobilenet.models import counting


@pytest.fixture(scope='session', autouse=True)
def traced_once():
  with pytest.MonkeyPatch.context() as patch:
    traced = functools.cache(counting.layers_and_variables)
    patch.setattr(counting, 'layers_and_variables', traced)
    yield
