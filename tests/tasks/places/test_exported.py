"""What an exported file says of places, and who reads it."""

import dataclasses
import json

from mobilenet import tasks
from mobilenet.export import program
from mobilenet.tasks.places.task import Places
from tests.weights.made_weights import made


def test_a_file_of_cells_is_read_as_places(tmp_path):
  cells = ('2b14', '47e4', '91d4')
  weights = made('mobilenet_v1', width=0.25, num_classes=3)
  weights = dataclasses.replace(weights, class_names=cells)
  own = tasks.exported('places').said_of(Places(), tmp_path, 1, cells)
  said = json.loads(json.dumps(program.of_weights(weights, 32, **own).said()))
  assert (said['task'], said['read_as']) == ('classification', 'places')
  assert tasks.exported(said['read_as']).task_of(said) == Places().knowing(cells)
  assert 'read_as' not in program.of_weights(weights, 32).said()
