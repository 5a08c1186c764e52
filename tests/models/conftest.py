"""The accelerator, built once for the tests and out of the user's own cache."""

import os

import pytest

from mobilenet.models.accelerator import build, kernels
from tests.conftest import CACHE


@pytest.fixture(scope='module')
def accelerator():
  """The compiled kernels; where no compiler is at hand the test is skipped.

  For one file each: networks of the other tests must not find them.
  """
  with pytest.MonkeyPatch.context() as patch:
    patch.setitem(os.environ, 'XDG_CACHE_HOME', str(CACHE))
    build.library_path.cache_clear()
    try:
      build.build()
    except build.AcceleratorError as error:
      pytest.skip(str(error))
    yield kernels
  build.library_path.cache_clear()
