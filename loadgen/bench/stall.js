// The same open loop as loadgen/bench/stall.py, by k6. The server's port and the load come from the environment.
import http from "k6/http";

export const options = {
  scenarios: {
    open: {
      executor: "constant-arrival-rate",
      rate: Number(__ENV.RATE_PER_S),
      timeUnit: "1s",
      duration: `${__ENV.DURATION_S}s`,
      preAllocatedVUs: 2 * Number(__ENV.RATE_PER_S),
    },
  },
  summaryTrendStats: __ENV.QUANTILES.split(",").map((q) => `p(${q})`),
};

export default function () {
  http.post(
    `http://127.0.0.1:${__ENV.PORT}/v1/orders`,
    '{"client_order_id":"k6","symbol":"AAPL","side":"buy","type":"limit","price_ticks":10000,"quantity_lots":1}',
    { headers: { "content-type": "application/json", "x-api-key": "key-1" } },
  );
}
