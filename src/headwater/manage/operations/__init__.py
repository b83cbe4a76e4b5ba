"""The operations, one file a resource. The folder is the registry: a new file's operations are found by themselves."""

import pkgutil
from importlib import import_module

from headwater.manage.operation import REGISTRY

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

OPERATIONS = REGISTRY
"""Every operation of the house, by its name in snake case."""
