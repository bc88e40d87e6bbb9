/**
 * Pushes metrics to an OTLP/HTTP receiver as JSON (https://opentelemetry.io/docs/specs/otlp, protobuf's JSON mapping with its
 * stated exceptions). A receiver that is away, slow or cross costs a line in the log and nothing else: one push at a time, each with
 * an end, and what could not be pushed is not kept, for the next one says the same and more.
 */
import type { Logger } from "pino";
import type { Distribution, Family, Labels } from "./family.ts";

export interface OtlpDeps {
  readonly gather: () => Promise<readonly Family[]>;
  readonly log: Logger;
  readonly now: () => number;
  readonly version: string;
  readonly everyMs?: number;
}

const EVERY_MS = 60_000;
const PATIENCE_MS = 10_000;
const CUMULATIVE = 2;

export function startOtlp(url: string, deps: OtlpDeps): { stop(): Promise<void> } {
  const { log } = deps;
  const target = targetOf(url);
  const ended = new AbortController();
  let pushing: Promise<void> | undefined;
  let reached: boolean | undefined;

  async function push(): Promise<void> {
    const body = JSON.stringify(otlpOf(await deps.gather(), deps));
    const answer = await fetch(target.url, {
      method: "POST",
      headers: { "content-type": "application/json", ...target.headers },
      body,
      // Metrics go where root said, and nowhere else.
      redirect: "error",
      signal: AbortSignal.any([ended.signal, AbortSignal.timeout(PATIENCE_MS)]),
    });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
  }

  function pushSoon(): void {
    pushing ??= push()
      .then(
        () => {
          if (reached !== true) log.info({ url: target.url }, "metrics are pushed");
          reached = true;
        },
        (error: unknown) => {
          if (reached !== false && !ended.signal.aborted)
            log.warn({ err: error, url: target.url }, "metrics cannot be pushed");
          reached = false;
        },
      )
      .finally(() => {
        pushing = undefined;
      });
  }

  const timer = setInterval(pushSoon, deps.everyMs ?? EVERY_MS);
  timer.unref();
  pushSoon();
  return {
    async stop() {
      clearInterval(timer);
      ended.abort();
      await pushing;
    },
  };
}

/** A password in the URL goes into a header: requests have no other place for it, and logs should have none. */
function targetOf(text: string): { readonly url: string; readonly headers: Labels } {
  const url = new URL(text);
  const [name, password] = [url.username, url.password].map(decodeURIComponent);
  url.username = "";
  url.password = "";
  url.pathname = `${url.pathname.replace(/\/$/, "")}/v1/metrics`;
  const basic = Buffer.from(`${name}:${password}`).toString("base64");
  return { url: url.href, headers: name === "" ? {} : { authorization: `Basic ${basic}` } };
}

/** An `ExportMetricsServiceRequest`. 64-bit numbers are strings in JSON. */
export function otlpOf(
  families: readonly Family[],
  { now, version }: Pick<OtlpDeps, "now" | "version">,
): object {
  const timeUnixNano = `${BigInt(now()) * 1_000_000n}`;
  const point = (labels: Labels) => ({ attributes: attributes(labels), timeUnixNano });
  const dataOf = (family: Family): object => {
    if (family.kind === "histogram") {
      const dataPoints = family.distributions.map((one) => ({
        ...point(one.labels),
        ...bucketsOf(one),
      }));
      return { histogram: { dataPoints, aggregationTemporality: CUMULATIVE } };
    }
    const dataPoints = family.samples.map(({ labels, value }) => ({
      ...point(labels),
      asDouble: value,
    }));
    return family.kind === "gauge"
      ? { gauge: { dataPoints } }
      : { sum: { dataPoints, aggregationTemporality: CUMULATIVE, isMonotonic: true } };
  };
  return {
    resourceMetrics: [
      {
        resource: {
          attributes: attributes({ "service.name": "bulkhead", "service.version": version }),
        },
        scopeMetrics: [
          {
            scope: { name: "bulkhead", version },
            metrics: families.map((family) => ({
              name: family.name,
              description: family.help,
              unit: unitOf(family.name),
              ...dataOf(family),
            })),
          },
        ],
      },
    ],
  };
}

/** How many lie in each bucket, not below it: the last one is what lies beyond all bounds. */
function bucketsOf({ below, count, sum }: Distribution): object {
  const counts = [...below.map(([, so]) => so), count];
  return {
    count: String(count),
    sum,
    bucketCounts: counts.map((so, at) => String(so - (counts[at - 1] ?? 0))),
    explicitBounds: below.map(([bound]) => bound),
  };
}

/** In UCUM, as the convention asks. */
function unitOf(name: string): string {
  const unit = /_(seconds|bytes|ratio)$/.exec(name)?.[1];
  return unit === "seconds" ? "s" : unit === "bytes" ? "By" : "1";
}

const attributes = (labels: Labels): readonly object[] =>
  Object.entries(labels).map(([key, stringValue]) => ({ key, value: { stringValue } }));
