/** Figures as tables in Markdown; their heads are what `docs/learning.md` is held to. */
import { median } from "../figure.ts";
import type { Covered } from "./coverage.ts";
import { FAMILIES, type Family } from "./families.ts";
import { CAUSES, type Cause, type Verdicts } from "./judging.ts";
import type { MethodResult, TrialResult } from "./trial.ts";

export const HEADS = {
  comparison: [
    "World",
    "Method",
    "Precision",
    "Recall",
    "Falsely denied",
    "of edges",
    "Rules a workload",
    "ARI",
    "Intruder's edges admitted",
    "Scans denied",
  ],
  readiness: [
    "World",
    "Policy from",
    "Applications",
    "Median week",
    "Falsely denied",
    "unseen",
    "set aside",
    "address",
    "labels changed",
    "new programs",
    "Rule per tuple",
    "Per label",
    "Jaccard",
    "Intruder's edges admitted",
  ],
  roles: ["World", "Roles", "Found", "Bulkhead", "Jaccard", "Ratio"],
  coverage: [
    "Law",
    "Days",
    "Histories",
    "Mass",
    "Connections",
    "Truth above",
    "Edges",
    "Median truth",
    "Median upper end",
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>;

export type TableName = keyof typeof HEADS;

export const lineOf = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;

export function tableOf(name: TableName, rows: readonly (readonly string[])[]): string {
  const head = HEADS[name];
  return [lineOf(head), lineOf(head.map(() => "---")), ...rows.map(lineOf), ""].join("\n");
}

/** What learning answers for: the rest changed after it had learned. */
export const LEARNINGS: readonly Cause[] = ["unseen", "refused", "address"];

export const mean = (values: readonly number[]): number =>
  values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length;

const sumOf = (
  counts: Readonly<Record<Cause, number>>,
  causes: readonly Cause[] = CAUSES,
): number => causes.reduce((sum, cause) => sum + counts[cause], 0);

const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

/** Of the flows that were judged, those denied for one of these causes. */
export const deniedShare = ({ denied, flows }: Verdicts, causes?: readonly Cause[]): number =>
  ratio(sumOf(denied, causes), flows);

const percent = (share: number): string =>
  Number.isNaN(share)
    ? "–"
    : `${share === 0 ? "0" : share < 0.0001 ? "< 0.01" : (100 * share).toFixed(share < 0.01 ? 3 : 1)} %`;
const decimal = (value: number, digits = 2): string =>
  Number.isNaN(value) ? "–" : value.toFixed(digits);
const outOf = (
  all: readonly Verdicts[],
  part: (verdicts: Verdicts) => number,
  whole: (verdicts: Verdicts) => number,
): string =>
  `${all.reduce((sum, one) => sum + part(one), 0)} of ${all.reduce((sum, one) => sum + whole(one), 0)}`;

const admitted = (all: readonly Verdicts[]): string =>
  outOf(
    all,
    (one) => one.admitted,
    (one) => one.intrusions,
  );

/** By family, in the order of the results. */
export const byFamily = (
  results: readonly TrialResult[],
): readonly (readonly [Family, readonly TrialResult[]])[] => [
  ...Map.groupBy(results, ({ family }) => family),
];

export function methodsOf(results: readonly TrialResult[], name: string): readonly MethodResult[] {
  return results.flatMap(({ methods }) => methods.filter((method) => method.name === name));
}

export function comparisonRows(results: readonly TrialResult[]): readonly (readonly string[])[] {
  return byFamily(results).flatMap(([family, own]) =>
    (own[0]?.methods ?? []).map(({ name }) => {
      const same = methodsOf(own, name);
      const verdicts = same.map((method) => method.verdicts);
      return [
        FAMILIES[family].title,
        name,
        decimal(mean(same.map(({ precision }) => precision))),
        decimal(mean(same.map(({ recall }) => recall))),
        percent(mean(verdicts.map((one) => deniedShare(one, LEARNINGS)))),
        percent(
          mean(
            verdicts.map(({ deniedEdges, edges }) => ratio(sumOf(deniedEdges, LEARNINGS), edges)),
          ),
        ),
        decimal(mean(same.map(({ rulesPerWorkload }) => rulesPerWorkload))),
        decimal(mean(same.map(({ index }) => index))),
        admitted(verdicts),
        outOf(
          verdicts,
          (one) => one.deniedScans,
          (one) => one.scans,
        ),
      ];
    }),
  );
}

export function readinessRows(results: readonly TrialResult[]): readonly (readonly string[])[] {
  return byFamily(results).flatMap(([family, own]) =>
    (
      [
        ["ready", "afterReady", "ready"],
        ["ready, except", "afterExcept", "except"],
      ] as const
    ).map(([said, which, weeks]) => {
      const of = (name: string): readonly Verdicts[] =>
        methodsOf(own, name).map((method) => method[which]);
      const ours = of("Bulkhead");
      const share = (all: readonly Verdicts[], causes: readonly Cause[]): string =>
        percent(mean(all.filter(({ flows }) => flows > 0).map((one) => deniedShare(one, causes))));
      const reached = own.flatMap((result) => result[weeks]);
      const applications = own.reduce((sum, result) => sum + result.applications, 0);
      return [
        FAMILIES[family].title,
        said,
        `${reached.length} of ${applications}`,
        reached.length === 0 ? "–" : decimal(median(reached), 0),
        share(ours, LEARNINGS),
        ...(["unseen", "refused", "address", "drift", "born"] as const).map((cause) =>
          share(ours, [cause]),
        ),
        ...["rule per tuple", "per label", "Jaccard"].map((name) => share(of(name), LEARNINGS)),
        admitted(ours),
      ];
    }),
  );
}

export function roleRows(results: readonly TrialResult[]): readonly (readonly string[])[] {
  return byFamily(results).map(([family, own]) => {
    const [ours, theirs] = [
      mean(own.map(({ roles }) => roles.ours)),
      mean(own.map(({ roles }) => roles.jaccard)),
    ];
    return [
      FAMILIES[family].title,
      decimal(mean(own.map(({ roles }) => roles.roles)), 0),
      decimal(mean(own.map(({ roles }) => roles.found)), 0),
      decimal(ours),
      decimal(theirs),
      decimal(ours / theirs, 1),
    ];
  });
}

export function coverageRows(covered: readonly Covered[]): readonly (readonly string[])[] {
  return covered.map((one) => [
    one.law,
    `${one.units}`,
    `${one.histories}`,
    percent(one.mass),
    percent(one.flows),
    percent(one.flowsAbove),
    percent(one.edges),
    percent(one.truth),
    percent(one.high),
  ]);
}
