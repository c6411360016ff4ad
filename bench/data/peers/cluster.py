"""A plan of ours on Ray: two raylets on this machine, with one CPU each.

    python cluster.py PACKAGES PLAN

PACKAGES is the folder that ``nexus`` is installed in.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

packages, plan = sys.argv[1:]
# What else is in the folder is not for this interpreter and its workers.
own = Path.cwd() / "packages"
own.mkdir()
for found in Path(packages).glob("nexus*"):
    (own / found.name).symlink_to(found)
sys.path.append(str(own))
os.environ["PYTHONPATH"] = str(own)
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import ray  # noqa: E402
from ray.cluster_utils import Cluster  # noqa: E402

from nexus.data import Pipeline  # noqa: E402

node = {"num_cpus": 1, "object_store_memory": 1 << 30}
cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
cluster.add_node(**node)
ray.init(address=cluster.address, logging_level="ERROR", log_to_driver=False)
report = Pipeline.from_toml(Path(plan).read_text()).to_ray().run()
ray.shutdown()
cluster.shutdown()
print(json.dumps({"kept": report.rows, "removed": report.duplicates}))
