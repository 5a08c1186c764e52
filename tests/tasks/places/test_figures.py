"""Maps of places: what they show, and the scale of a map of cells."""

import numpy as np

from input_pipeline import cells
from mobilenet.tasks.places import figures


def test_a_map_of_one_answer_shows_the_cell_that_it_may_be_in():
  corners = figures.around(np.array([[60.0, 30.0]]), np.array([111.19 * 4]))
  np.testing.assert_allclose(np.concatenate(corners), [[58, 26], [62, 34]], atol=1e-3)
  poles = figures.around(np.array([[90.0, 0.0]]), np.array([2305.0]))
  west, east, _, north = figures.extent(*poles)
  assert (west, east, north) == (-180, 180, 90)


def test_the_scale_of_photos_has_whole_numbers():
  names = cells.partition(np.array([[48, 2], [-33, 151]]), cells.Partition(1, 1))
  drawn = figures.draw_cells(names, np.array([47, 49]), (-10, 160, -40, 60))
  drawn.draw_without_rendering()
  said = [label.get_text() for label in drawn.axes[1].get_yticklabels()]
  assert said == ['47', '48', '49']
  assert not drawn.axes[1].get_yticks(minor=True).size
