/** The workloads the controller knows: who they are, where they attach, and how far policy goes for them. */
import { z } from "zod";

export const modeSchema = z.enum(["observe", "audit", "enforce"]);

export const workloadSchema = z.object({
  /** `namespace/name` */
  id: z.string(),
  namespace: z.string(),
  name: z.string(),
  kind: z.enum(["netns", "container", "pod", "vm", "host", "node", "external", "process"]),
  labels: z.record(z.string(), z.string()),
  addresses: z.array(z.string()),
  /** Names that policies may use instead of numbers. */
  namedPorts: z.array(z.object({ name: z.string(), protocol: z.int(), port: z.int() })).optional(),
  mode: modeSchema,
  /** An Inventory file names it. */
  declared: z.boolean(),
  /** An agent sees it attached now. */
  attached: z.boolean(),
  interface: z.string().optional(),
  netnsPath: z.string().optional(),
  owner: z.object({ kind: z.string(), name: z.string() }).optional(),
  /** Of kind `process`: where its processes are. */
  cgroup: z.string().optional(),
  /** Of kind `process`: its sockets that wait for connections. */
  sockets: z
    .array(
      z.object({
        /** Absent: every address of the machine in this family. */
        address: z.string().optional(),
        family: z.union([z.literal(4), z.literal(6)]),
        protocol: z.int(),
        port: z.int(),
      }),
    )
    .optional(),
  /** Sockets in use that another control group made, by which the kernel goes on judging them. */
  borrowed: z
    .array(
      z.object({
        /** Name of the workload that made them, or the path of its group; absent when that has gone. */
        maker: z.string().optional(),
        how: z.enum(["activated", "accepted", "moved"]),
        ports: z.array(z.object({ protocol: z.int(), port: z.int() })),
      }),
    )
    .optional(),
  /** Held by processes of it: with those they reach past policy. */
  capabilities: z.array(z.string()).optional(),
  image: z.string().optional(),
  /** What runs in it, when that was asked for. For people to read: nothing goes by it. */
  running: z
    .object({
      /** Processes; `processes` may hold fewer. */
      count: z.int(),
      processes: z.array(z.object({ pid: z.int(), name: z.string(), user: z.string() })),
      users: z.array(z.string()),
      /** The file that its main process runs. */
      executable: z
        .object({
          path: z.string(),
          size: z.number(),
          /** `sha256:…`; absent while it is being read. */
          digest: z.string().optional(),
          package: z.string().optional(),
        })
        .optional(),
    })
    .optional(),
  /** Of kind `process`: it waits for nobody, is in no recorded flow, and nothing selects or declares it. */
  idle: z.boolean().optional(),
  /** Of its addresses and sockets those that others claim too: `10.0.0.5`, `80/tcp`. */
  contested: z.array(z.string()).optional(),
  /** Resources that select it: `Policy/shop/db`. */
  policies: z.array(z.string()),
});
export type WorkloadView = z.infer<typeof workloadSchema>;

export const workloadsRequestSchema = z.strictObject({
  /** `true`: also what runs in units of the machine. Waits for the agent. */
  running: z.enum(["true", "false"]).optional(),
});

export const workloadsAnswerSchema = z.object({
  revision: z.int(),
  workloads: z.array(workloadSchema),
  hostAddresses: z.array(z.string()),
  /** Those with labels of their own. */
  namespaces: z
    .array(z.object({ name: z.string(), labels: z.record(z.string(), z.string()) }))
    .optional(),
  /** Why processes of the machine are not told apart, or not all. */
  processesProblem: z.string().optional(),
});
export type WorkloadsAnswer = z.infer<typeof workloadsAnswerSchema>;
