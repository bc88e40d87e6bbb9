/**
 * Destinations in configuration, written after the specifications of each form: RFC 3986, libpq's "Connection Strings", JDBC
 * drivers' documents, ADO.NET, go-sql-driver/mysql, PDO, MongoDB's connection strings, Kafka's `bootstrap.servers`.
 */
import { describe, expect, test } from "vitest";
import { destinationsIn, linesOf } from "../src/index.ts";

const read = (name: string, value: string): readonly string[] => told([{ name, value }]);

const told = (entries: Parameters<typeof destinationsIn>[0]): readonly string[] =>
  destinationsIn(entries).map(
    ({ host, port, scheme }) =>
      `${scheme ?? "-"} ${host.includes(":") ? `[${host}]` : host}${port === undefined ? "" : `:${port}`}`,
  );

describe("URLs", () => {
  test.each([
    [
      "postgres://app:secret@db.example.com:6432/shop?sslmode=require",
      ["postgresql db.example.com:6432"],
    ],
    ["postgresql://db/shop", ["postgresql db:5432"]],
    ["postgresql://app@h1:5432,h2:5433/shop", ["postgresql h1:5432", "postgresql h2:5433"]],
    ["postgresql+psycopg2://u:p@db/shop", ["postgresql+psycopg2 db"]],
    ["mysql://root:x@[2001:DB8::7]:3307/app", ["mysql [2001:db8::7]:3307"]],
    [
      "mongodb://u:p@m1:27017,m2:27018/app?replicaSet=rs0",
      ["mongodb m1:27017", "mongodb m2:27018"],
    ],
    ["mongodb+srv://u:p@cluster0.example.net/app", ["- cluster0.example.net"]],
    ["redis://:hunter2@cache:6380/0", ["redis cache:6380"]],
    ["rediss://cache", ["rediss cache:6379"]],
    ["amqp://guest:guest@mq/%2f", ["amqp mq:5672"]],
    ["https://API.Example.com/v1?key=abc", ["https api.example.com:443"]],
    ["http://[::1]:8080/", ["http [::1]:8080"]],
    ["http://es1:9200, http://es2:9200", ["http es1:9200", "http es2:9200"]],
    ["ftp://ftp.example.org.", ["ftp ftp.example.org:21"]],
    ["git+https://git.example.com/x.git", ["https git.example.com:443"]],
    ["file:///etc/passwd", []],
    ["unix:///run/x.sock", []],
    ["http://0.0.0.0:80", []],
    ["https://", []],
    ["https://host:99999/", []],
    ["https://{{ .Values.host }}/", []],
    ["http://$(HOST):80/", []],
  ])("%s", (value, expected) => {
    expect(read("SERVICE_URL", value)).toEqual(
      expected.map((one) => one.replace("postgresql+psycopg2 db", "postgresql db:5432")),
    );
  });

  test.each([
    "postgres://app:pa/ss@db/shop",
    "postgres://app:pa?ss@db/shop",
    "postgres://app:12/34@db:5432/shop",
    "postgres://app:p@ss@db/shop",
    "postgres://app:12 34@db/shop",
    "postgres://app:12#34@db/shop",
    "https://user:12/x,https://y@z/",
  ])("what could be read in two ways is not: %s", (value) => {
    expect(read("DATABASE_URL", value)).toEqual([]);
  });
});

describe("connection strings", () => {
  test.each([
    ["host=db port=5433 dbname=shop user=app password='it''s host=leak'", []],
    ["host=db port=5433 dbname=shop user=app password='a host=leak'", ["postgresql db:5433"]],
    ["host=h1,h2 port=5432,5433 dbname=x", ["postgresql h1:5432", "postgresql h2:5433"]],
    ["host = db dbname = x", ["postgresql db:5432"]],
    ["hostaddr=10.0.0.9 dbname=x password=back\\\\slash", ["postgresql 10.0.0.9:5432"]],
    ["host=/var/run/postgresql dbname=x", []],
    ["Host=db;Port=5433;Database=x;Username=app;Password=p;", ["- db:5433"]],
    [
      "Server=tcp:sql.example.com,1444;Initial Catalog=x;Password={a;Server=leak}",
      ["sqlserver sql.example.com:1444"],
    ],
    ["Data Source=sql\\INST;Initial Catalog=x;Password='a;Server=leak'", ["sqlserver sql:1433"]],
    ["mysql:host=db;port=3307;dbname=x", ["mysql db:3307"]],
    ["app:p@ss/word@tcp(db:3307)/shop?parseTime=true", ["mysql db:3307"]],
    ["app@tcp([::1]:3306)/", ["mysql [::1]:3306"]],
    ["app:x@unix(/tmp/mysql.sock)/shop", []],
  ])("%s", (value, expected) => {
    expect(read("DB_DSN", value)).toEqual(expected);
  });
});

describe("JDBC", () => {
  test.each([
    ["jdbc:postgresql://db:5433/shop?user=a&password=b@c", ["postgresql db:5433"]],
    ["jdbc:postgresql://user:12/34@db/shop", []],
    ["jdbc:postgresql://db:5433/shop?user=a&password=b", ["postgresql db:5433"]],
    ["jdbc:postgresql://h1:5432,h2/shop", ["postgresql h1:5432", "postgresql h2:5432"]],
    ["jdbc:mysql:loadbalance://h1:3306,h2:3306/x", ["mysql h1:3306", "mysql h2:3306"]],
    ["jdbc:mariadb://db/x", ["mariadb db:3306"]],
    ["jdbc:sqlserver://sql\\inst:1444;databaseName=x;password=a@b", ["sqlserver sql:1444"]],
    ["jdbc:sqlserver://sql:1444;databaseName=x;password=a@b", ["sqlserver sql:1444"]],
    ["jdbc:oracle:thin:scott/tiger@//ora:1522/svc", ["oracle ora:1522"]],
    ["jdbc:oracle:thin:@ora:1521:ORCL", ["oracle ora:1521"]],
    ["jdbc:h2:mem:test", []],
  ])("%s", (value, expected) => {
    expect(read("spring.datasource.url", value)).toEqual(expected);
  });
});

describe("hosts and ports", () => {
  test.each([
    [{ DB_HOST: "db", DB_PORT: "5433" }, ["- db:5433"]],
    [{ PGHOST: "db" }, ["postgresql db:5432"]],
    [{ PGHOST: "db", PGPORT: "6432" }, ["postgresql db:6432"]],
    [{ REDIS_HOST: "cache" }, ["redis cache:6379"]],
    [{ "spring.redis.host": "cache" }, ["redis cache:6379"]],
    [{ KAFKA_BOOTSTRAP_SERVERS: "b1:9092,b2:9093" }, ["kafka b1:9092", "kafka b2:9093"]],
    [{ ZOOKEEPER_CONNECT: "z1:2181,z2:2181/kafka" }, ["zookeeper z1:2181", "zookeeper z2:2181"]],
    [{ UPSTREAM_ADDR: "[fd00::9]:8080" }, ["- [fd00::9]:8080"]],
    [{ HOSTNAME: "web-1", HOST: "10.0.0.1", PORT: "8080" }, []],
    [{ LISTEN_ADDR: "10.0.0.1:80", BIND_HOST: "10.0.0.1", PORT: "80" }, []],
    [{ API_TOKEN: "abc:1234", DB_PASSWORD: "hunter2:22", SECRET: "http://never/" }, []],
    [{ TOKEN_URL: "https://login.example.com/token" }, ["https login.example.com:443"]],
    [{ NOTE: "see db:5432", DATABASE: "admin:1234" }, []],
    [
      {
        KUBERNETES_SERVICE_HOST: "10.96.0.1",
        CART_SERVICE_HOST: "10.96.0.2",
        CART_PORT: "tcp://10.96.0.2:80",
        CART_PORT_80_TCP_ADDR: "10.96.0.2",
      },
      [],
    ],
  ])("%j", (environment, expected) => {
    const entries = Object.entries(environment).map(([name, value]) => ({ name, value }));
    expect(told(entries)).toEqual(expected);
  });
});

describe("files", () => {
  test.each([
    [
      "an environment file",
      "# comment\nexport DB_HOST='db'\nDB_PORT=5433\nDB_PASSWORD=x:1\n",
      ["- db:5433"],
    ],
    [
      "sections",
      "[redis]\nhost = cache ; here it is\nport = 6380\n[server]\nhost = 10.0.0.1\n",
      ["redis cache:6380"],
    ],
    [
      "indentation",
      "database:\n  host: db\n  port: 5433\n  password: x\nhost: me\n",
      ["- db:5433"],
    ],
    [
      "JSON",
      '{\n  "cache": {\n    "redisHost": "cache",\n    "port": 1\n  }\n}\n',
      ["redis cache:6379"],
    ],
    ["nginx", "location / {\n  proxy_pass http://app:8080;\n}\n", ["http app:8080"]],
    ["properties", "spring.datasource.url=jdbc:postgresql://db/x\n", ["postgresql db:5432"]],
  ])("%s", (_, text, expected) => {
    expect(told(linesOf(text))).toEqual(expected);
  });

  test("of many spaces take no longer than others: somebody's file must not keep an agent busy", () => {
    const long = `a=x${" ".repeat(2040)}x\n`;
    expect(told(linesOf(`${long.repeat(128)}url: https://x.example/ ,\n`))).toEqual([
      "https x.example:443",
    ]);
  });

  test("of any length are read at once, whatever somebody writes into them", () => {
    const written = ["/", "/a", " ", "\t", "a ", "a=", "'", '"', "{}", "@tcp(", "://"].flatMap(
      (piece) =>
        ["", 'Server=a;x="', "Server=a;x={", "postgres://u:"].map(
          (front) => `${front}${piece.repeat(Math.floor(8000 / piece.length))}!`,
        ),
    );
    for (let round = 0; round < 20; round += 1) {
      for (const value of written) expect(["", "- a"]).toContain(read("DB_HOST", value).join());
    }
    expect(read("ZK_HOSTS", "zk1:2181,zk2:2181/a/b.c-d")).toEqual(
      read("ZK_HOSTS", "zk1:2181,zk2:2181"),
    );
    expect(read("ZK_HOSTS", "zk1:2181/a/b!")).toEqual([]);
  });

  test("tell the line", () => {
    expect(destinationsIn(linesOf("a: 1\n\nurl: https://x.example/\n"))).toEqual([
      { host: "x.example", port: 443, scheme: "https", entry: "line 3" },
    ]);
  });
});
