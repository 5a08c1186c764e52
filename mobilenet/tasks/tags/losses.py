"""Losses of tags, each a question of yes or no; per example, in float32."""

import jax
import jax.numpy as jnp


def cross_entropy(logits: jax.Array, targets: jax.Array) -> jax.Array:
  """Binary cross-entropy of each tag, finite for logits of any size.

  Args:
    logits: (B, K), any float type.
    targets: (B, K), 0 to 1.

  Returns:
    (B, K) float32, in nats.
  """
  x, z = logits.astype(jnp.float32), targets.astype(jnp.float32)
  # Not by max(x, 0): its slope at 0 would be wrong.
  return -z * jax.nn.log_sigmoid(x) - (1 - z) * jax.nn.log_sigmoid(-x)


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
  apart = cross_entropy(said, target) - cross_entropy(taught, target)
  return temperature**2 * jnp.mean(apart, axis=-1)
