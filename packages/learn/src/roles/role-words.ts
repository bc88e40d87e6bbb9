/** What listens on a port, in one word (IANA's registry, and customs that are as old): for names, never for decisions. */
import { SCTP, TCP, UDP } from "@bulkhead/model";

const WORDS: Readonly<Record<number, string>> = {
  21: "ftp",
  22: "ssh",
  25: "mail",
  53: "dns",
  80: "web",
  88: "kerberos",
  111: "rpc",
  123: "ntp",
  143: "imap",
  389: "ldap",
  443: "web",
  445: "smb",
  465: "mail",
  514: "syslog",
  587: "mail",
  636: "ldap",
  873: "rsync",
  993: "imap",
  1433: "sqlserver",
  1521: "oracle",
  1883: "mqtt",
  2049: "nfs",
  2181: "zookeeper",
  2379: "etcd",
  3000: "http",
  3128: "proxy",
  3306: "mysql",
  3389: "rdp",
  4317: "traces",
  4222: "nats",
  5044: "logs",
  5432: "postgresql",
  5672: "amqp",
  6379: "redis",
  6443: "kubernetes-api",
  7000: "cassandra",
  8000: "http",
  8080: "http",
  8081: "http",
  8086: "influxdb",
  8200: "vault",
  8443: "http",
  8500: "consul",
  9042: "cassandra",
  9090: "prometheus",
  9092: "kafka",
  9200: "elasticsearch",
  11211: "memcached",
  26379: "redis-sentinel",
  27017: "mongodb",
};

/** By TCP and UDP alike: who serves both does the same on both. */
export function wordOfPort(port: number): string {
  return WORDS[port] ?? `port-${port}`;
}

/** Of `protocol * 65536 + port`. */
export function splitPort(key: number): { readonly protocol: number; readonly port: number } {
  const protocol = Math.floor(key / 65_536);
  return { protocol, port: key - protocol * 65_536 };
}

/** Ping is something to hear, and no service. */
export function isService(key: number): boolean {
  const { protocol, port } = splitPort(key);
  return (protocol === TCP || protocol === UDP || protocol === SCTP) && port > 0;
}
