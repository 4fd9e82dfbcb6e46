"""`python -m loadgen.bench.empty_handler PORT`: FastAPI behind uvicorn as the gateway has it, doing nothing.

What the gateway costs above this is its own doing; what this costs is the price of the frameworks and the sockets.
"""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI, Request, Response

from loadgen.wire import Endpoint

ANSWER = b'{"order_id":1,"sequence":1,"outcome":"resting","filled_lots":0,"remaining_lots":0,"fills":[]}'
"""A result to the generator, with nothing to cancel."""

app = FastAPI()


@app.post(Endpoint.NEW.split()[1])
async def place(request: Request) -> Response:
    await request.body()
    return Response(ANSWER, 201, media_type="application/json")


def main() -> None:
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False,
        log_level="warning", server_header=False, date_header=False, proxy_headers=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
