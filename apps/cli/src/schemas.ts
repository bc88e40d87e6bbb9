/** Shapes of the answers that the command line makes itself; those of the API are published by the API. */
import {
  affectedSchema,
  diagnosticSchema,
  explainAnswerSchema,
  sourceSpanSchema,
  statusAnswerSchema,
  tallySchema,
  workloadSchema,
} from "@bulkhead/api";
import { z } from "zod";
import {
  blastAnswerSchema,
  decideAnswerSchema,
  decideQuerySchema,
  proveAnswerSchema,
  testAnswerSchema,
} from "./question-schemas.ts";
import { hubbleResponseSchema, mapAnswerSchema, talkersAnswerSchema } from "./observe-schemas.ts";

export const upAnswerSchema = z.object({
  state: z.string(),
  pid: z.int(),
  /** It ran before this call. */
  already: z.boolean(),
  tookMs: z.number(),
  warnings: z.array(z.string()),
  status: statusAnswerSchema,
  workloads: z.array(workloadSchema),
});
export type UpAnswer = z.infer<typeof upAnswerSchema>;

export const downAnswerSchema = z.object({
  state: z.string(),
  ended: z.array(z.enum(["supervisor", "controller", "agent"])),
  /** `namespace gone`: and our rules with it. */
  kernel: z.enum(["removed", "nothing", "namespace gone"]),
  purged: z.boolean(),
  /** What `--purge` found in the state directory and left alone. */
  foreign: z.array(z.string()),
});
export type DownAnswer = z.infer<typeof downAnswerSchema>;

export const bootAnswerSchema = z.object({
  state: z.string(),
  task: z.enum(["enable", "disable", "restore"]),
  /** Put in or taken out. */
  units: z.array(z.string()).optional(),
  /** Of `restore`: restored, nothing, kept, refused, locked. */
  outcome: z.string().optional(),
  message: z.string().optional(),
});
export type BootAnswer = z.infer<typeof bootAnswerSchema>;

export const restartAnswerSchema = z.object({
  state: z.string(),
  /** Who keeps it running, and has started it anew. */
  keeper: z.enum(["nothing", "systemd", "background"]),
  pid: z.int().optional(),
});
export type RestartAnswer = z.infer<typeof restartAnswerSchema>;

export const installAnswerSchema = z.object({
  task: z.enum(["install", "upgrade", "uninstall"]),
  version: z.string().optional(),
  /** The version in use before. */
  before: z.string().optional(),
  steps: z.array(z.string()),
  /** False when there was nothing to do, and with `--dry-run`. */
  done: z.boolean(),
});
export type InstallAnswer = z.infer<typeof installAnswerSchema>;

export const doctorAnswerSchema = z.object({
  checks: z.array(
    z.object({
      name: z.string(),
      /** `off`: not in use, and nothing rests on it. `untold`: only root can tell. */
      state: z.enum(["works", "off", "untold", "fails"]),
      detail: z.string(),
      /** What to do. */
      help: z.string().optional(),
      /** Without it Bulkhead cannot run here. */
      necessary: z.boolean(),
    }),
  ),
});
export type DoctorAnswer = z.infer<typeof doctorAnswerSchema>;

export const versionAnswerSchema = z.object({
  version: z.string(),
  node: z.string(),
  platform: z.string(),
  apiVersion: z.string(),
});
export type VersionAnswer = z.infer<typeof versionAnswerSchema>;

/** `workloads --inventory`: the draft as it would be written to a file. */
export const inventoryAnswerSchema = z.object({ text: z.string() });

/** `explain --change`: null where nothing that is added would allow it, or where it is allowed. */
export const changeAnswerSchema = explainAnswerSchema.shape.smallestChange.unwrap().nullable();

/** `flows import`: a file each. */
export const flowsImportAnswerSchema = z.object({
  files: z.array(
    z.object({
      file: z.string(),
      format: z.string(),
      /** Read from it, each once. */
      flows: z.int(),
      stored: z.int(),
      /** Imported before, in the same batches. */
      known: z.int(),
      /** Told by another file that was imported before, record by record. */
      repeated: z.int(),
      duplicates: z.int(),
      future: z.int(),
      backwards: z.int(),
      /** Stored, and older than single flows are kept. */
      old: z.int(),
      /** At least; more than 200,000 are not told apart. */
      edges: z.int(),
      /** Milliseconds since the epoch. */
      first: z.number().optional(),
      last: z.number().optional(),
      /** Why it could not be unpacked to its end; what came before is stored. */
      broken: z.string().optional(),
      malformed: z.object({
        count: z.int(),
        quoted: z.array(z.object({ place: z.int(), problem: z.string(), quote: z.string() })),
      }),
      /** Well-formed, and no flow: by what it is. */
      others: z.record(z.string(), z.int()),
      /** Events that the source says it lost. */
      lost: z.int(),
      /** One packet in so many was looked at; 1: all. */
      sampling: z.number(),
      /** A record sums up to so many milliseconds. */
      aggregation: z.number(),
      /** Who called whom was guessed for some. */
      guessed: z.boolean(),
    }),
  ),
});
export type FlowsImportAnswer = z.infer<typeof flowsImportAnswerSchema>;

/** `flows export` */
export const flowsExportAnswerSchema = z.object({
  /** `-`: standard output. */
  file: z.string(),
  format: z.enum(["parquet", "jsonl"]),
  what: z.enum(["flows", "edges"]),
  rows: z.int(),
});
export type FlowsExportAnswer = z.infer<typeof flowsExportAnswerSchema>;

/** `flows formats` */
export const flowFormatsAnswerSchema = z.array(z.object({ name: z.string(), title: z.string() }));

export const completionAnswerSchema = z.object({ shell: z.string(), script: z.string() });

/** `list`: a connection each. */
export const listAnswerSchema = z.array(
  z.object({
    src: z.string(),
    dst: z.string(),
    /** TCP, UDP and SCTP in netpol-analyzer's words; `No Connections` where only others are permitted. */
    conn: z.string(),
    /** All of it: `80/tcp, icmp/echo-request`, `all`, `all except 22/tcp`. */
    ports: z.string(),
  }),
);

/** `diff`: changed ones first, then those added, then those removed. */
export const diffAnswerSchema = z.array(
  z.object({
    diff: z.enum(["changed", "added", "removed"]),
    src: z.string(),
    dst: z.string(),
    /** As `conn` and `ports` of `list`, in either folder. */
    dir1: z.string(),
    dir2: z.string(),
    ports1: z.string(),
    ports2: z.string(),
    /** `workload shop/web[Deployment] added`, or empty. */
    info: z.string(),
  }),
);

const directionSchema = z.enum(["egress", "ingress"]);

export const exposureAnswerSchema = z.object({
  exposures: z.array(
    z.object({
      workload: z.string(),
      direction: directionSchema,
      /** `entire-cluster`, `shop/[pod with {app=web}]`, `10.0.0.0-10.255.255.255[External]`. */
      peer: z.string(),
      conn: z.string(),
      /** `none` where the entire cluster may, and these may not. */
      ports: z.string(),
      /** `TCP http`: a port that rules allow by its name, or deny by it. */
      named: z.string().optional(),
      except: z.string().optional(),
    }),
  ),
  /** No policy in force selects it for this direction. */
  unprotected: z.array(z.object({ workload: z.string(), direction: directionSchema })),
});

export const lintAnswerSchema = z.object({
  /** Sorted by place. */
  findings: z.array(diagnosticSchema),
});

const replayedSchema = z.object({
  source: z.string(),
  destination: z.string(),
  port: z.string(),
  connections: z.number(),
  /** What denies it now, or did before: a rule or block. */
  rule: z.string(),
});

export const checkAnswerSchema = z.object({
  ok: z.boolean(),
  findings: z.array(diagnosticSchema),
  tests: z.object({
    passed: z.int(),
    failed: z.int(),
    tests: z.array(
      z.object({
        test: z.string(),
        passed: z.boolean(),
        message: z.string(),
        source: sourceSpanSchema,
      }),
    ),
  }),
  exposure: exposureAnswerSchema,
  /** Pods that stand for others, since no file has any. */
  representatives: z.array(z.string()),
  /** With `--base`. */
  changes: diffAnswerSchema.optional(),
  /** With `--flows`. */
  replay: z
    .object({
      denied: tallySchema,
      allowed: tallySchema,
      /** Who is affected: what is denied first, then by connections. */
      affected: z.array(affectedSchema),
      newlyDenied: z.array(replayedSchema),
      newlyAllowed: z.array(replayedSchema),
      unchanged: z.int(),
    })
    .optional(),
});
export type CheckAnswer = z.infer<typeof checkAnswerSchema>;

/** JSON Schemas by name. */
export const schemaAnswerSchema = z.object({
  answers: z.record(z.string(), z.unknown()),
  resources: z.record(z.string(), z.unknown()),
});

/** What a failed verb prints on stderr with `-o json` and `-o yaml`. */
export const failureAnswerSchema = z.object({
  error: z.object({
    code: z.string(),
    message: z.string(),
    help: z.string().optional(),
    diagnostics: z.array(z.unknown()),
  }),
});

/** JSON Schemas by verb; `failure` is what stderr holds when a verb fails. */
export function ownSchemas(): Readonly<Record<string, unknown>> {
  const own = {
    up: upAnswerSchema,
    down: downAnswerSchema,
    boot: bootAnswerSchema,
    restart: restartAnswerSchema,
    install: installAnswerSchema,
    upgrade: installAnswerSchema,
    uninstall: installAnswerSchema,
    doctor: doctorAnswerSchema,
    version: versionAnswerSchema,
    inventory: inventoryAnswerSchema,
    change: changeAnswerSchema,
    "flows-import": flowsImportAnswerSchema,
    "flows-export": flowsExportAnswerSchema,
    "flow-formats": flowFormatsAnswerSchema,
    completion: completionAnswerSchema,
    list: listAnswerSchema,
    diff: diffAnswerSchema,
    exposure: exposureAnswerSchema,
    decide: decideAnswerSchema,
    "decide-query": decideQuerySchema,
    test: testAnswerSchema,
    prove: proveAnswerSchema,
    blast: blastAnswerSchema,
    check: checkAnswerSchema,
    lint: lintAnswerSchema,
    schema: schemaAnswerSchema,
    talkers: talkersAnswerSchema,
    map: mapAnswerSchema,
    "hubble-flow": hubbleResponseSchema,
    failure: failureAnswerSchema,
  };
  return Object.fromEntries(
    Object.entries(own).map(([name, schema]) => [
      name,
      { answer: z.toJSONSchema(schema, { io: "output", unrepresentable: "any" }) },
    ]),
  );
}
