/** Policies at a desk: files in, answers out, with no machine, no daemon and no cluster. Pure; runs in a browser. */
export { openDesk, type Desk, type DeskOptions, type HostNetworkReading } from "./desk.ts";
export {
  createAsker,
  errorLine,
  type Asker,
  type DecideAnswer,
  type Determined,
} from "./answer.ts";
export { createEndFinder, type DeskEnd, type FindEnd } from "./ends.ts";
export type { Found, Problem } from "./problem.ts";
export type { Question } from "./question.ts";
export { dnsRequest, httpRequest, plainName, tlsRequest } from "./request-text.ts";
