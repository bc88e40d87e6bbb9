/** What is compared: ways of making a policy of what was seen, each asked the same questions. */
import type { Labels } from "@bulkhead/model";
import type { Phase } from "./estate.ts";
import type { World } from "./world.ts";

export interface Question {
  readonly source: Phase;
  readonly destination: Phase;
  readonly protocol: number;
  readonly port: number;
}

export interface Answer {
  /** May the source send it, may the destination take it? Whoever knows no sides says the same of both. */
  readonly egress: boolean;
  readonly ingress: boolean;
}

export interface Learned {
  answer(question: Question): Answer;
  readonly rules: number;
  /** Who is treated alike has the same text. */
  groupOf(phase: Phase): string;
}

export interface Method {
  readonly name: string;
  /** From what was seen before that day of the world, and from nothing else. */
  learn(world: World, day: number): Learned;
}

/** What an end is for those who only know workloads and addresses. */
export const placeOf = ({ workload, address }: Phase): string =>
  workload === "" ? address : workload;

const SAME = /(^|[/._-])(pod-template-hash|version|managed-by|os|site)$/;

/** Labels as text, without those that say which copy or which build it is, or nothing at all. */
export const labelsText = (labels: Labels): string =>
  Object.entries(labels)
    .filter(([key]) => !SAME.test(key))
    .map(([key, value]) => `${key}=${value}`)
    .toSorted()
    .join(",");
