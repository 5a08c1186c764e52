"""Numbers as people read them."""

import math

import pytest

from mobilenet.reports import amounts


@pytest.mark.parametrize('missing', [None, math.nan])
def test_what_was_not_measured_is_a_dash(missing):
  assert {
    amounts.number(missing),
    amounts.percent(missing),
    amounts.share(missing),
  } == {'–'}


def test_numbers():
  assert amounts.number(1234.56) == '1,234.6'
  assert amounts.percent(97.312) == '97.3 %'
  assert amounts.share(0.97312, 2) == '97.31 %'
