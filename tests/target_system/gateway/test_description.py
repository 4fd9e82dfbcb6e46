"""The OpenAPI description tells what the gateway does: schemathesis tries it from the description alone."""

from __future__ import annotations

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from tests.target_system.gateway.pipeline import Pipeline

WITH_INPUT = (
    ("/v1/orders", "POST"), ("/v1/orders/{order_id}", "DELETE"), ("/v1/orders/{order_id}", "GET"),
)  # fmt: skip
WITHOUT_WRONG_INPUT = (("/v1/book/{symbol}", "GET"), ("/v1/portfolio", "GET"), ("/healthz", "GET"), ("/readyz", "GET"))
OPERATIONS = {
    schemathesis.GenerationMode.POSITIVE: (*WITH_INPUT, *WITHOUT_WRONG_INPUT),
    schemathesis.GenerationMode.NEGATIVE: WITH_INPUT,
}


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode))
def test_every_answer_is_one_that_the_description_announces(
    pipeline: Pipeline, mode: schemathesis.GenerationMode
) -> None:
    url = f"http://127.0.0.1:{pipeline.gateway_ports[0]}"
    with httpx.Client(headers={"x-api-key": pipeline.keys[1]}) as client:
        schema = schemathesis.openapi.from_dict(client.get(f"{url}/openapi.json").json())
        for path, method in OPERATIONS[mode]:
            try_operation(client, url, schema[path][method].as_strategy(generation_mode=mode))


def try_operation(client: httpx.Client, url: str, cases: object) -> None:
    @settings(max_examples=25, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=cases)
    def holds(case: schemathesis.Case) -> None:
        if isinstance(case.body, dict):
            case.body.pop("account", None)  # the one member whose only valid value no schema can name
            # To JSON schema 5.0 is an integer. Not here: prices and quantities are never floats.
            case.body |= {k: int(v) for k, v in case.body.items() if isinstance(v, float) and v.is_integer()}
        request = case.as_transport_kwargs(base_url=url)
        request.pop("cookies", None)
        if isinstance(request.get("data"), str | bytes):
            request["content"] = request.pop("data")
        case.validate_response(client.request(**request), excluded_checks=[schemathesis.checks.not_a_server_error])

    holds()
