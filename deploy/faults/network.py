"""A bad network between two parts, by Toxiproxy: the kernel's own emulation is not to be had everywhere.

The topology says which links go through Toxiproxy (`links`); a link to several replicas or shards is struck on all.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt

from deploy.cluster import Cluster
from deploy.faults.fault import ASK_DEADLINE_S, Fault, FaultError
from deploy.topology import Link, Topology, without_number

Stream = Annotated[
    Literal["upstream", "downstream"], Field(description="requests go upstream, answers come downstream")
]


class Toxic(Fault):
    """What Toxiproxy calls a toxic, on every proxy of a link."""

    link: Link
    stream: Stream = "downstream"

    @property
    @abstractmethod
    def toxic(self) -> tuple[str, dict[str, int]]:
        """Toxiproxy's name of it, and its attributes."""

    def misfit(self, topology: Topology) -> str | None:
        if self.link in topology.links:
            return None
        return f"the link {self.link} does not go through Toxiproxy; add it to the topology's links"

    @contextmanager
    def applied(self, cluster: Cluster) -> Iterator[None]:
        kind, attributes = self.toxic
        toxic: dict[str, object] = {"name": kind, "type": kind, "stream": self.stream, "attributes": attributes}
        with ExitStack() as reverts:
            for proxy in self._proxies(cluster):
                _ask(cluster, "POST", f"/proxies/{proxy}/toxics", toxic)
                reverts.callback(_ask, cluster, "DELETE", f"/proxies/{proxy}/toxics/{kind}")
            yield

    def again(self, cluster: Cluster) -> None:
        """While one of its kind is applied: with these attributes from now on."""
        kind, attributes = self.toxic
        for proxy in self._proxies(cluster):
            _ask(cluster, "POST", f"/proxies/{proxy}/toxics/{kind}", {"attributes": attributes})

    def _proxies(self, cluster: Cluster) -> list[str]:
        return [proxy for proxy in cluster.topology.proxies() if without_number(proxy) == self.link]


class Latency(Toxic):
    """Every packet of one direction comes later."""

    kind: Literal["latency"] = "latency"
    latency_ms: PositiveInt
    jitter_ms: NonNegativeInt = 0

    @property
    def toxic(self) -> tuple[str, dict[str, int]]:
        return "latency", {"latency": self.latency_ms, "jitter": self.jitter_ms}


class Bandwidth(Toxic):
    """No more than so many kilobytes a second go through in one direction of each connection."""

    kind: Literal["bandwidth"] = "bandwidth"
    kilobytes_per_s: PositiveInt

    @property
    def toxic(self) -> tuple[str, dict[str, int]]:
        return "bandwidth", {"rate": self.kilobytes_per_s}


class Timeout(Toxic):
    """Nothing goes through any more; after `after_ms` the connection closes, 0: it stays open and silent."""

    kind: Literal["timeout"] = "timeout"
    after_ms: NonNegativeInt = 0

    @property
    def toxic(self) -> tuple[str, dict[str, int]]:
        return "timeout", {"timeout": self.after_ms}


class Reset(Toxic):
    """The connection is reset as soon as something comes. Downstream: the work was done, its answer is lost."""

    kind: Literal["reset"] = "reset"
    after_ms: NonNegativeInt = 0

    @property
    def toxic(self) -> tuple[str, dict[str, int]]:
        return "reset_peer", {"timeout": self.after_ms}


def _ask(cluster: Cluster, method: str, path: str, body: dict[str, object] | None = None) -> None:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{cluster.address('toxiproxy')}{path}", data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=ASK_DEADLINE_S):
            return
    except urllib.error.HTTPError as error:
        raise FaultError(f"Toxiproxy refused {method} {path}: {error.read().decode(errors='replace')}") from error
    except OSError as error:
        raise FaultError(f"Toxiproxy does not answer {method} {path}: {error}; look at lab status") from error
