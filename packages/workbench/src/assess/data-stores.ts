/** Which workloads keep what an intruder is after, by the ports they answer at and by what they are called. */
import { TCP, type Edge, type Workload, type WorkloadId } from "@bulkhead/model";

/** Ports as IANA has them, and as makers of databases, brokers and vaults document them. */
const BY_PORT: Readonly<Record<number, string>> = {
  88: "Kerberos",
  389: "LDAP",
  445: "files (SMB)",
  636: "LDAP",
  1433: "SQL Server",
  1521: "Oracle",
  2049: "files (NFS)",
  2379: "etcd",
  3306: "MySQL",
  5432: "PostgreSQL",
  5672: "RabbitMQ",
  5984: "CouchDB",
  6379: "Redis",
  6443: "Kubernetes API",
  7687: "Neo4j",
  8200: "Vault",
  9042: "Cassandra",
  9092: "Kafka",
  9200: "Elasticsearch",
  11_211: "memcached",
  27_017: "MongoDB",
};

const BY_NAME: readonly (readonly [RegExp, string])[] = [
  [/^(?:postgres|postgresql|pgsql|pg)$/, "PostgreSQL"],
  [/^(?:mysql|mariadb|percona)$/, "MySQL"],
  [/^(?:mssql|sqlserver)$/, "SQL Server"],
  [/^oracle$/, "Oracle"],
  [/^(?:mongo|mongodb)$/, "MongoDB"],
  [/^(?:redis|valkey)$/, "Redis"],
  [/^cassandra$/, "Cassandra"],
  [/^(?:elasticsearch|opensearch)$/, "Elasticsearch"],
  [/^kafka$/, "Kafka"],
  [/^rabbitmq$/, "RabbitMQ"],
  [/^etcd$/, "etcd"],
  [/^vault$/, "Vault"],
  [/^(?:ldap|openldap|slapd)$/, "LDAP"],
  [/^(?:minio|ceph)$/, "objects"],
  [/^(?:db|database)$/, "a database"],
];

export interface DataStore {
  readonly what: string;
  /** `answers at 5432/tcp`, `is called postgresql`. */
  readonly why: string;
}

/** Undefined: nothing says that it is one. */
export function dataStoreOf(
  workload: Workload,
  answersAt: ReadonlySet<number>,
): DataStore | undefined {
  const ports = [
    ...answersAt,
    ...workload.namedPorts.map(({ port }) => port),
    ...(workload.sockets ?? []).flatMap(({ port, protocol }) => (protocol === TCP ? [port] : [])),
  ].toSorted((a, b) => a - b);
  for (const port of ports) {
    const what = BY_PORT[port];
    if (what !== undefined) return { what, why: `answers at ${port}/tcp` };
  }
  const words = [workload.name, ...ROLES.flatMap((key) => workload.labels[key] ?? [])].flatMap(
    (text) => text.toLowerCase().split(/[^a-z]+/),
  );
  for (const [pattern, what] of BY_NAME) {
    const word = words.find((one) => pattern.test(one));
    if (word !== undefined) return { what, why: `is called \`${word}\`` };
  }
  if (workload.owner?.kind === "StatefulSet") return { what: "state", why: "is a StatefulSet" };
  return undefined;
}

/** Labels that say what a workload does. */
const ROLES = [
  "app.kubernetes.io/name",
  "app.kubernetes.io/component",
  "app",
  "k8s-app",
  "role",
  "tier",
];

/** Ports at which each answered. */
export function answeringPorts(
  edges: readonly Edge[],
): ReadonlyMap<WorkloadId, ReadonlySet<number>> {
  const ports = new Map<WorkloadId, Set<number>>();
  for (const { destination, protocol, port, established } of edges) {
    if (destination.workload === undefined || protocol !== TCP || established === 0) continue;
    const own = ports.get(destination.workload);
    if (own === undefined) ports.set(destination.workload, new Set([port]));
    else own.add(port);
  }
  return ports;
}
