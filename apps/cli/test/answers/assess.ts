/** A shop that was watched for a while, and confined nowhere yet. */
import type { AssessAnswer } from "@bulkhead/api";
import { NOW } from "../call.ts";

export const assess: AssessAnswer = {
  at: NOW,
  workloads: 9,
  averageBlast: { now: 8, after: 2.25 },
  first: [
    {
      what: "confine shop/db (PostgreSQL)",
      why: "8 may connect to it now, and 2 were seen to need it",
      command: "suggest -n shop -f shop.yaml",
    },
    {
      what: "policies are tested",
      why: "it is what is missing for intermediate",
      command: "test",
    },
  ],
  jewels: [
    {
      workload: "shop/db",
      store: "PostgreSQL",
      why: "answers at 5432/tcp",
      openToWorld: true,
      basis: "flows",
      callers: 2,
      now: { direct: 8, paths: 8, blast: 8 },
      after: { direct: 2, paths: 8, blast: 0 },
      command: "suggest -n shop -f shop.yaml",
    },
    {
      workload: "shop/batch",
      why: "much lies behind it",
      openToWorld: false,
      basis: "namespace",
      callers: 8,
      now: { direct: 8, paths: 8, blast: 8 },
      after: { direct: 5, paths: 8, blast: 8 },
      command: "observe --follow",
    },
  ],
  prerequisites: [
    {
      kind: "collector",
      weight: "blocks",
      text: "nobody looks at the network",
      why: "no flow is recorded",
      samples: [],
      command: "status",
    },
    {
      kind: "labels",
      weight: "weakens",
      text: "4 of 9 workloads have no labels",
      why: "a rule can name them by address only",
      samples: ["shop/a", "shop/b", "shop/c", "shop/d"],
      command: "label",
    },
  ],
  maturity: {
    level: "beginner",
    rows: [
      { level: "beginner", text: "there is a policy", met: true, command: "suggest" },
      { level: "intermediate", text: "policies are tested", met: false, command: "test" },
      { level: "advanced", text: "drift is repaired", command: "drift --set repair" },
    ],
  },
  schedules: [],
  dependencies: [],
};
