/** Rows of a VPC's flow log of which each says more about the next: openings, answers, both directions, again and again. */
import { readerOf, watchFlows } from "@bulkhead/sources";
import { createRecordNames } from "../src/flows/record-names.ts";

const AT = 1_760_000_000;
const FIELDS =
  "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";

/** Calls of a client whose port is lower than the server's, of peers with equal ports, and of a usual one. */
const PAIRS = [
  [5000, 8443, 6],
  [123, 123, 17],
  [41_000, 443, 6],
] as const;

export function awsRows(flags: boolean): readonly string[] {
  const rows: string[] = [];
  for (let interval = 0; interval < 4; interval += 1) {
    for (const [client, server, protocol] of PAIRS) {
      const at = AT + interval * 60;
      const row = (from: string, to: string, ports: string, syn: number): string =>
        `2 210987654321 eni-1 ${from} ${to} ${ports} ${protocol} 1 76 ${at} ${at + 50} ACCEPT OK${flags ? ` ${syn}` : ""}`;
      const isFirst = interval === 0 && protocol === 6;
      rows.push(
        row("10.0.0.1", "10.0.0.2", `${client} ${server}`, isFirst ? 2 : 0),
        row("10.0.0.2", "10.0.0.1", `${server} ${client}`, isFirst ? 18 : 0),
      );
    }
  }
  return rows;
}

/** Names of the records of a file that begins with these rows. */
export function readRows(rows: readonly string[]): readonly string[] {
  const names: string[] = [];
  const nameOf = createRecordNames("");
  const sink = watchFlows({
    flow: (flow, turned) => void names.push(nameOf(flow, turned)),
    malformed: ({ problem }) => {
      throw new Error(problem);
    },
    other: () => undefined,
    lost: () => undefined,
  });
  const reader = readerOf("aws-vpc")?.open(sink);
  const hasFlags = rows[0]?.split(" ").length === 15;
  const header = hasFlags ? `${FIELDS} tcp-flags` : FIELDS;
  reader?.push(new TextEncoder().encode(`${[header, ...rows].join("\n")}\n`));
  reader?.end();
  return names;
}
