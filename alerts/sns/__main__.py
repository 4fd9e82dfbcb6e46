"""`python -m alerts.sns`: the strict SNS front, with CloudWatch's alarms beside it. Settings: SNS_* (settings.py).

Speak to it as to AWS: `boto3.client("sns", endpoint_url=...)`, `sns_configs: [{api_url: ...}]`. Why it is not moto:
docs/decisions.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack

import uvicorn

from alerts.cloudwatch.alarms import Alarms
from alerts.cloudwatch.api import CloudWatch
from alerts.cloudwatch.posts import Posts
from alerts.cloudwatch.series import Series
from alerts.sns.actions import Sns
from alerts.sns.app import Front, Identity
from alerts.sns.envelope import Envelopes
from alerts.sns.fanout import Fanout
from alerts.sns.settings import SnsSettings
from alerts.sns.signing import Signer
from alerts.sns.state import State, Store
from alerts.sns.targets import Endpoints, Targets
from target_system.settings import read_settings
from target_system.telemetry import Telemetry

STOP_DEADLINE_S = 2
KEEP_ALIVE_S = 75  # a client may take its time between two calls; the usual 5 s reset connections under a storm


async def serve(settings: SnsSettings) -> None:
    telemetry = Telemetry("sns", settings.name)
    secrets: dict[str, str] = json.loads(settings.credentials_file.read_text())
    store = Store(settings.state_file)
    state, signer = State(store), Signer.kept_in(store)
    access_key, secret_key = next(iter(secrets.items()))
    sqs_url, lambda_url = (str(url).rstrip("/") for url in (settings.sqs_url, settings.lambda_url))
    endpoints = Endpoints(sqs_url, lambda_url, settings.region, access_key, secret_key, settings.answer_deadline_s)
    envelopes = Envelopes(f"http://{settings.host}:{settings.port}", signer)
    async with AsyncExitStack() as stack:
        targets = await stack.enter_async_context(Targets(endpoints, envelopes))
        fanout = await stack.enter_async_context(Fanout(state, targets, telemetry, settings.time_scale))
        sns = Sns(state, fanout)
        series = Series()
        identity = Identity(settings.account, settings.user, secrets)
        alarms = Alarms(store, series, Posts(sns, targets, identity, telemetry), time.time, settings.time_scale)
        evaluating = asyncio.create_task(alarms.run(settings.evaluation_s))
        stack.callback(evaluating.cancel)
        front = Front(
            {"sns": sns, "monitoring": CloudWatch(alarms, series, store)},
            {"sqs": sqs_url, "lambda": lambda_url},
            identity,
            signer,
            telemetry,
        )
        stack.push_async_callback(front.aclose)
        config = uvicorn.Config(
            front.app(),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=STOP_DEADLINE_S,
        )
        await uvicorn.Server(config).serve()
    store.close()
    telemetry.close()


if __name__ == "__main__":
    asyncio.run(serve(read_settings(SnsSettings)))
