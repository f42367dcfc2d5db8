"""The workloads, one file per group. A class with a `name` in one of these files is a workload."""

ORDER = (
    "scheduling",
    "timers",
    "tasks",
    "tcp",
)
"""The order of the groups in every table."""
