"""What a student of tags learns from a teacher; per example, in float32."""

import jax
import jax.numpy as jnp
from optax import sigmoid_binary_cross_entropy


def distillation(
  logits: jax.Array, teacher_logits: jax.Array, temperature: float
) -> jax.Array:
  """How far a student's answers are from its teacher's, averaged over the tags.

  The cross-entropy to the teacher's sigmoid outputs (1704.04861, section 4.6), of both
  at a temperature T, less what no student can avoid, times T^2 (1503.02531, section 2):
  the gradients are those of the cross-entropy, and it is 0 where both say the same.

  Args:
    logits, teacher_logits: (B, K).
    temperature: above 0.

  Returns:
    (B,) float32, in nats.
  """
  said, taught = (x.astype(jnp.float32) / temperature for x in (logits, teacher_logits))
  target = jax.nn.sigmoid(taught)
  apart, least = (sigmoid_binary_cross_entropy(x, target) for x in (said, taught))
  return temperature**2 * jnp.mean(apart - least, axis=-1)
