"""Metrics in percent are known by their names."""

import pytest

from mobilenet.training.units import decimal, in_percent


@pytest.mark.parametrize(
  'name',
  [
    *('top1', 'ema_top5', 'balanced_accuracy', 'pixel_accuracy', 'nearest_class'),
    *('mAP', 'ema_mAP', 'AP50', 'AP_small', 'AR_100', 'raw_mIoU'),
    *('recall_at_1', 'map_at_r', 'tar_at_far_1e-03', 'verification_accuracy'),
    *('within_200_km', 'ema_within_1_km', 'mean_AUC', 'mean_F1'),
  ],
)
def test_in_percent(name):
  assert in_percent(name)


@pytest.mark.parametrize(
  'name', ['loss', 'class_loss', 'auc', 'median_km', 'verification_threshold', 'lr']
)
def test_not_in_percent(name):
  assert not in_percent(name)


@pytest.mark.parametrize(
  ('value', 'said'),
  [
    *((0.012345, '0.0123'), (12.345, '12.3'), (99.96, '100'), (15950.2, '15,950')),
    *((-1234.5, '-1,234'), (3e12, '3e+12'), (float('nan'), 'nan')),
  ],
)
def test_large_numbers_have_no_power_of_ten(value, said):
  assert decimal(value, 3) == said
