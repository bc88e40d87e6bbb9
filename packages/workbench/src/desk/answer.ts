/** Questions to a desk and their answers: one decision, and the rules that determined it with their places in files. */
import {
  createDecider,
  decide,
  questionsBetween,
  type Decider,
  type DecideOptions,
} from "@bulkhead/engine";
import {
  formatPort,
  type Decision,
  type Direction,
  type DirectionDecision,
  type Exemption,
  type FlowQuery,
  type Obligation,
  type PolicyRef,
} from "@bulkhead/model";
import type { Desk } from "./desk.ts";
import { createEndFinder, type DeskEnd, type FindEnd } from "./ends.ts";
import { onePort } from "./one-port.ts";
import { problem, type Found, type Problem } from "./problem.ts";
import { parseQuestion, type Question } from "./question.ts";

/** What determined one direction: a rule or isolation with its policy and place; or nothing of the files. */
export interface Determined {
  readonly direction: Direction;
  readonly kind: "rule" | "isolation" | "default" | "exemption";
  /** `NetworkPolicy/shop/db` */
  readonly policy?: string;
  /** Of an isolation the block: `NetworkPolicy/shop/db#ingress`. */
  readonly rule?: string;
  readonly stage?: string;
  readonly file?: string;
  readonly line?: number;
  readonly exemption?: Exemption;
}

export interface DecideAnswer {
  readonly id?: unknown;
  readonly decision: "allow" | "deny";
  /** A deny that is told to the sender. */
  readonly rejected?: true;
  readonly from: string;
  readonly to: string;
  readonly port: string;
  readonly egress: "allow" | "deny";
  readonly ingress: "allow" | "deny";
  /** Of a deny what denies, of an allow what allows: by direction. */
  readonly determinedBy: readonly Determined[];
  /** On what an allow depends that the question did not tell. */
  readonly obligations?: readonly Obligation[];
  /** Rules of equal order disagree; the stricter one counts. */
  readonly ambiguous?: true;
  /** Between other addresses of the two ends, over IPv6 say, it is otherwise. */
  readonly elsewhere?: "allow" | "deny";
}

/** Both ends and the packets that stand for the question: one for each pair of their addresses, IPv4 first. */
export interface Asked {
  readonly from: DeskEnd;
  readonly to: DeskEnd;
  readonly queries: readonly [FlowQuery, ...FlowQuery[]];
}

export interface Asker {
  ask(question: Question): Found<DecideAnswer>;
  /** One line of JSON to the text of its answer, an error too; `number` is the line's. */
  askLine(line: string, number: number): string;
}

/** For fewer questions nothing is compiled. */
const MANY = 50;

export function createAsker(desk: Desk, options: DecideOptions): Asker {
  const find = createEndFinder(desk);
  let decider: Decider = (query) => decide(desk.set, desk.index, query, options);
  let asked = 0;
  const ask = (question: Question): Found<DecideAnswer> => {
    const found = askedOf(desk, find, question);
    if (found.problem !== undefined) return found;
    if (++asked === MANY) decider = createDecider(desk.set, desk.index, options);
    const { from, to, queries } = found.value;
    const [first, ...others] = queries.map((query) => decider(query));
    return { value: answerOf(question, from, to, queries[0], first!, others) };
  };
  return {
    ask,
    askLine(line, number) {
      const question = parseQuestion(line);
      const answer = question.problem === undefined ? ask(question.value) : question;
      return answer.problem === undefined
        ? JSON.stringify(answer.value)
        : errorLine(answer.problem, number);
    },
  };
}

export const errorLine = (error: Problem, line: number): string => JSON.stringify({ error, line });

export function askedOf(desk: Desk, find: FindEnd, question: Question): Found<Asked> {
  const from = find(question.from);
  if (from.problem !== undefined) return from;
  const to = find(question.to);
  if (to.problem !== undefined) return to;
  const port = onePort(question.port, to.value.workload);
  if (port.problem !== undefined) return port;
  const { request, names } = question;
  const [first, ...others] = questionsBetween(desk.index, from.value, to.value, port.value).map(
    (query): FlowQuery => ({
      ...query,
      ...(names === undefined ? {} : { names }),
      ...(request === undefined ? {} : { request }),
    }),
  );
  if (first === undefined) {
    const ends = `\`${from.value.name}\` and \`${to.value.name}\``;
    return problem("no-common-family", `${ends} have no address family in common`);
  }
  return { value: { from: from.value, to: to.value, queries: [first, ...others] } };
}

function answerOf(
  { id }: Question,
  from: DeskEnd,
  to: DeskEnd,
  { protocol, port }: FlowQuery,
  decision: Decision,
  others: readonly Decision[],
): DecideAnswer {
  const { egress, ingress } = decision;
  const judged = [egress, ingress];
  const denying = judged.filter(({ verdict }) => verdict !== "allow");
  const obligations = judged.flatMap((one) => one.obligations ?? []);
  const plain = ({ verdict }: Pick<Decision, "verdict">) =>
    verdict === "allow" ? "allow" : "deny";
  const other = others.find((one) => plain(one) !== plain(decision));
  return {
    ...(id === undefined ? {} : { id }),
    decision: plain(decision),
    ...(decision.verdict === "reject" ? { rejected: true } : {}),
    from: from.name,
    to: to.name,
    port: formatPort(protocol, port),
    egress: plain(egress),
    ingress: plain(ingress),
    determinedBy: (denying.length > 0 ? denying : judged).map(determined),
    ...(obligations.length > 0 && denying.length === 0 ? { obligations } : {}),
    ...(judged.some(({ ambiguous }) => ambiguous) ? { ambiguous: true } : {}),
    ...(other === undefined ? {} : { elsewhere: plain(other) }),
  };
}

export function determined({ direction, determinedBy: by }: DirectionDecision): Determined {
  switch (by.kind) {
    case "rule":
    case "isolation":
      return {
        direction,
        kind: by.kind,
        policy: policyName(by.policy),
        rule: by.kind === "rule" ? by.rule : by.block,
        stage: by.stage,
        file: by.source.file,
        line: by.source.line,
      };
    case "default":
      return { direction, kind: "default" };
    case "exemption":
      return { direction, kind: "exemption", exemption: by.exemption };
  }
}

export function policyName({ kind, namespace, name }: PolicyRef): string {
  return namespace === "" ? `${kind}/${name}` : `${kind}/${namespace}/${name}`;
}
