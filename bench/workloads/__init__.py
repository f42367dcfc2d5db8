"""The workloads, one file per group. A class with a `name` in one of these files is a workload."""

ORDER = (
    "scheduling",
    "timers",
    "tasks",
    "tcp",
    "tcp_transfers",
    "tls_unix_udp",
    "system",
    "lifecycle",
    "guards",
    "applications",
)
"""The order of the files in every table."""
