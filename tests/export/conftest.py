from unittest import mock

import pytest

from mobilenet.models import zoo
from tests.export.programs import NETWORKS


@pytest.fixture(autouse=True)
def small_networks():
  """Networks of a few rows under names of their own, as files name theirs."""
  with mock.patch.dict(zoo.NETWORKS, NETWORKS):
    yield
