/** Options that choose among flows, as the request to the controller: names in full, and every mistake told here, with help. */
import type { FlowFilter, Read } from "@bulkhead/api";
import { parseSpan } from "./arguments.ts";
import type { Context } from "./context.ts";
import { badInput } from "./failure.ts";
import type { FlowOptions } from "./flow-options.ts";
import { resolveName, type NameOptions } from "./names.ts";
import { nearest } from "./ui/spell.ts";

export async function flowFilter(context: Context, options: FlowOptions): Promise<FlowFilter> {
  const span = parseSpan(options, context.now());
  const checked = await checkedTexts(options);
  const ends = [...(options.workload ?? []), ...(options.from ?? []), ...(options.to ?? [])];
  const known = ends.length === 0 ? undefined : await knownNames(context);
  const names = (typed: readonly string[] | undefined): string[] | undefined =>
    typed?.map((name) => resolveName(name, known?.names ?? [], known));
  return withoutAbsent({
    ...span,
    ...checked,
    workload: names(options.workload),
    from: names(options.from),
    to: names(options.to),
    probes: options.probes === true ? true : undefined,
  });
}

/** Read here for the sake of the help, and again by the controller, which trusts nobody. */
async function checkedTexts(options: FlowOptions): Promise<FlowFilter> {
  const { readAddresses, readDomain, readPorts, readProtocol, readSelector, readVerdict } =
    await import("@bulkhead/api");
  const {
    verdict,
    label,
    fromLabel,
    toLabel,
    ip,
    fromIp,
    toIp,
    fqdn,
    fromFqdn,
    toFqdn,
    protocol,
    port,
  } = options;
  // Commas belong to a selector.
  const selectors = (option: string, texts: readonly string[] | undefined) =>
    readAll(option, texts, readSelector)?.join(";");
  return {
    verdict: readAll("--verdict", verdict, readVerdict)?.map((text) => text.toLowerCase()),
    label: selectors("--label", label),
    fromLabel: selectors("--from-label", fromLabel),
    toLabel: selectors("--to-label", toLabel),
    ip: readAll("--ip", ip, readAddresses),
    fromIp: readAll("--from-ip", fromIp, readAddresses),
    toIp: readAll("--to-ip", toIp, readAddresses),
    fqdn: readAll("--fqdn", fqdn, readDomain),
    fromFqdn: readAll("--from-fqdn", fromFqdn, readDomain),
    toFqdn: readAll("--to-fqdn", toFqdn, readDomain),
    protocol: readAll("--protocol", protocol, readProtocol),
    port: readAll("--port", port, readPorts),
  };
}

function readAll(
  option: string,
  texts: readonly string[] | undefined,
  read: (text: string) => Read<unknown>,
): string[] | undefined {
  if (texts === undefined) return undefined;
  for (const text of texts) {
    const found = read(text);
    if ("value" in found) continue;
    const { error, help, wrong } = found;
    const near = wrong === undefined ? undefined : nearest(wrong.word, wrong.known);
    throw badInput(
      `\`${option}\`: ${error}`,
      near === undefined ? help : `did you mean \`${near}\`?`,
    );
  }
  return [...texts];
}

function withoutAbsent(filter: FlowFilter): FlowFilter {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}

/** Workloads there are, and ends that were seen before (NetworkSets, workloads that have gone). */
async function knownNames(
  context: Context,
): Promise<NameOptions & { readonly names: readonly string[] }> {
  const client = await context.client();
  const [{ workloads }, { edges }] = await Promise.all([
    client.call("workloads", {}),
    client.call("edges", {}),
  ]);
  const seen = edges.flatMap((edge) => [edge.source.name, edge.destination.name]);
  const labels = new Map(workloads.map((workload) => [workload.id, workload.labels]));
  return {
    names: [...new Set([...labels.keys(), ...seen])],
    labelsOf: (name) => labels.get(name),
  };
}
