/**
 * What is wrong only between rules: ports with two parsers, for which Cilium rejects policies (SEMANTICS trap 9), and names that
 * nothing ever tells it, since it learns them from the answers that its DNS proxy sees.
 */
import { portsOf, portsOfProtocol, TCP, UDP, type PortMatch, type Rule } from "@bulkhead/model";
import type { BuildContext } from "../build/context.ts";
import type { StagedBlock } from "../build/native-blocks.ts";

type Parser = "http" | "dns";

const PARSERS: readonly Parser[] = ["http", "dns"];

const uses = ({ l7 = [] }: Rule, parser: Parser): boolean => l7[0]?.kind === parser;

const shareAPort = (a: readonly PortMatch[], b: readonly PortMatch[]): boolean =>
  [TCP, UDP].some((protocol) => {
    const [of, others] = [a, b].map((ports) =>
      portsOfProtocol(
        portsOf(ports, () => []),
        protocol,
      ),
    );
    return of!.some((one) =>
      others!.some((other) => one.first <= other.last && other.first <= one.last),
    );
  });

/** Rules about the same subject in the same direction, whosever they are: they end up in one list of ports. */
const together = (blocks: readonly StagedBlock[]): readonly (readonly Rule[])[] => {
  const groups = Map.groupBy(blocks, ({ block: { direction, subject } }) =>
    JSON.stringify([direction, subject]),
  );
  return [...groups.values()].map((some) => some.flatMap(({ block }) => block.rules));
};

const parserConflicts = (rules: readonly Rule[], { report }: BuildContext): void => {
  const [http, dns] = PARSERS.map((parser) => rules.filter((rule) => uses(rule, parser)));
  if (http === undefined || dns === undefined || http.length * dns.length === 0) return;
  const ports = dns.flatMap((rule) => rule.ports);
  for (const rule of http) {
    if (!shareAPort(rule.ports, ports)) continue;
    const other = dns.find((one) => shareAPort(rule.ports, one.ports));
    report(
      "BH0410",
      rule.source,
      "this rule looks into `http` at a port where another looks into `dns`",
      `Cilium rejects the whole policy for it; the other is \`${other?.id}\``,
    );
  }
};

const untoldNames = (blocks: readonly StagedBlock[], { report }: BuildContext): void => {
  const rules = blocks.flatMap(({ block }) => block.rules);
  if (rules.some((rule) => uses(rule, "dns"))) return;
  for (const { peers, source } of rules) {
    if (!peers.some(({ kind }) => kind === "domain")) continue;
    report(
      "BH0413",
      source,
      "names are learnt from answers that Cilium sees, and no rule lets it see any",
      'allow DNS with `rules: {dns: [{matchPattern: "*"}]}`',
    );
  }
};

export const checkBlocks = (blocks: readonly StagedBlock[], context: BuildContext): void => {
  for (const rules of together(blocks)) parserConflicts(rules, context);
  untoldNames(blocks, context);
};
