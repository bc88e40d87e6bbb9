/** `bulkhead probe`: real connections for every rule and every boundary, both ends watched. A skipped probe is a failure. */
import type { ProbeEvent, ProbeResultView, ProbeSummary } from "@bulkhead/api";
import { formatPort, SCTP, TCP, UDP } from "@bulkhead/model";
import { printItem } from "../answer.ts";
import { parseWhole } from "../arguments.ts";
import type { CommonOptions } from "../context.ts";
import { CliFailure } from "../failure.ts";
import { resolveName } from "../names.ts";
import { orInterrupted } from "../interruption.ts";
import { withProgress } from "../progress.ts";
import { probeText } from "../views/probes.ts";
import type { Verb } from "./verb.ts";

export interface ProbeOptions extends CommonOptions {
  readonly maxBoundaries?: string;
}

export const probe: Verb<ProbeOptions> = async (context, args, options) => {
  const client = await context.client();
  const names =
    args.length === 0
      ? undefined
      : await client.call("workloads", {}).then(({ workloads }) => {
          const known = workloads.map((workload) => workload.id);
          return args.map((name) => resolveName(name, known));
        });
  const streamed = context.format === "json" || context.format === "yaml";
  const request = {
    ...(names === undefined ? {} : { workloads: names }),
    ...(options.maxBoundaries === undefined
      ? {}
      : { maxBoundaries: parseWhole(options.maxBoundaries, "a number of probes") }),
  };
  const results: ProbeResultView[] = [];
  let summary: ProbeSummary | undefined;
  const probing = withProgress(context, "probing", async (progress) => {
    const events: AsyncIterable<ProbeEvent> = client.stream("probe", request, {
      signal: context.signal,
    });
    for await (const event of events) {
      if (streamed) await printItem(context, event, () => "");
      if (event.type === "summary") summary = event.summary;
      if (event.type !== "result") continue;
      results.push(event.result);
      progress.update(`probing ${event.index + 1} of ${event.total}`);
    }
  });
  await orInterrupted(context.signal, probing);
  if (summary === undefined) throw new CliFailure(3, "the probes ended without a summary");
  const done = summary;
  const exitCode = done.proven ? 0 : 1;
  if (streamed) return exitCode;
  return {
    value: { summary: done, results },
    text: (ui) => probeText(results, done, ui),
    next: done.proven ? ["status"] : [explainNext(results)],
    exitCode,
  };
};

function explainNext(results: readonly ProbeResultView[]): string {
  const bad = results.find((result) => result.outcome === "failed");
  if (bad === undefined || ![TCP, UDP, SCTP].includes(bad.probe.protocol)) return "status";
  const { from, to, port, protocol } = bad.probe;
  return `explain ${from} ${to}:${formatPort(protocol, port)}`;
}
