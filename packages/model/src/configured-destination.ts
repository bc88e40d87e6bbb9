/**
 * Destinations in configuration: environment, arguments, lines of a file, data of a ConfigMap. Values hold secrets, so nothing
 * leaves here but host, port and scheme; what could be read in two ways, one of which takes a part of a secret for a host,
 * is not read at all. URLs by RFC 3986; connection strings by libpq, JDBC drivers, ADO.NET, go-sql-driver and PDO.
 */
import { destinationsInPairs, isPairs } from "./connection-pairs.ts";
import { plainHost, withPort, type HostAndPort } from "./host-and-port.ts";

export interface ConfigurationEntry {
  /** `DATABASE_URL`, `spring.datasource.url`, `--db-host`. */
  readonly name: string;
  readonly value: string;
  /** What it is told by, if not by its name: `line 12`. */
  readonly place?: string;
}

export interface ConfiguredDestination {
  /** Lower case; an address in canonical form. */
  readonly host: string;
  /** As written, or as the scheme has it. */
  readonly port?: number;
  readonly scheme?: string;
  /** Which entry says so: its place, or its name. */
  readonly entry: string;
}

/** Of one entry: a list of brokers has fewer. */
const MOST_HOSTS = 16;
const LONGEST_VALUE = 8192;
const LONG_GAP = /\s{64}/;

/** IANA's, and what makers of databases and brokers give as their default. */
const DEFAULT_PORTS: Readonly<Record<string, number>> = {
  http: 80,
  https: 443,
  ws: 80,
  wss: 443,
  ftp: 21,
  ssh: 22,
  sftp: 22,
  smtp: 25,
  smtps: 465,
  ldap: 389,
  ldaps: 636,
  postgresql: 5432,
  mysql: 3306,
  mariadb: 3306,
  sqlserver: 1433,
  oracle: 1521,
  mongodb: 27_017,
  redis: 6379,
  rediss: 6379,
  amqp: 5672,
  amqps: 5671,
  nats: 4222,
  mqtt: 1883,
  mqtts: 8883,
  kafka: 9092,
  zookeeper: 2181,
  elasticsearch: 9200,
  clickhouse: 8123,
  memcached: 11_211,
  consul: 8500,
  vault: 8200,
  bolt: 7687,
  neo4j: 7687,
  cassandra: 9042,
};

/** What a scheme is called besides. */
const SAME_SCHEME: Readonly<Record<string, string>> = {
  postgres: "postgresql",
  pg: "postgresql",
  pgsql: "postgresql",
  mssql: "sqlserver",
  mysql2: "mysql",
  mongo: "mongodb",
  rabbitmq: "amqp",
  elastic: "elasticsearch",
  zk: "zookeeper",
};

/** Names that lead to no host of the network. */
const NOWHERE =
  /^(?:file|unix|sqlite\d?|data|urn|about|mem|memory|jar|classpath|vscode|npm|cid|mailto)$/;

/** Words of a name that say: here is a host, or several. */
const HOST_WORDS = new Set(
  "host hosts hostname hostaddr server servers addr addrs address addresses endpoint endpoints broker brokers bootstrap upstream upstreams nodes peers seeds contactpoints quorum connect".split(
    " ",
  ),
);
/** And those that say: here is how to connect. */
const STRING_WORDS = new Set(
  "url urls uri uris dsn connection connectionstring connstr conninfo database db datasource sql".split(
    " ",
  ),
);
/** Words that say: here is a secret. */
const SECRET_WORDS =
  /^(?:pass|passwd|password|passphrase|pwd|pw|secret|secrets|token|tokens|key|keys|apikey|cred|creds|credential|credentials|auth|salt|private|cookie|session|signature|sig|cert|certificate|pin|otp|seed|hash|digest|user|username|login)$/;
/** The last word of a name whose value is a place, whatever the words before it are: `TOKEN_URL`, `AUTH_HOST`. */
const PLACE_AT_END =
  /^(?:url|urls|uri|uris|host|hosts|hostname|server|servers|endpoint|endpoints|addr|address)$/;
/** Its own: where it waits, not whom it calls. */
const OWN_WORDS =
  /^(?:bind|listen|listener|listeners|advertise|advertised|public|external|self|own|local)$/;

/** What a cluster tells every container of every Service (docker's links, and Kubernetes' after them): nobody configured it. */
const GIVEN_TO_ALL = /_SERVICE_(?:HOST|PORT)(?:_|$)|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_|$)|^KUBERNETES_/;
const GIVEN_VALUE = /^(?:tcp|udp|sctp):\/\//;

/** In the order of the entries; each destination once an entry. */
export function destinationsIn(
  entries: readonly ConfigurationEntry[],
): readonly ConfiguredDestination[] {
  const values = new Map(entries.map(({ name, value }) => [name.toUpperCase(), value]));
  return entries.flatMap((entry): ConfiguredDestination[] => {
    if (isGivenToAll(entry) || entry.value.length > LONGEST_VALUE) return [];
    // Nobody writes so, and patterns would try all ways to divide them.
    if (LONG_GAP.test(entry.value)) return [];
    const found = read(entry, values).slice(0, MOST_HOSTS);
    return distinct(
      found.flatMap(({ host, port, scheme }): ConfiguredDestination[] => {
        const at = plainHost(host);
        if (at === undefined || isEverywhere(at)) return [];
        const known = scheme === undefined ? undefined : (SAME_SCHEME[scheme] ?? scheme);
        const there = port ?? (known === undefined ? undefined : DEFAULT_PORTS[known]);
        return [
          {
            host: at,
            ...(there === undefined ? {} : { port: there }),
            ...(known === undefined ? {} : { scheme: known }),
            entry: entry.place ?? entry.name,
          },
        ];
      }),
    );
  });
}

interface Found extends HostAndPort {
  readonly scheme?: string;
}

function isGivenToAll({ name, value }: ConfigurationEntry): boolean {
  return GIVEN_TO_ALL.test(name) || (name.endsWith("_PORT") && GIVEN_VALUE.test(value));
}

/** Where somebody waits, or nowhere. */
const isEverywhere = (host: string): boolean => host === "0.0.0.0" || host === "::";

function read(
  { name, value: text }: ConfigurationEntry,
  values: ReadonlyMap<string, string>,
): readonly Found[] {
  const value = unquoted(text.trim());
  const words = wordsOf(name);
  const last = words.at(-1) ?? "";
  if (words.some((word) => SECRET_WORDS.test(word)) && !PLACE_AT_END.test(last)) return [];
  if (words.some((word) => OWN_WORDS.test(word))) return [];
  if (/^jdbc:/i.test(value)) return readJdbc(value);
  if (URL_START.test(value)) return readUrls(value);
  const namesHost = words.some((word) => HOST_WORDS.has(word)) || PG_HOST.test(name);
  if (!namesHost && !words.some((word) => STRING_WORDS.has(word))) return [];
  const scheme = schemeOf(words, name);
  if (isPairs(value))
    return destinationsInPairs(value).map((one) => ({ ...schemed(scheme), ...one }));
  const dsn = readGoDsn(value);
  if (dsn !== undefined) return dsn;
  return namesHost ? readList(value, { words, name, values, scheme }) : [];
}

const schemed = (scheme: string | undefined): { readonly scheme?: string } =>
  scheme === undefined ? {} : { scheme };

const unquoted = (text: string): string => /^(["'])(.*)\1$/s.exec(text)?.[2] ?? text;

/** `spring.datasource.dbHost` is five words. */
function wordsOf(name: string): readonly string[] {
  return name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== "");
}

const PG_HOST = /^PGHOST(?:ADDR)?$/;

/** What the words before the last ones say: `REDIS_HOST`. */
function schemeOf(words: readonly string[], name: string): string | undefined {
  if (PG_HOST.test(name)) return "postgresql";
  return words
    .map((word) => SAME_SCHEME[word] ?? word)
    .find((word) => Object.hasOwn(DEFAULT_PORTS, word) && !GENERAL.has(word));
}

/** Words that stand in names of much else. */
const GENERAL = new Set(["http", "https", "ws", "wss", "ssh", "vault", "consul", "bolt"]);

const SCHEME = "[a-z][a-z0-9+.-]{1,30}";
const URL_START = new RegExp(`^${SCHEME}://`, "i");
const NEXT_URL = new RegExp(`[\\s,;]+(?=${SCHEME}://)`, "i");

/** One, or several one after the other. */
function readUrls(value: string): readonly Found[] {
  const pieces = value.split(NEXT_URL);
  // Without the same user in all of them, what looks like several may be one with a strange password.
  if (new Set(pieces.map(userOf)).size > 1) return [];
  if (pieces.length > 1 && /[?#]/.test(value)) return [];
  const found = pieces.map(readUrl);
  // A part that cannot be told apart from a secret makes all of them doubtful: the cut may lie within one.
  return found.some((one) => one === undefined) ? [] : found.flatMap((one) => one ?? []);
}

const userOf = (url: string): string | undefined => /:\/\/(.*)@/s.exec(url)?.[1];

/** Undefined: it could be read in two ways. */
function readUrl(text: string): readonly Found[] | undefined {
  const [, written = "", rest = ""] = new RegExp(`^(${SCHEME})://(.*)$`, "is").exec(text) ?? [];
  const [base = "", suffix] = written.toLowerCase().split("+");
  if (NOWHERE.test(base)) return [];
  const end = rest.search(/[/?#\\\s]/);
  const authority = end < 0 ? rest : rest.slice(0, end);
  // Who writes `@`, `/` or `?` into a password as they are has a URL that ends elsewhere than they think.
  if (end >= 0 && rest.slice(end).includes("@")) return undefined;
  const parts = authority.split("@");
  if (parts.length > 2) return undefined;
  const hosts = (parts.at(-1) ?? "").split(",").map(withPort);
  if (hosts.some((one) => one === undefined)) return parts.length > 1 ? undefined : [];
  // The port is in a record of the name: `mongodb+srv`.
  const scheme = suffix === "srv" ? base : schemeBeside(base, suffix);
  return hosts.flatMap((one) =>
    one === undefined ? [] : suffix === "srv" ? [{ host: one.host }] : [{ ...one, scheme }],
  );
}

/** `postgresql+psycopg2`, `redis+tls`: the part that is known. `git+https`, `https+unix`: the last. */
function schemeBeside(base: string, suffix: string | undefined): string {
  if (suffix === undefined || Object.hasOwn(DEFAULT_PORTS, SAME_SCHEME[base] ?? base)) return base;
  return Object.hasOwn(DEFAULT_PORTS, suffix) ? suffix : base;
}

/** `jdbc:postgresql://h1:5432,h2/db`, `jdbc:sqlserver://h:1433;database=x`, `jdbc:oracle:thin:@//h:1521/service`. */
function readJdbc(value: string): readonly Found[] {
  const oracle = /^jdbc:oracle:(?:thin|oci):([^@]*)@(.*)$/is.exec(value);
  if (oracle !== null) {
    const [, , there = ""] = oracle;
    if (there.includes("@") || there.includes("(")) return [];
    const address = withPort(
      there
        .replace(/^(?:tcps?:)?\/\//, "")
        .split(/[/?]/)[0]!
        .replace(/(:\d+):[\w$#]+$/, "$1"),
    );
    return address === undefined ? [] : [{ ...address, scheme: "oracle" }];
  }
  const parts = /^jdbc:([a-z0-9]+)(?::[a-z0-9]+)*:\/\/(.*)$/is.exec(value);
  if (parts === null) return [];
  const [, driver = "", rest = ""] = parts;
  const scheme = SAME_SCHEME[driver.toLowerCase()] ?? driver.toLowerCase();
  if (NOWHERE.test(scheme)) return [];
  const end = rest.search(/[/?#;\s]/);
  const authority = end < 0 ? rest : rest.slice(0, end);
  // Properties follow, passwords among them, and there `@` is a character like others; before them stands no user but MySQL's.
  const parted = authority.split("@");
  if (parted.length > 2) return [];
  if (parted.length > 1 && rest.slice(Math.max(end, 0)).includes("@")) return [];
  if (parted.length === 1 && /^[^?;]*@/.test(end < 0 ? "" : rest.slice(end))) return [];
  // SQL Server's name of an instance: `host\\name:1433`.
  const hosts = (parted.at(-1) ?? "")
    .replaceAll(/\\[\w$]+/g, "")
    .split(",")
    .map(withPort);
  return hosts.flatMap((one) => (one === undefined ? [] : [{ ...one, scheme }]));
}

/** `user:password@tcp(host:3306)/db`; the last slash and the last `@` before it count, as go-sql-driver reads it. */
function readGoDsn(value: string): readonly Found[] | undefined {
  const slash = value.lastIndexOf("/");
  const at = value.lastIndexOf("@", slash);
  const parts = /^(?:tcp|tcp4|tcp6)\(([^()]*)\)$/.exec(
    value.slice(at + 1, slash < 0 ? undefined : slash),
  );
  if (parts === null) return undefined;
  const address = withPort(parts[1] ?? "");
  return address === undefined ? [] : [{ ...address, scheme: "mysql" }];
}

interface ListContext {
  readonly words: readonly string[];
  readonly name: string;
  readonly values: ReadonlyMap<string, string>;
  readonly scheme: string | undefined;
}

/** `b1:9092,b2:9092`, `zk1:2181,zk2:2181/chroot`, or a host whose port stands in the entry beside it. */
function readList(value: string, { words, name, values, scheme }: ListContext): readonly Found[] {
  const pieces = withoutPath(value)
    .split(/[\s,;]+/)
    .filter((one) => one !== "");
  const hosts = pieces.map(withPort);
  // All of it is a list of hosts, or none of it is.
  if (hosts.length === 0 || hosts.some((one) => one === undefined)) return [];
  const [only] = hosts;
  const last = words.at(-1) ?? "";
  const isHost = HOST_AT_END.test(last) || PG_HOST.test(name);
  // `HOST` alone is where a server waits, as is `server.host` of a file, and `HOSTNAME` who it is.
  const isOwn = words.length === 1 || (words.length === 2 && words[0] === "server");
  if (isOwn && isHost && !PG_HOST.test(name)) return [];
  const beside = isHost ? portBeside(name, values) : undefined;
  return hosts.flatMap((one): Found[] => {
    if (one === undefined) return [];
    const port = one.port ?? beside;
    // A word alone is a host only where the name says so.
    if (port === undefined && !isHost) return [];
    if (one.port === undefined && hosts.length === 1 && only !== undefined && !isHost) return [];
    return [{ host: one.host, ...(port === undefined ? {} : { port }), ...schemed(scheme) }];
  });
}

/** Without `/chroot` at its end. From behind: a pattern would look on from every slash. */
function withoutPath(value: string): string {
  let begin = value.length;
  while (begin > 0 && /[\w/.-]/.test(value.charAt(begin - 1))) begin -= 1;
  const slash = value.indexOf("/", begin);
  return slash < 0 ? value : value.slice(0, slash);
}

const HOST_AT_END =
  /^(?:host|hosts|hostname|hostaddr|server|servers|addr|address|endpoint|broker|brokers)$/;

/** `DB_PORT` beside `DB_HOST`, `db.port` beside `db.host`. */
function portBeside(name: string, values: ReadonlyMap<string, string>): number | undefined {
  const beside = name
    .toUpperCase()
    .replace(
      /(?:HOST|HOSTS|HOSTNAME|HOSTADDR|SERVER|SERVERS|ADDR|ADDRESS|ENDPOINT|BROKERS?)$/,
      "PORT",
    );
  const text = unquoted((values.get(beside) ?? "").trim());
  return /^\d{1,5}$/.test(text) && Number(text) > 0 && Number(text) < 65_536
    ? Number(text)
    : undefined;
}

function distinct(found: readonly ConfiguredDestination[]): ConfiguredDestination[] {
  return [...new Map(found.map((one) => [`${one.host} ${one.port ?? ""}`, one])).values()];
}
