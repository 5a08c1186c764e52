"""All tables by name."""

from mobilenet.tables import (
  mnasnet,
  mobilenet_v1,
  mobilenet_v1_transfer,
  mobilenet_v2,
  mobilenet_v3,
  mobilenet_v3_dense,
  mobilenet_v4,
  shufflenet_v1,
  shufflenet_v2,
  slim,
)
from mobilenet.tables.rows import Architecture, Table

TABLES: dict[str, Table | Architecture] = {
  **mobilenet_v1.TABLES,
  **mobilenet_v1_transfer.TABLES,
  **mobilenet_v2.TABLES,
  **mobilenet_v3.TABLES,
  **mobilenet_v3_dense.TABLES,
  **mobilenet_v4.TABLES,
  **mnasnet.TABLES,
  **shufflenet_v1.TABLES,
  **shufflenet_v2.TABLES,
  **slim.TABLES,
}
