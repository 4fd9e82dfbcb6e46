"""The OpenAPI description tells what the gateway does: schemathesis tries it from the description alone."""

from __future__ import annotations

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.target_system.gateway.pipeline import Pipeline

OPERATIONS = (
    ("/v1/orders", "POST"), ("/v1/orders/{order_id}", "DELETE"), ("/v1/orders/{order_id}", "GET"),
    ("/v1/book/{symbol}", "GET"), ("/v1/portfolio", "GET"), ("/healthz", "GET"), ("/readyz", "GET"),
)  # fmt: skip


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_every_answer_is_one_that_the_description_announces(
    pipeline: Pipeline, mode: schemathesis.GenerationMode
) -> None:
    url = f"http://127.0.0.1:{pipeline.gateway_ports[0]}"
    with httpx.Client(headers={"x-api-key": pipeline.keys[1]}) as client:
        schema = schemathesis.openapi.from_dict(client.get(f"{url}/openapi.json").json())
        for path, method in OPERATIONS:
            try_operation(client, url, schema[path][method].as_strategy(generation_mode=mode))


def try_operation(client: httpx.Client, url: str, cases: object) -> None:
    @settings(max_examples=25, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def holds(case: schemathesis.Case) -> None:
        request = case.as_transport_kwargs(base_url=url)
        request.pop("cookies", None)
        case.validate_response(client.request(**request), excluded_checks=[schemathesis.checks.not_a_server_error])

    holds()
