/** Metrics pushed to a real receiver; and one that is away, slow or cross, which nothing waits for. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { afterEach, describe, expect, it } from "vitest";
import { by, counter, gauge, plain, type Family } from "../../src/metrics/family.ts";
import { otlpOf, startOtlp } from "../../src/metrics/otlp.ts";
import { NOW } from "../fixtures.ts";

const FAMILIES: readonly Family[] = [
  gauge("policy_coverage_ratio", "Coverage.", ...by("level", { policy: 0.5 })),
  counter("drift_events", "Drift.", plain(3)),
  {
    kind: "histogram",
    name: "bulkhead_delay_seconds",
    help: "Delay.",
    distributions: [
      {
        labels: {},
        below: [
          [1, 2],
          [5, 3],
        ],
        count: 4,
        sum: 9.5,
      },
    ],
  },
];
const log = pino({ level: "silent" });
const deps = { gather: () => Promise.resolve(FAMILIES), log, now: () => NOW, version: "1.2.3" };

let cleanUp: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const one of cleanUp.toReversed()) await one();
  cleanUp = [];
});

async function receiver(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<string> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  cleanUp.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function push(url: string, everyMs = 20): { stop(): Promise<void> } {
  const running = startOtlp(url, { ...deps, everyMs });
  cleanUp.push(() => running.stop());
  return running;
}

it("is what a receiver decodes: gauges, sums, histograms with a count a bucket", async () => {
  const got = Promise.withResolvers<{ request: IncomingMessage; body: unknown }>();
  const address = await receiver((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      response.end("{}");
      got.resolve({ request, body: JSON.parse(Buffer.concat(parts).toString()) });
    });
  });
  push(`http://me:se%40cret@${address}/otlp/`);
  const { request, body } = await got.promise;
  expect([request.method, request.url]).toEqual(["POST", "/otlp/v1/metrics"]);
  expect(request.headers).toMatchObject({
    "content-type": "application/json",
    authorization: `Basic ${Buffer.from("me:se@cret").toString("base64")}`,
  });
  const timeUnixNano = `${NOW}000000`;
  expect(body).toEqual({
    resourceMetrics: [
      {
        resource: {
          attributes: [
            { key: "service.name", value: { stringValue: "bulkhead" } },
            { key: "service.version", value: { stringValue: "1.2.3" } },
          ],
        },
        scopeMetrics: [
          {
            scope: { name: "bulkhead", version: "1.2.3" },
            metrics: [
              {
                name: "bulkhead_policy_coverage_ratio",
                description: "Coverage.",
                unit: "1",
                gauge: {
                  dataPoints: [
                    {
                      attributes: [{ key: "level", value: { stringValue: "policy" } }],
                      timeUnixNano,
                      asDouble: 0.5,
                    },
                  ],
                },
              },
              {
                name: "bulkhead_drift_events",
                description: "Drift.",
                unit: "1",
                sum: {
                  dataPoints: [{ attributes: [], timeUnixNano, asDouble: 3 }],
                  aggregationTemporality: 2,
                  isMonotonic: true,
                },
              },
              {
                name: "bulkhead_delay_seconds",
                description: "Delay.",
                unit: "s",
                histogram: {
                  dataPoints: [
                    {
                      attributes: [],
                      timeUnixNano,
                      count: "4",
                      sum: 9.5,
                      bucketCounts: ["2", "1", "1"],
                      explicitBounds: [1, 5],
                    },
                  ],
                  aggregationTemporality: 2,
                },
              },
            ],
          },
        ],
      },
    ],
  });
  expect(otlpOf(FAMILIES, deps)).toEqual(body);
});

describe("a receiver", () => {
  it("that is cross at first is asked again", async () => {
    const third = Promise.withResolvers<void>();
    let asked = 0;
    const address = await receiver((request, response) => {
      request.resume();
      asked += 1;
      response.writeHead(asked < 3 ? 503 : 200).end();
      if (asked === 3) third.resolve();
    });
    push(`http://${address}`);
    await third.promise;
    expect(asked).toBeGreaterThanOrEqual(3);
  });

  it("that never answers is asked once at a time, and holds up no end", async () => {
    const first = Promise.withResolvers<void>();
    let open = 0;
    let most = 0;
    const address = await receiver((request) => {
      open += 1;
      most = Math.max(most, open);
      request.on("close", () => (open -= 1));
      first.resolve();
    });
    const running = push(`http://${address}`, 1);
    await first.promise;
    await running.stop();
    expect(most).toBe(1);
  });

  it("that sends elsewhere is not followed", async () => {
    let led = 0;
    const elsewhere = await receiver((_request, response) => {
      led += 1;
      response.end();
    });
    const twice = Promise.withResolvers<void>();
    let asked = 0;
    const address = await receiver((request, response) => {
      request.resume();
      response.writeHead(307, { location: `http://${elsewhere}/v1/metrics` }).end();
      asked += 1;
      if (asked === 2) twice.resolve();
    });
    push(`http://${address}`);
    await twice.promise;
    expect(led).toBe(0);
  });

  it("that is not there throws nothing", async () => {
    await expect(push("http://127.0.0.1:1").stop()).resolves.toBeUndefined();
  });
});
