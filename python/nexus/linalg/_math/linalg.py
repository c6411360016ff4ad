"""``math.linalg``: another name of ``nexus.linalg``."""

import sys

from nexus import linalg

# The import system gives what stands here, so that there is one module.
sys.modules[__name__] = linalg
