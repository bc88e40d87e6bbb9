/** How complete the picture is: after seconds nobody may call it so, and what the shop is configured with but never did is named. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ReadinessAnswer } from "@bulkhead/api";
import { CONFIGURATION } from "@bulkhead/example-shop/topology";
import type { Demo } from "../demo.ts";

type Subject = ReadinessAnswer["subjects"][number];

/** The agent looks at environments now and then. */
const TOLD_WITHIN_MS = 20_000;

export async function readiness(demo: Demo): Promise<void> {
  const { bulkhead, screen, claims, figures, stop } = demo;
  screen.heading("bulkhead readiness");
  screen.progress("how much was not seen, and what is known to be missing");
  let answer = await bulkhead.readiness();
  const until = Date.now() + TOLD_WITHIN_MS;
  for (; awaitedOf(answer).length === 0 && Date.now() < until; answer = await bulkhead.readiness())
    await sleep(300, undefined, { signal: stop });
  const seen = answer.subjects.filter(({ unseen }) => unseen.seen > 0);
  screen.figure("hours looked at", answer.watched.hours);
  for (const { subject, state, unseen } of seen) {
    const { low, high } = unseen.massInterval;
    screen.note(
      `${subject.name.padEnd(24)} ${state}, ${unseen.seen} edges; of what is to come, not seen so far: ${share(low)} to ${share(high)} (95 %)`,
    );
  }
  const awaited = awaitedOf(answer);
  for (const { name, dependency } of awaited) {
    const { host, port, place } = dependency;
    screen.figure(`${name} waits for`, `${host}:${port ?? "?"}, never called (${place})`);
  }
  const [soonest] = seen
    .flatMap(({ notBefore, readyAt }) => notBefore ?? readyAt ?? [])
    .toSorted((a, b) => a - b);
  if (soonest !== undefined)
    screen.figure("nobody is ready before", new Date(soonest).toISOString().slice(0, 10));
  const early = seen.filter(({ state }) => state !== "learning");
  claims.exactly(
    "readiness-early",
    "after so short a time nobody is called ready",
    early.length,
    0,
  );
  const [expected = ""] = refundAddress();
  claims.add({
    id: "readiness-awaited",
    claim: "what is configured and was never called is named",
    measured: awaited.map(({ dependency }) => `${dependency.host}:${dependency.port}`).join(", "),
    bound: expected,
    holds:
      awaited.length === 1 &&
      awaited.every(({ dependency, name }) => isRefund(dependency) && name === "shop/checkout"),
  });
  figures["readiness"] = { subjects: answer.subjects, watched: answer.watched };
}

function awaitedOf({ subjects }: ReadinessAnswer) {
  return subjects
    .filter(isOfShop)
    .flatMap(({ subject, awaited }) =>
      awaited.flatMap((one) =>
        one.kind === "dependency" ? [{ name: subject.name, dependency: one.dependency }] : [],
      ),
    );
}

/** The machine that the demo runs on may have jobs and services of its own. */
const isOfShop = ({ subject }: Subject): boolean => subject.name.startsWith("shop/");

const refundAddress = (): readonly string[] =>
  Object.values(CONFIGURATION).flatMap(({ REFUNDS_URL = "" }) => new URL(REFUNDS_URL).host);

const isRefund = ({ host, port }: { readonly host: string; readonly port?: number | undefined }) =>
  refundAddress().includes(`${host}:${port}`);

const share = (value: number): string => `${Number((value * 100).toPrecision(2))} %`;
