"""All requirements, collected from the battery's files. There is no second list to keep in step with them."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import json
import pkgutil
from collections.abc import Mapping

import conformance.battery
from conformance.requirement import BadRequirement, Requirement, requirement_of


def load() -> Mapping[str, Requirement]:
    """Requirement id → requirement, in the order of the ids. Raises BadRequirement if an id is used twice."""
    found: dict[str, Requirement] = {}
    for module in _modules():
        for _, test in inspect.getmembers_static(importlib.import_module(module), inspect.isfunction):
            requirement = requirement_of(test)
            if requirement is None:
                continue
            if requirement.id in found:
                raise BadRequirement(
                    f"{requirement.id} is stated twice: in {requirement.file} and in {found[requirement.id].file}"
                )
            found[requirement.id] = requirement
    return dict(sorted(found.items(), key=lambda item: item[0]))


def fingerprint(catalogue: Mapping[str, Requirement]) -> str:
    """A hash of what the catalogue asks: two runs with the same fingerprint asked the same questions."""
    text = json.dumps([r.as_dict() for r in catalogue.values()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _modules() -> list[str]:
    prefix = conformance.battery.__name__ + "."
    names = [info.name for info in pkgutil.walk_packages(conformance.battery.__path__, prefix)]
    return sorted(name for name in names if name.rpartition(".")[2].startswith("test_"))
