/** Runs the expectations that stand in a policy itself, over every pair of addresses of the two ends. */
import type { PolicyTest, TestEnd } from "@bulkhead/dialects";
import {
  askedWorkload,
  decide,
  questionsBetween,
  type AskedEnd,
  type InventoryIndex,
} from "@bulkhead/engine";
import {
  formatPort,
  type FlowQuery,
  type IpAddress,
  type PolicySet,
  type Request,
  type SourceSpan,
} from "@bulkhead/model";

export interface TestResult {
  readonly test: string;
  readonly passed: boolean;
  readonly message: string;
  readonly source: SourceSpan;
}

/** Where the ends of tests are looked up, and how their addresses are told; the index knows, unless somebody knows better. */
export interface TestPlace {
  readonly end: (end: TestEnd) => AskedEnd | { readonly problem: string };
  /** Empty: it is no address to be told. */
  readonly addressText: (address: IpAddress) => string;
}

/** Judged as if everything were enforced: that is what the author of a test speaks of. */
export function runPolicyTests(
  tests: readonly PolicyTest[],
  set: PolicySet,
  index: InventoryIndex,
  now: number,
  place: TestPlace = { end: (end) => endOf(end, index), addressText: (address) => address },
): readonly TestResult[] {
  return tests.map((test) => runTest(test, set, index, now, place));
}

function runTest(
  test: PolicyTest,
  set: PolicySet,
  index: InventoryIndex,
  now: number,
  place: TestPlace,
): TestResult {
  const { name, source, protocol, port, expect } = test;
  const result = (passed: boolean, message: string): TestResult => ({
    test: name,
    passed,
    message,
    source,
  });
  const [from, to] = [place.end(test.from), place.end(test.to)];
  if ("problem" in from) return result(false, from.problem);
  if ("problem" in to) return result(false, to.problem);
  const queries = questionsBetween(index, from, to, { protocol, port }).map((query): FlowQuery => ({
    ...query,
    ...(test.request === undefined ? {} : { request: test.request }),
    ...(test.names === undefined ? {} : { names: test.names }),
  }));
  if (queries.length === 0) {
    return result(false, "the two ends have no address family in common");
  }
  for (const query of queries) {
    const { verdict } = decide(set, index, query, { now, view: "shadow" });
    if ((verdict === "allow") === (expect === "allow")) continue;
    const told = (end: TestEnd, address: IpAddress): string => {
      const text = place.addressText(address);
      return text === "" ? endText(end) : `${endText(end)} (${text})`;
    };
    const flow = `${told(test.from, query.source)} → ${told(test.to, query.destination)} ${formatPort(protocol, port)}${asked(test)}`;
    return result(false, `${flow}: \`${verdict}\`, expected \`${expect}\``);
  }
  return result(true, expect);
}

function endOf(end: TestEnd, index: InventoryIndex): AskedEnd | { readonly problem: string } {
  if (end.kind === "address") return { addresses: [end.address], isProcess: false };
  const asked = askedWorkload(end.workload, index);
  return asked.addresses.length > 0 ? asked : { problem: `\`${endText(end)}\` has no address` };
}

function endText(end: TestEnd): string {
  return end.kind === "address" ? end.address : end.workload;
}

/** ` GET api.example.com/x as cdn.example.com`: what the test says of the connection beside its ends and port. */
function asked({ request, names = [] }: PolicyTest): string {
  const name = names.length === 0 ? "" : ` as ${names.join(", ")}`;
  return `${request === undefined ? "" : ` ${requestWords(request)}`}${name}`;
}

function requestWords(request: Request): string {
  if (request.kind === "opaque") return "";
  const { method = "", host = "", target, path = "" } = request.attributes;
  return `${method} ${host}${target ?? path}`;
}
