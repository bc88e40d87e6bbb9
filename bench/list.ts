/**
 * What `list` costs: every connection that 2,000 policies permit among 10,000 pods of 500 classes, found and written out as
 * lines. The peer has the same classes and policies, and a pod for each class: what is more is what pods cost beside classes.
 * Processor time, so that a busy machine does not spoil it; reading the manifests is told apart. With CHART=FILE the cost is drawn
 * as classes grow and as pods do.
 */
import { writeFileSync } from "node:fs";
import {
  connectivityOf,
  cutWorld,
  openDesk,
  pairFormats,
  pairsOf,
  type Desk,
} from "@bulkhead/workbench/desk";
import { drawChart, type Series } from "./chart.ts";
import { absolute, compared, median } from "./figure.ts";
import type { Figure } from "./figure.ts";

const NAMESPACES = 50;
const APPS = 10;
const TEAMS = 7;
const ROUNDS = 5;

const app = (n: number) => ({ matchLabels: { app: `a${n % APPS}` } });

/** Each app of a namespace has two policies in either direction. */
const policies = (n: number, a: number): object[] =>
  [0, 1].flatMap((k) => [
    policy(n, `in-${a}-${k}`, {
      podSelector: app(a),
      policyTypes: ["Ingress"],
      ingress: [
        {
          from: [
            { podSelector: app(a + 1 + k) },
            {
              namespaceSelector: { matchLabels: { team: `t${(n + k) % TEAMS}` } },
              podSelector: app(a * 3 + k),
            },
          ],
          ports: [{ port: 8000 + a }, { port: 9000 + k }],
        },
      ],
    }),
    policy(n, `out-${a}-${k}`, {
      podSelector: app(a),
      policyTypes: ["Egress"],
      egress: [
        { to: [{ namespaceSelector: {} }], ports: [{ port: 8009 - k }, { port: 9001 }] },
        { to: [{ ipBlock: { cidr: `10.${n}.${a}.0/24` } }] },
      ],
    }),
  ]);

const policy = (n: number, name: string, spec: object): object => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name, namespace: `ns${n}` },
  spec,
});

const pods = (n: number, a: number, count: number): object[] =>
  Array.from({ length: count }, (_, p) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `a${a}-${p}`, namespace: `ns${n}`, labels: { app: `a${a}` } },
  }));

/** A file for each namespace. */
const manifests = (podsOfAClass: number, namespaces = NAMESPACES) =>
  Array.from({ length: namespaces }, (_, n) => {
    const namespace = {
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: `ns${n}`, labels: { team: `t${n % TEAMS}` } },
    };
    const apps = Array.from({ length: APPS }, (_none, a) => [
      ...pods(n, a, podsOfAClass),
      ...policies(n, a),
    ]);
    const documents = [namespace, ...apps.flat()].map((one) => JSON.stringify(one));
    return { name: `ns${n}.json`, text: documents.join("\n---\n") };
  });

const milliseconds = <T>(work: () => T): { readonly ms: number; readonly value: T } => {
  const before = process.cpuUsage();
  const value = work();
  const { user, system } = process.cpuUsage(before);
  return { ms: (user + system) / 1000, value };
};

/** The number of lines, so that none is left out as unused. */
const lines = (desk: Desk): number => {
  let count = 0;
  for (const line of pairFormats.txt(pairsOf(connectivityOf(desk, 0), cutWorld(desk.set)))) {
    if (line.length > 0) count += 1;
  }
  return count;
};

/** Processor time, the median of three, after one that is not counted. */
const costOf = (classes: number, count: number): number => {
  const desk = openDesk(manifests(count / classes, classes / APPS), { now: 0 });
  connectivityOf(desk, 0);
  return median([0, 1, 2].map(() => milliseconds(() => connectivityOf(desk, 0)).ms));
};

const MOST_CLASSES = 400;
const MOST_PODS = 4000;
const SHARES = [0.1, 0.25, 0.5, 1] as const;

/** Each with as much as the other has at its end: as many classes, and as many pods. */
const series = (): readonly Series[] => [
  {
    name: `classes, of ${MOST_PODS} pods`,
    points: SHARES.map((share) => [share, costOf(MOST_CLASSES * share, MOST_PODS)] as const),
  },
  {
    name: `pods, in ${MOST_CLASSES / 2} classes`,
    points: SHARES.map((share) => [share, costOf(MOST_CLASSES / 2, MOST_PODS * share)] as const),
  },
];

/** And draws it where somebody asks for that. */
const growth = (): Figure => {
  const [byClasses, byPods] = series();
  const growthOf = ({ points }: Series): number => points.at(-1)![1] / points[0]![1];
  const chart = process.env["CHART"] ?? "";
  if (chart !== "") {
    const text = {
      title: "What a list of all permitted connections costs",
      x: `share of ${MOST_CLASSES} classes, or of ${MOST_PODS} pods`,
      y: "processor time, ms",
    };
    writeFileSync(chart, drawChart([byClasses!, byPods!], text));
  }
  return compared(
    "list/growth, ten times the classes",
    "times",
    [growthOf(byClasses!)],
    "ten times the pods",
    [growthOf(byPods!)],
    { atLeast: 2 },
  );
};

export const benchList = (): Figure[] => {
  const [many, few] = [manifests(20), manifests(1)];
  const opened = milliseconds(() => openDesk(many, { now: 0 }));
  const alone = openDesk(few, { now: 0 });
  const found: number[] = [];
  const written: number[] = [];
  const classes: number[] = [];
  let count = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    found.push(milliseconds(() => connectivityOf(opened.value, 0)).ms);
    const whole = milliseconds(() => lines(opened.value));
    written.push(whole.ms);
    count = whole.value;
    classes.push(milliseconds(() => lines(alone)).ms);
  }
  return [
    growth(),
    absolute("list/10k pods of 500 classes, found", "ms", found, { atMost: 2000 }),
    compared("list/the same as lines", "ms", written, "500 pods of 500 classes", classes),
    absolute("list/lines", "lines", [count]),
    absolute("list/reading 12,050 documents", "ms", [opened.ms]),
  ];
};
