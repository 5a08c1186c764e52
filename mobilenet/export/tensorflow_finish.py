"""What no graph holds, in TensorFlow's own operators: see `Answer.finish`."""

from typing import Any

from mobilenet.export.program import Program


def finished(tf, program: Program, values: tuple) -> tuple:
  """The outputs of what a graph gives, tensors (N, ...)."""
  finish = FINISH.get(program.answer)
  return finish(tf, values, program.finding) if finish else values


def _objects(tf, values, how: dict[str, Any]):
  """`models.boxes.detect`, image by image."""
  most = how['most']

  def of_image(given):
    boxes, scores = given
    boxes = tf.clip_by_value(boxes, 0.0, 1.0)
    sides = boxes[:, 2:] - boxes[:, :2]
    there = tf.reduce_all(sides > 0, axis=-1, keepdims=True)
    flat = tf.reshape(tf.where(there, scores, 0.0), (-1,))
    count = min(how['candidates'], flat.shape[0])
    best, places = tf.math.top_k(flat, count)
    classes = places % scores.shape[-1]
    chosen = tf.gather(boxes, places // scores.shape[-1])
    # Moved apart by class: boxes of two classes never meet.
    apart = chosen + 2.0 * tf.cast(classes, tf.float32)[:, None]
    kept = tf.image.non_max_suppression(
      apart, best, min(most, count), how['threshold'], how['least_score']
    )
    missing = min(most, count) - tf.size(kept)
    return tuple(
      tf.ensure_shape(
        tf.pad(
          tf.gather(part, kept), [[0, missing], *[[0, 0]] * (part.shape.rank - 1)]
        ),
        (min(most, count), *part.shape[1:]),
      )
      for part in (chosen, best, classes)
    )

  types = (tf.float32, tf.float32, tf.int32)
  return tf.map_fn(of_image, values, fn_output_signature=types)


FINISH = {'objects': _objects}
