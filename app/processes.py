"""Memory, CPU time and open files of the workers, as the kernel tells of them at the scrape."""

from collections.abc import Iterator, Mapping

from prometheus_client import ProcessCollector
from prometheus_client.core import Metric

_PREFIX = "portcullis_worker"


class Processes:
    """What prometheus_client says of its own process, said of each worker."""

    def __init__(self) -> None:
        self._pid = 0
        self._collector = ProcessCollector(_PREFIX, pid=lambda: self._pid, registry=None)

    def families(self, pids: Mapping[str, int]) -> Iterator[Metric]:
        """Yield each figure with the label `worker`; one that has just died has none."""
        families: dict[str, Metric] = {}
        for worker, pid in pids.items():
            self._pid = pid
            for found in self._collector.collect():
                name = found.name.replace("_process_", "_")
                family = families.setdefault(name, Metric(name, found.documentation, found.type))
                for sample in found.samples:
                    labels = {**sample.labels, "worker": worker}
                    family.add_sample(sample.name.replace("_process_", "_"), labels, sample.value)
        yield from families.values()
