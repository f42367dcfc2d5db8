"""What becomes of a run when a host that it runs on is gone: its share is done by a worker on this machine.

xdist replaces a dead worker by one on the same host, which is right after a crash, and ends the whole run with a
traceback if that host cannot be reached any more.
"""

from __future__ import annotations

from typing import Any


def come_home(node: Any) -> str:
    """Make xdist replace the dead `node` here if its host is gone. The sentence for the user; empty if it is not."""
    import execnet

    spec = node.gateway.spec
    if spec.popen or _answers(str(spec)):
        return ""
    node.gateway.spec = execnet.XSpec("execmodel=main_thread_only//popen")
    return f"the host of {spec} is gone: what it had not done was done here"


def _answers(spec: str) -> bool:
    import execnet

    group = execnet.Group()
    try:
        # Without its id, which the dead worker still has.
        group.makegateway("//".join(part for part in spec.split("//") if not part.startswith("id=")))
    except (OSError, execnet.HostNotFound):
        return False
    finally:
        group.terminate(timeout=5)
    return True
